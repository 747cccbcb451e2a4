/** Making the generations of an import visible: every file and footer durable first, then the CURRENTs in one go. */
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { mapBounded } from "../../base/bounded.js";
import { wallMs } from "../../base/clock.js";
import { BquerydError } from "../../base/errors.js";
import type { Files } from "../../base/files.js";
import { limits } from "../../base/limits.js";
import { collectFiles, footerName, touchFooter } from "../directory/collect.js";
import { retireTable } from "../directory/surplus.js";
import { encodeCurrent } from "../files/current.js";
import { currentName, encodeFooter, type Footer } from "../files/footer.js";
import { writeAside } from "./seal.js";
import { temporaryName, type PreparedTable } from "../directory/table-directory.js";

/** A table with the footer of its new generation. */
export interface CommitTable {
  readonly table: PreparedTable;
  readonly footer: Footer;
}

/** A table whose new generation is durable, and whose CURRENT lies ready. */
export interface ReadyTable {
  readonly table: PreparedTable;
  readonly generation: string;
  readonly footer: Footer;
  /** Ids of the generations that its CURRENT will name. */
  readonly kept: readonly string[];
  readonly stagedCurrent: string;
}

/** What a commit made visible. */
export interface CommittedTable {
  readonly name: string;
  readonly generation: string;
  readonly rows: number;
  readonly bytes: number;
  /** The column that the rows are in the order of, as far as is known; null for none. */
  readonly sort: string | null;
}

/** Tables that wait for the disk at the same time: it writes what waits together in one go. */
const tablesAtOnce = 8;

/** The footers of shards as one set, which their contents name. */
export function joinSet(footers: readonly Footer[]): Footer[] {
  const hash = createHash("sha256");
  for (const footer of footers) hash.update(encodeFooter({ ...footer, set: null }).bytes);
  const id = hash.digest("hex").slice(0, 32);
  return footers.map((footer, index) => ({ ...footer, set: { id, index, count: footers.length } }));
}

/**
 * Writes and syncs all that comes before the switch. Each table keeps `keepGenerations`, the new one included. A failure
 * up to its end leaves every table as it was.
 */
export async function readyCommit(files: Files, tables: readonly CommitTable[], keepGenerations: number): Promise<ReadyTable[]> {
  const ready = await mapBounded(tables, tablesAtOnce, (table) => readyTable(files, table, keepGenerations));
  for (const parent of parentsOf(tables.map(({ table }) => table))) await files.syncDirectory(parent);
  for (const { table } of tables) {
    if (!await table.lock.isHeld()) throw new BquerydError("BUSY", `another process took over the writing of ${table.name}; try again when it has ended`, { details: { table: table.name } });
  }
  return ready;
}

/**
 * Switches every table to its new generation, and clears away `others` and what no generation used for `spareMs`. Then
 * the locks go. What fails once the switch is durable is no failure: the next writer does it again.
 */
export async function switchCurrents(files: Files, ready: readonly ReadyTable[], { others, spareMs }: { readonly others: readonly PreparedTable[]; readonly spareMs: number }): Promise<CommittedTable[]> {
  for (const { table, stagedCurrent } of ready) await files.rename(stagedCurrent, join(table.path, currentName));
  await mapBounded(ready, tablesAtOnce, ({ table }) => files.syncDirectory(table.path));
  const nowMs = wallMs();
  for (const other of others) await retireTable(files, other, { nowMs, spareMs }).catch(() => undefined);
  await mapBounded(ready, tablesAtOnce, async ({ table: { path, name: table }, kept: generations }) => {
    await collectFiles(files, { path, table, generations, nowMs, spareMs }).catch(() => undefined);
  });
  await releaseLocks([...ready.map(({ table }) => table), ...others]);
  return ready.map(({ table, generation, footer }) => ({
    name: basename(table.path), generation, rows: footer.rows, sort: footer.sort,
    bytes: bytesOf(footer),
  }));
}

/** Lets go of every lock, at the second try if need be; one that stays all the same is taken over when this process has ended. */
export async function releaseLocks(tables: readonly PreparedTable[]): Promise<void> {
  for (const { lock } of tables) await lock.release().catch(() => lock.release()).catch(() => undefined);
}

/** Bytes of the files that a footer names. */
export function bytesOf(footer: Footer): number {
  return footer.files.reduce((sum, file) => sum + file.bytes, 0);
}

async function readyTable(files: Files, { table, footer }: CommitTable, keepGenerations: number): Promise<ReadyTable> {
  const { bytes, generation } = encodeFooter(footer);
  if (bytes.length > limits.footerBytesMax) throw new BquerydError("MEMORY_LIMIT", `the footer of ${table.name} would take ${bytes.length} bytes of at most ${limits.footerBytesMax}; compact the table, or give it fewer columns`, { details: { table: table.name } });
  const kept = [generation, ...table.generations.filter((earlier) => earlier !== generation)];
  const dropped = kept.splice(keepGenerations);
  const stagedCurrent = join(table.path, temporaryName());
  const writeCurrent = () => files.createSynced(stagedCurrent, encodeCurrent(kept));
  const writeFooter = () => writeAside(files, table.path, footerName(generation), bytes);
  await mapBounded([writeFooter, writeCurrent], 2, (write) => write());
  for (const gone of dropped) await touchFooter(files, table.path, gone, wallMs());
  await files.syncDirectory(table.path);
  return { table, generation, footer, kept, stagedCurrent };
}

/** Directories whose entries may be new: parents of the tables, and of directories created on the way to them. */
function parentsOf(tables: readonly PreparedTable[]): Set<string> {
  const parents = new Set<string>();
  for (const { path, created } of tables) {
    if (created === undefined) continue;
    for (let directory = path; directory.length >= created.length; directory = dirname(directory)) parents.add(dirname(directory));
  }
  return parents;
}
