/**
 * What a downloader does for one table: all files of a generation come together in a stage, each compared with its hash
 * and durable. What the stage or the table's directory on this node has already is not fetched again.
 */
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { mapBounded } from "../../base/bounded.js";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import type { Files } from "../../base/files.js";
import { limits } from "../../base/limits.js";
import { readBcolzDirectory } from "../../columns/bcolz/directory.js";
import { isBcolzFileName, timeOfCopyMs } from "../../columns/bcolz/files.js";
import { currentBytesMax, decodeCurrent } from "../../columns/files/current.js";
import { currentName, decodeFooter, type Footer } from "../../columns/files/footer.js";
import { verifyTable } from "../../columns/verify/verify.js";
import { fetchFile, type WantedFile } from "./fetch-file.js";
import { badManifest, type Manifest, type ManifestFile } from "../manifest.js";
import type { TransferTools } from "./read-ranges.js";
import { diskFull, findFreeBytes, requireRoom } from "./room.js";
import { findWhole } from "./reuse.js";
import { clearStage, partBytes, readSeal, sealStage } from "../stage.js";
import { stopTogether } from "../stopping.js";
import { findSourceKind, openManifestSource, openPlainSource, readManifest, readTogether, type TableSource } from "./table-source.js";
import type { WriteBack } from "./write-back.js";
import { openZipSource } from "./zip-source.js";

/** A table to be fetched. */
export interface FetchRequest {
  readonly table: string;
  /** The key of its manifest; null for a zip or a copy of a table's directory. */
  readonly manifestKey: string | null;
  /** The folder in which its files come together, by the name of the table, for this table alone. */
  readonly stage: string;
  /** The table's directory on this node, which may be absent. */
  readonly directory: string;
  /** Bytes free on the disk of a folder, where it is not the system that is asked. */
  readonly freeBytesOf?: ((folder: string) => Promise<number>) | undefined;
  /** Called as files come. */
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
}

