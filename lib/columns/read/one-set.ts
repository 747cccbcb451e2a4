/** Reading the tables that one name stands for: all shards of one import, though another may be replacing them. */
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { BquerydError } from "../../base/errors.js";
import type { SetPlace } from "../files/footer.js";
import { findTableName } from "../names.js";

/** Where a table is. */
export interface FoundTable {
  readonly path: string;
  /** The set that it was of when it was found, null for none; undefined where nobody looked. */
  readonly setId?: string | null | undefined;
}

/** How a table is taken to be read. */
export interface Taking<Taken> {
  take(path: string): Taken;
  setOf(taken: Taken): SetPlace | null;
  /** Lets go of one that is not to be read after all. */
  drop(taken: Taken): void;
}

/** A set is replaced shard by shard, each made durable: time for some dozens of them, ms. */
const waitsMs = [20, 40, 80, 160, 320, 640];

/**
 * Takes all tables that `find` gives, each of the set that it was found to be of, and all shards of one name of one set.
 * While they are not, a replacement being under way, they are found and taken again for about a second. Throws
 * SHARD_UNAVAILABLE when that does not end, and what `find` and `take` throw; then none is held.
 */
export async function takeOneSet<Taken>(find: () => Promise<readonly FoundTable[]>, taking: Taking<Taken>): Promise<Taken[]> {
  let found = await find();
  for (const waitMs of waitsMs) {
    try {
      return takeOnce(found, taking);
    } catch (cause) {
      if (found.length < 2 || !isMomentary(cause)) throw cause;
    }
    await delay(waitMs);
    // The replacement may stand between two of its shards now: then the tables of before are looked for once more.
    found = await find().catch((cause: unknown) => {
      if (isMomentary(cause)) return found;
      throw cause;
    });
  }
  return takeOnce(await find(), taking);
}

/** Codes of what may be met when tables are replaced or taken away meanwhile. */
function isMomentary(cause: unknown): boolean {
  return cause instanceof BquerydError && (cause.code === "SHARD_UNAVAILABLE" || cause.code === "NOT_FOUND" || cause.code === "GENERATION_GONE");
}

function takeOnce<Taken>(found: readonly FoundTable[], { take, setOf, drop }: Taking<Taken>): Taken[] {
  const taken: Taken[] = [];
  try {
    for (const { path } of found) taken.push(take(path));
    requireOneSet(found, taken.map((table) => setOf(table)?.id ?? null));
    return taken;
  } catch (cause) {
    for (const table of taken) drop(table);
    throw cause;
  }
}

function requireOneSet(found: readonly FoundTable[], setIds: readonly (string | null)[]): void {
  const setOfName = new Map<string, string | null>();
  for (const [at, { path, setId: expected }] of found.entries()) {
    const name = findTableName(basename(path));
    if (name === undefined || name.shard === null) continue;
    const key = join(dirname(path), name.base);
    const setId = setIds[at]!;
    const others = setOfName.has(key) ? setOfName.get(key) : setId;
    setOfName.set(key, setId);
    if (setId !== others || (expected !== undefined && setId !== expected)) throw new BquerydError("SHARD_UNAVAILABLE", `the shards of ${name.base} are of different imports; try again when the import that replaces them has ended, or import ${name.base} again`, { details: { table: name.base } });
  }
}
