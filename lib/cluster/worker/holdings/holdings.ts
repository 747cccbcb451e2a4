/** What a data directory holds, found by scanning it, and what changed between two scans. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { toBquerydError, type BquerydError } from "../../../base/errors.js";
import { isSystemError } from "../../../base/files.js";
import { limits } from "../../../base/limits.js";
import { describeGenerations, type GenerationFacts, type TableGenerations } from "../../../columns/read/describe-generations.js";
import { stampTable } from "../../../columns/read/describe.js";
import { findTableName, isTableName } from "../../../columns/names.js";
import type { BrokenTable, Holding } from "../../../wire/messages.js";

/** A table directory as one scan found it: readable, or with the reason why it is not. */
export type ScannedTable =
  | { readonly stamp: string; readonly holding: TableGenerations; readonly problem: null }
  | { readonly stamp: string; readonly holding: null; readonly problem: BquerydError };

/** The tables of a data directory by directory name. */
export type Scan = ReadonlyMap<string, ScannedTable>;

/** What a later scan found different. A table whose generation changed is among `changed` alone. */
export interface ScanDifference {
  readonly added: readonly Holding[];
  readonly changed: readonly Holding[];
  readonly removed: readonly string[];
  /** Tables that cannot be read, and could before or were not there or failed otherwise. */
  readonly broken: readonly { readonly name: string; readonly problem: BquerydError }[];
}

/** Tables looked at between two turns of the event loop: a few milliseconds of work, so that heartbeats go on. */
const tablesPerTurn = 64;
/** Characters of a problem that travel. */
const problemMax = 1_000;

/**
 * The tables in a data directory, also those of bcolz. Those whose stamp is that in `known` are taken from there unread;
 * directories that hold neither are no tables yet. Throws what reading the directory itself throws.
 */
export async function scanHoldings(dataDir: string, known: Scan): Promise<Scan> {
  const names = (await readdir(dataDir)).filter(isTableName).sort();
  const found = new Map<string, ScannedTable>();
  for (const [index, name] of names.slice(0, limits.shardsMax).entries()) {
    if (index % tablesPerTurn === tablesPerTurn - 1) await nextTurn();
    const table = scanTable(join(dataDir, name), known.get(name));
    if (table !== undefined) found.set(name, table);
  }
  return found;
}

/** What changed from one scan to the next. */
export function compareScans(before: Scan, after: Scan): ScanDifference {
  const added: Holding[] = [];
  const changed: Holding[] = [];
  const removed: string[] = [];
  const broken: { name: string; problem: BquerydError }[] = [];
  for (const [name, table] of after) {
    const earlier = before.get(name);
    if (earlier === table) continue;
    const { holding, problem } = table;
    if (holding === null) {
      if (earlier?.problem?.message !== problem.message) broken.push({ name, problem });
      if (earlier !== undefined && earlier.holding !== null) removed.push(name);
    } else if (earlier === undefined || earlier.holding === null) added.push(holding);
    else if (!isDeepStrictEqual(generationsOf(earlier.holding), generationsOf(holding))) changed.push(holding);
  }
  for (const [name, { holding }] of before) {
    if (holding !== null && !after.has(name)) removed.push(name);
  }
  return { added, changed, removed, broken };
}

/** What is known of generations from a scan. */
function describedBy(known: ScannedTable | undefined): GenerationFacts[] {
  if (known === undefined || known.holding === null) return [];
  return [known.holding, ...known.holding.kept ?? []].map(({ generation, rows, bytes, set, columns, writtenMs }) => ({ generation, rows, bytes, set, columns, writtenMs }));
}

/** Every generation that can be read under a holding, and which of them wait. */
function generationsOf(holding: Holding): string[] {
  return [holding, ...holding.kept ?? []].map(({ generation, prepared }) => (prepared === true ? `${generation} waits` : generation));
}

/** The tables of a scan that cannot be opened, and why; of very many the first by name. */
export function listBroken(scan: Scan): BrokenTable[] {
  const broken = [...scan].flatMap(([name, { problem }]) => (problem === null ? [] : [{ name, code: problem.code, message: problem.message.slice(0, problemMax) }]));
  return broken.slice(0, limits.brokenTablesMax);
}

/**
 * Tells whether a scan met a set that is just coming, or taking the place of another: some shard has changed since the
 * scan before, and of no import all shards are there. What was prepared before is not coming when it becomes CURRENT.
 */
export function hasSetInMotion(before: Scan, after: Scan): boolean {
  if (isSame(before, after)) return false;
  const families = new Map<string, { readonly counts: Map<string, number>; hasChanged: boolean; isWhole: boolean }>();
  for (const [name, table] of after) {
    const base = findTableName(name)?.base;
    if (table.holding === null || table.holding.set === null || base === undefined || table.holding.prepared === true) continue;
    const { set } = table.holding;
    const family = families.get(base) ?? { counts: new Map<string, number>(), hasChanged: false, isWhole: false };
    const count = (family.counts.get(set.id) ?? 0) + 1;
    family.counts.set(set.id, count);
    family.isWhole ||= count === set.count;
    family.hasChanged ||= before.get(name)?.stamp !== table.stamp && !wasExpected(before.get(name), table.holding);
    families.set(base, family);
  }
  return [...families.values()].some(({ hasChanged, isWhole }) => hasChanged && !isWhole);
}

/** Tells whether what is in use now was so before, or waited for it. */
function wasExpected(before: ScannedTable | undefined, { generation }: TableGenerations): boolean {
  const held = before?.holding ?? null;
  return held !== null && (held.generation === generation || (held.kept ?? []).some((one) => one.prepared === true && one.generation === generation));
}

/** Tells whether every table was taken from the scan before: of thousands that is seen in less time than their names take to read. */
function isSame(before: Scan, after: Scan): boolean {
  for (const [name, table] of after) if (before.get(name) !== table) return false;
  return true;
}

function scanTable(path: string, known: ScannedTable | undefined): ScannedTable | undefined {
  let stamp = "";
  try {
    const found = stampTable(path);
    if (found === undefined) return undefined;
    stamp = found;
    // A broken table is read again each time: what was wrong may be mended without a change of the stamp.
    if (stamp !== "" && known?.stamp === stamp && known.holding !== null) return known;
    return { stamp, holding: describeGenerations(path, describedBy(known)), problem: null };
  } catch (cause) {
    if (isSystemError(cause, "ENOTDIR")) return undefined; // A file by the name of a table.
    return { stamp, holding: null, problem: toBquerydError(cause, `read the table ${path}`) };
  }
}
