/**
 * What a node knows of pointers, on its disk: an emptied registry is refilled from it when every process was restarted, too.
 *
 *   DATA_DIR/.bqueryd-pointers.json         canonical JSON: format, version, cluster, epoch, tables, and the SHA-256 of the same without it
 *   DATA_DIR/.bqueryd-pointers.json.ID.tmp  one that is being written
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { Type, TypeCompiler, type Static } from "../../base/typebox.js";
import { randomId } from "../../base/clock.js";
import { toBquerydError } from "../../base/errors.js";
import { isSystemError, type Files } from "../../base/files.js";
import { canonicalJson } from "../../base/json.js";
import { limits } from "../../base/limits.js";
import type { Log } from "../../base/log.js";
import { isGeneration, isTable, joinPointers, lacks, parseJson, SourceSchema } from "../../registry/entries.js";
import type { Pointers } from "../../registry/pointers.js";

/** The pointers of a node's disk. */
export interface PointersFile {
  /** What is kept: to be given to `registry.restorePointers`, and known from the beginning on. */
  known(): Pointers;
  /**
   * Keeps what is new in these pointers, durably, at most once a second by any steady clock; tells whether nothing is left to be kept.
   * Told again with every look at the registry, the last time with an `Infinity` of time. Throws DISK_FULL, IO.
   */
  keep(pointers: Pointers, nowMs: number): Promise<boolean>;
}

/** Where the file is, and whose. */
export interface PointersFileOptions {
  readonly files: Files;
  readonly dataDir: string;
  /** Pointers of another cluster are none of ours. */
  readonly cluster: string;
  readonly log: Log;
}

/** Name of the file in a data_dir. */
export const pointersName = ".bqueryd-pointers.json";
/** How often it is written at most. */
export const pointersEveryMs = 1_000;

const bytesMax = 256 * 1024 * 1024;
const Epoch = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Shape = Type.Object({
  format: Type.Literal("bqueryd-pointers"), version: Type.Literal(1), cluster: Type.String(), epoch: Epoch,
  tables: Type.Array(Type.Object({ table: Type.String(), generation: Type.Union([Type.Null(), Type.String()]), epoch: Epoch, source: Type.Union([Type.Null(), SourceSchema]) }), { maxItems: 2 * limits.shardsMax }),
}, { additionalProperties: false });
const check = TypeCompiler.Compile(Shape);

/** The file of a node, which need not be there. One that is damaged or another cluster's is told of and replaced. Throws IO. */
export async function openPointersFile({ files, dataDir, cluster, log }: PointersFileOptions): Promise<PointersFile> {
  const path = join(dataDir, pointersName);
  let known: Pointers = { epoch: 0, tables: new Map() };
  let keptMs = -Infinity;
  try {
    await removeHalfWritten(files, dataDir);
    const found = await readPointers(files, path, cluster);
    if (typeof found === "string") log.warn({ event: "pointers.ignored", path, reason: `${found}; it is written anew from the registry` });
    else if (found !== undefined) known = found;
  } catch (cause) {
    throw toBquerydError(cause, `read ${path}`);
  }
  return {
    known: () => known,
    async keep(pointers, nowMs) {
      if (!lacks(known, pointers)) return true;
      if (nowMs - keptMs < pointersEveryMs) return false;
      const joined = joinPointers(known, pointers);
      await writePointers(files, { path, dataDir, cluster }, joined);
      [known, keptMs] = [joined, nowMs];
      return true;
    },
  };
}

/** Undefined where there is none; a text says what is wrong with the one there is. */
async function readPointers(files: Files, path: string, cluster: string): Promise<Pointers | string | undefined> {
  const facts = await files.find(path);
  if (facts === undefined) return undefined;
  if (facts.isDirectory || facts.bytes > bytesMax) return "it is no file of pointers";
  return decodePointers(Buffer.from(await files.read(path, { bytesMax })).toString(), cluster);
}

function decodePointers(text: string, cluster: string): Pointers | string {
  const { sha256, ...content } = Object(parseJson(text)) as { readonly sha256?: unknown };
  if (!check.Check(content) || !content.tables.every(isPointer) || canonicalJson({ ...content, sha256: hashOf(content) }) !== text || sha256 !== hashOf(content)) return "it is damaged";
  if (content.cluster !== cluster) return `it is of the cluster '${content.cluster}', not of '${cluster}'`;
  return { epoch: content.epoch, tables: new Map(content.tables.map(({ table, ...pointer }) => [table, pointer])) };
}

function isPointer({ table, generation }: Static<typeof Shape>["tables"][number]): boolean {
  return isTable(table) && (generation === null || isGeneration(generation));
}

async function writePointers(files: Files, { path, dataDir, cluster }: { path: string; dataDir: string; cluster: string }, { epoch, tables }: Pointers): Promise<void> {
  const list = [...tables].map(([table, { generation, epoch: setAt, source }]) => ({ table, generation, epoch: setAt, source }));
  const content = { format: "bqueryd-pointers", version: 1, cluster, epoch, tables: list.sort((a, b) => (a.table < b.table ? -1 : 1)) };
  const aside = `${path}.${randomId()}.tmp`;
  try {
    await files.createSynced(aside, Buffer.from(canonicalJson({ ...content, sha256: hashOf(content) })));
    await files.rename(aside, path);
    await files.syncDirectory(dataDir);
  } catch (cause) {
    await files.remove(aside).catch(() => undefined);
    throw toBquerydError(cause, `write ${path}`);
  }
}

function hashOf(content: unknown): string {
  return createHash("sha256").update(canonicalJson(content)).digest("hex");
}

async function removeHalfWritten(files: Files, dataDir: string): Promise<void> {
  for (const name of await files.list(dataDir)) {
    if (!name.startsWith(`${pointersName}.`) || !/^\.[0-9a-f]{32}\.tmp$/.test(name.slice(pointersName.length))) continue;
    await files.remove(join(dataDir, name)).catch((cause: unknown) => { if (!isSystemError(cause, "ENOENT")) throw cause; });
  }
}
