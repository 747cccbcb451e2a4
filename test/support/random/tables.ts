/** Random tables: every dtype in many shapes, row counts around the borders of chunks. */
import type { Random } from "../../../lib/base/clock.js";
import { dtypes, type Dtype } from "../../../lib/columns/dtypes.js";
import type { StoredValue } from "../read-table.js";
import { chance, oneOf, someOf, whole } from "./draw.js";
import { shapes } from "./shapes.js";

/** A value of a result: as it is stored, or a list of such. */
export type Value = StoredValue | readonly Value[];

/** A column of a random table. */
export interface RandomColumn {
  readonly name: string;
  readonly dtype: Dtype;
  /** How its values were drawn. */
  readonly shape: string;
  /** The share of nulls among them. */
  readonly nullShare: number;
}

/** A random table, and how its rows are cut into shards: `cuts` are the first rows of all shards but the first. */
export interface RandomTable {
  readonly name: string;
  readonly rows: number;
  readonly columns: readonly RandomColumn[];
  readonly cuts: readonly number[];
}

/** A random table with its values: those of each column, in the order of the columns. */
export interface FilledTable extends RandomTable {
  readonly values: readonly (readonly StoredValue[])[];
}

/** Few rows mostly, so that there is time for many queries. */
const smallCounts = [0, 1, 2, 7, 100, 1_000, 3_000];
const largeCounts = [20_000, 65_534, 65_535, 65_536, 65_537, 65_538, 131_070, 131_071, 131_072, 131_073, 131_074];
const largeShare = 0.12;

/** Shares of nulls that a column may have. */
export const nullShares = [0, 0.02, 0.5, 1] as const;
/** Dtypes with a second column. */
const doubled = 5;

/** A table with a column of each dtype and a second one of some, cut into 1 to `shardsMax` shards. */
export function drawTable(random: Random, name: string, shardsMax: number): FilledTable {
  const rows = oneOf(random, chance(random, largeShare) ? largeCounts : smallCounts);
  const second = someOf(random, dtypes, doubled);
  const drawn = [
    ...dtypes.map((dtype) => drawColumn(random, `${dtype}_a`, dtype, rows)),
    ...second.map((dtype) => drawColumn(random, `${dtype}_b`, dtype, rows)),
  ];
  const shards = whole(random, 1, shardsMax);
  const cuts = chance(random, 0.5) ? evenCuts(rows, shards) : drawCuts(random, rows, shards);
  return { name, rows, cuts, columns: drawn.map(({ column }) => column), values: drawn.map(({ values }) => values) };
}

function drawColumn(random: Random, name: string, dtype: Dtype, rows: number): { column: RandomColumn; values: StoredValue[] } {
  const shape = oneOf(random, Object.keys(shapes[dtype]));
  const draw = shapes[dtype][shape]!(random);
  const nullShare = oneOf(random, [0, ...nullShares, 0.02, 0.5]);
  const values = Array.from({ length: rows }, (_, row) => (chance(random, nullShare) ? null : draw(random, row)));
  return { column: { name, dtype, shape, nullShare }, values };
}

function evenCuts(rows: number, shards: number): number[] {
  return Array.from({ length: shards - 1 }, (_, k) => Math.floor(((k + 1) * rows) / shards));
}

/** Cuts anywhere, at times leaving a shard empty. */
function drawCuts(random: Random, rows: number, shards: number): number[] {
  return Array.from({ length: shards - 1 }, () => whole(random, 0, rows)).sort((a, b) => a - b);
}