/** How far a fetching is; what need not come counts as done. */
export interface FetchProgress {
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/** What fetching works with: that of transfers, with a signal from outside, and the disk. */
export interface FetchTools extends Omit<TransferTools, "signal"> {
  readonly files: Files;
  readonly writeBack: WriteBack;
  readonly signal?: AbortSignal | undefined;
}

/** Small files wait for their requests most of the time. */
const filesAtOnce = 8;

interface Fetching {
  readonly request: FetchRequest;
  readonly tools: FetchTools & TransferTools;
  readonly source: TableSource;
  readonly fail: (cause: unknown) => never;
}

/**
 * Fetches a table, and gives its manifest; one is made for a table that came without. When it is cut off it is called
 * again, and goes on. Throws NOT_FOUND, BAD_INPUT for what lies or is no table, DISK_FULL before anything is fetched where
 * that can be told, OBJECT_STORE, CORRUPT_CHUNK for a table of bcolz that cannot be read, CANCELLED, IO.
 */
export async function fetchTable(tools: FetchTools, request: FetchRequest): Promise<Manifest> {
  const { stage, table } = request;
  if (basename(stage) !== table) throw new Error(`the stage of ${table} is ${stage}`);
  try {
    const sealed = await readSeal(tools.files, stage);
    if (sealed !== undefined) return sealed;
    await makeFolder(tools.files, stage);
    return await stopTogether(tools.signal, (signal, fail) => fetchInto({ ...tools, signal }, request, fail));
  } catch (cause) {
    throw toBquerydError(cause, `fetch ${table}`);
  }
}

/** A folder that is there after a power cut too. */
async function makeFolder(files: Files, path: string): Promise<void> {
  const created = await files.makeDirectory(path);
  if (created === undefined) return;
  for (let folder = path; folder.length >= created.length; folder = dirname(folder)) await files.syncDirectory(dirname(folder));
}

async function fetchInto(tools: FetchTools & TransferTools, request: FetchRequest, fail: Fetching["fail"]): Promise<Manifest> {
  const { table, manifestKey } = request;
  const given = manifestKey === null ? undefined : await readManifest(tools, table, manifestKey);
  const source = given === undefined ? await openUnnamed(tools, table) : await openManifestSource(tools, given);
  const fetching: Fetching = { request, tools, source, fail };
  const isBcolz = given === undefined ? !source.sizes.has(currentName) : given.kind === "bcolz";
  const manifest = isBcolz ? await fetchBcolz(fetching, given) : await fetchOwn(fetching, given);
  await sealStage(tools.files, request.stage, manifest);
  return manifest;
}

async function openUnnamed(tools: FetchTools & TransferTools, table: string): Promise<TableSource> {
  const source = await findSourceKind(tools, table) === "zip" ? await openZipSource(tools, table) : await openPlainSource(tools, table);
  if (source.sizes.has(currentName) || source.sizes.has("__rootdirs__")) return source;
  throw new BquerydError("BAD_INPUT", `${source.place} holds no table, neither of bqueryd nor of bcolz; check what was put there`, { details: { table } });
}

/** The footer comes first: it says what else there has to be. */
async function fetchOwn(fetching: Fetching, given: Manifest | undefined): Promise<Manifest> {
  const { request, tools, source } = fetching;
  const { table, stage } = request;
  const generation = given?.generation ?? await readGeneration(fetching);
  const footerName = `${generation}.json`;
  const bytes = sizeOf(fetching, footerName);
  if (bytes > limits.footerBytesMax) throw new BquerydError("BAD_INPUT", `${footerName} of ${source.place} has ${bytes} bytes, more than any footer; upload the table again`, { details: { table } });
  await fetchFiles(fetching, [{ name: footerName, bytes, sha256: generation }]);
  const footer = decodeFooter(await tools.files.read(join(stage, footerName)), generation, table);
  const files = [...footer.files.map(({ name, bytes: length, sha256 }): ManifestFile => ({ name, bytes: length, sha256 })), { name: footerName, bytes, sha256: generation }];
  if (given !== undefined) requireSame(given, footer, files);
  for (const file of files) {
    if (sizeOf(fetching, file.name) !== file.bytes) throw new BquerydError("BAD_INPUT", `${file.name} of ${source.place} has ${sizeOf(fetching, file.name)} bytes, and the footer says ${file.bytes}; upload the table again`, { details: { table, file: file.name } });
  }
  await fetchFiles(fetching, files, request.onProgress);
  return given ?? { format: "bqueryd-manifest", version: 1, kind: "bqueryd", table, generation, rows: footer.rows, files };
}

/** The generation in use of a copy of a table's directory. */
async function readGeneration(fetching: Fetching): Promise<string> {
  const { request: { table }, source } = fetching;
  if (sizeOf(fetching, currentName) > currentBytesMax) throw new BquerydError("BAD_INPUT", `CURRENT of ${source.place} is longer than any; upload the table again`, { details: { table } });
  return decodeCurrent(await readTogether(source.open(currentName, 0)), table)[0]!;
}

/**
 * Of bcolz nothing is named by content. With a manifest the files get the times that its generation goes by. Without one
 * nobody knows when they were changed: they get times made of their content, so that the generation is the same on every
 * node, and another when the content is.
 */
async function fetchBcolz(fetching: Fetching, given: Manifest | undefined): Promise<Manifest> {
  const { request, tools, source } = fetching;
  const { table, stage } = request;
  if (given === undefined) await restart(fetching);
  const wanted: WantedFile[] = given?.files.slice() ?? [...source.sizes].flatMap(([name, bytes]) => (isBcolzFileName(name) ? [{ name, bytes, sha256: null }] : []));
  const hashes = await fetchFiles(fetching, wanted, request.onProgress);
  const files = given?.files ?? wanted.map(({ name, bytes }): ManifestFile => ({ name, bytes, sha256: hashes.get(name)!, modified_ms: timeOfContentMs(hashes.get(name)!) }));
  for (const { name, modified_ms: ms } of files) await tools.files.touch(join(stage, name), timeOfCopyMs(ms!));
  if (given === undefined) await requireReadable(fetching);
  const { generation, rows } = readBcolzDirectory(stage);
  if (given !== undefined && (given.generation !== generation || given.rows !== rows)) throw badManifest(table, "its files make up another generation than it says");
  return given ?? { format: "bqueryd-manifest", version: 1, kind: "bcolz", table, generation, rows, files };
}

/** Files without a hash may be of another copy than the one that is there now. */
async function restart({ request: { stage }, tools: { files } }: Fetching): Promise<void> {
  await clearStage(files, stage);
  await makeFolder(files, stage);
}

async function requireReadable({ request: { table, stage }, tools, source }: Fetching): Promise<void> {
  const { findings: [first] } = await verifyTable(stage, { signal: tools.signal });
  if (first !== undefined) throw new BquerydError("CORRUPT_CHUNK", `${table} of ${source.place} cannot be read: ${first.file}: ${first.problem}; upload the table again`, { details: { table, file: first.file } });
}

/** Fetches what is not here already; gives the hashes of what was fetched. */
async function fetchFiles(fetching: Fetching, wanted: readonly WantedFile[], onProgress?: FetchRequest["onProgress"]): Promise<Map<string, string>> {
  const { request: { table, stage, directory, freeBytesOf = findFreeBytes }, tools: { files, writeBack, signal }, source, fail } = fetching;
  const isWhole = await mapBounded(wanted, filesAtOnce, (file) => findWhole(files, file, { stage, directory, signal }));
  const missing = wanted.filter((_, at) => isWhole[at] === false);
  const bytesTotal = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
  let bytesLeft = missing.reduce((sum, { bytes }) => sum + bytes, 0);
  const parts = await mapBounded(missing, filesAtOnce, ({ name }) => partBytes(files, stage, name));
  await requireRoom(stage, bytesLeft - parts.reduce((sum, bytes) => sum + bytes, 0), table, freeBytesOf);
  for (const folder of new Set(missing.map(({ name }) => dirname(join(stage, name))))) await files.makeDirectory(folder);
  const hashes = new Map<string, string>();
  const onBytes = (bytes: number): void => {
    bytesLeft -= bytes;
    onProgress?.({ bytesDone: bytesTotal - bytesLeft, bytesTotal });
  };
  onBytes(0);
  await mapBounded(missing, filesAtOnce, async (file) => {
    try {
      hashes.set(file.name, await fetchFile(source, file, { files, writeBack, stage, onBytes }));
    } catch (cause) {
      const failure = toBquerydError(cause, `fetch ${file.name} of ${table}`);
      fail(failure.code === "DISK_FULL" ? diskFull(stage, { bytes: bytesLeft, freeBytes: await freeBytesOf(stage).catch(() => 0), table, cause }) : failure);
    }
  });
  return hashes;
}

function sizeOf({ request: { table }, source }: Fetching, name: string): number {
  const bytes = source.sizes.get(name);
  if (bytes !== undefined) return bytes;
  throw new BquerydError("NOT_FOUND", `${source.place} lacks ${name}; upload the table again`, { details: { table, file: name } });
}

function requireSame(given: Manifest, footer: Footer, files: readonly ManifestFile[]): void {
  const said = new Map(given.files.map((file) => [file.name, file]));
  const isSame = said.size === files.length && files.every(({ name, bytes }) => said.get(name)?.bytes === bytes);
  if (!isSame || given.rows !== footer.rows) throw badManifest(given.table, "it does not say what the footer says");
}

/** A time in whole ms before 2009, made of a hash. */
function timeOfContentMs(sha256: string): number {
  const digest = createHash("sha256").update(sha256).digest();
  return 946_684_800_000 + digest.readUIntBE(0, 6) % (2 ** 28 * 1_000);
}
