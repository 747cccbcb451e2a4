/** Partials of real queries with something wrong in them, merged and finished as a client does: each gives an answer or is refused. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom, type Random } from "../../lib/base/clock.js";
import { BquerydError, type ErrorCode } from "../../lib/base/errors.js";
import { createMerger, renderGroups } from "../../lib/client/merger.js";
import { dtypes } from "../../lib/columns/dtypes.js";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery, type Query } from "../../lib/engine/query/query.js";
import type { Block } from "../../lib/engine/tree.js";
import { everyMeasure } from "./every-measure.js";
import { chance, oneOf, whole } from "./random/draw.js";
import { tableOf } from "./random/local.js";
import type { StoredShard } from "./random/store.js";
import { writeShards, type PlainColumn } from "./write-table.js";

/** What may come of a partial that is wrong: it says what it could not have, or what cannot be. */
const refusals: ReadonlySet<ErrorCode> = new Set(["BAD_MESSAGE", "SCHEMA_MISMATCH", "OVERFLOW", "MEMORY_LIMIT"]);
const [shardCount, rows] = [3, 60];

/** A query, and the partial that each shard gave. */
interface Answered {
  readonly query: Query;
  readonly partials: readonly { readonly block: Block; readonly bytes: Uint8Array }[];
}

/** How many were refused, and what the first did that was neither answered nor refused; undefined where all were. */
export interface PartialFuzz {
  readonly partials: number;
  readonly refused: number;
  readonly failure: string | undefined;
}

/** Changes real partials `count` times. */
export async function fuzzPartials({ count, seed }: { readonly count: number; readonly seed: number }): Promise<PartialFuzz> {
  const random = seededRandom(seed);
  const answered = await answerQueries(random);
  let refused = 0;
  for (let number = 0; number < count; number++) {
    const { query, partials } = oneOf(random, answered);
    const wrong = whole(random, 0, shardCount - 1);
    const changed = changeOne(random, partials[wrong]!.bytes, answered);
    const given = partials.map(({ block, bytes }, place) => ({ block, bytes: place === wrong ? changed.bytes : bytes }));
    const found = outcomeOf(query, given);
    if (found === "refused") refused += 1;
    else if (found !== "answered") return { partials: number + 1, refused, failure: `partial ${number} of seed ${seed}, ${changed.what}: ${found}\n${JSON.stringify([query.keys, query.measures.map(({ op, inputs }) => [op, inputs])])}` };
  }
  return { partials: count, refused, failure: undefined };
}

function outcomeOf(query: Query, partials: Answered["partials"]): string {
  try {
    const merger = createMerger(query, shardCount, { bytesMax: Infinity });
    for (const { block, bytes } of partials) merger.add(block, bytes);
    tableOf(renderGroups(query, merger).result.columns).toString();
    return "answered";
  } catch (cause) {
    return cause instanceof BquerydError && refusals.has(cause.code) ? "refused" : cause instanceof Error ? String(cause.stack) : String(cause);
  }
}

async function answerQueries(random: Random): Promise<Answered[]> {
  const dataDir = await mkdtemp(join(tmpdir(), "bqueryd-partials-"));
  const engine = createEngine({ dataDir, cacheBytes: 2 ** 22, queryBytes: 2 ** 26 });
  try {
    const names = Array.from({ length: shardCount }, (_, shard) => `t-${shard}.bcolzs`);
    const generations = await writeShards(names.map((name) => join(dataDir, name)), drawColumns(random));
    const shards = names.map((name, ordinal): StoredShard => ({ ordinal, name, generation: generations[ordinal]! }));
    return queries().map((query) => answer(engine, shards, query));
  } finally {
    engine.close();
    await rm(dataDir, { recursive: true });
  }
}

function answer(engine: Engine, shards: readonly StoredShard[], query: Query): Answered {
  const partials: { block: Block; bytes: Uint8Array }[] = [];
  for (const shard of shards) engine.run({ query: encodeQuery(query), shards: [shard], shouldStop: () => false, onBlock: (block, bytes) => void partials.push({ block, bytes }) });
  return { query, partials };
}

function drawColumns(random: Random): PlainColumn[] {
  const some = <T>(make: (row: number) => T): (T | null)[] => Array.from({ length: rows }, (_, row) => (chance(random, 0.1) ? null : make(row)));
  return [
    { name: "small", dtype: "int8", values: some(() => BigInt(whole(random, -3, 3))) },
    { name: "large", dtype: "int64", values: some(() => BigInt(whole(random, -4, 4)) * 2n ** 60n + 1n) },
    { name: "unsigned", dtype: "uint64", values: some(() => 2n ** 63n + BigInt(whole(random, -9, 9))) },
    { name: "float", dtype: "float64", values: some(() => random() * 100) },
    { name: "text", dtype: "string", values: some((row) => `text ${row % 7}`) },
    { name: "bytes", dtype: "bytes", values: some(() => Uint8Array.of(whole(random, 0, 255))) },
    { name: "flag", dtype: "bool", values: some(() => chance(random, 0.5)) },
    { name: "time", dtype: "timestamp", values: some(() => BigInt(whole(random, 0, 2 ** 40))) },
    { name: "day", dtype: "date", values: some(() => BigInt(whole(random, 0, 40))) },
  ];
}

function queries(): Query[] {
  const ends: Readonly<Record<string, object>> = { histogram: { bins: 3, low: 0, high: 100 }, histogram2d: { bins: 2, low: 0, high: 100 } };
  const numbers = (x: string, y: string): unknown[][] => everyMeasure(x, y).map((measure) => [...(measure as unknown[]).slice(0, 3), ...[ends[String((measure as unknown[])[1])] ?? (measure as unknown[])[3] ?? {}]]);
  const others = (x: string): unknown[][] => ["count", "count_na", "count_distinct", "sorted_count_distinct", "min", "max", "first", "last", "mode", "approx_count_distinct", "topk"].map((op) => [x, op, `${op} of ${x}`, ...(op === "topk" ? [{ k: 3 }] : [])]);
  const keys = [[], ["small"], ["text"], ["large", "flag"], ["bytes", "day", "text"], ["float"], ["unsigned", "time"]];
  const measures = [numbers("float", "small"), numbers("large", "float"), numbers("unsigned", "small"), [...others("text"), ...others("bytes"), ...others("flag")], [...others("time"), ["time", "median", "m"], ["day", "quantile", "q", { p: 0.3 }], ["time", "histogram", "h", { bins: 4, low: "1970-01-01", high: "1970-02-01" }]]];
  const rest = { having: [["rows", ">", 0]], order: [["rows", "desc"]], limit: 5 };
  return keys.flatMap((own, at) => measures.map((asked, place) => parseQuery({ keys: own, measures: asked, ...((at + place) % 3 === 0 && place < 3 ? rest : {}) })));
}

interface Changed {
  readonly bytes: Uint8Array;
  readonly what: string;
}

function changeOne(random: Random, bytes: Uint8Array, answered: readonly Answered[]): Changed {
  switch (whole(random, 0, 5)) {
    case 0: return { what: "of another query", bytes: oneOf(random, oneOf(random, answered).partials).bytes };
    case 1: case 2: return changeBytes(random, bytes);
    default: return changeDescription(random, bytes);
  }
}

function changeBytes(random: Random, bytes: Uint8Array): Changed {
  const changed = bytes.slice();
  const places = Array.from({ length: whole(random, 1, 6) }, () => whole(random, chance(random, 0.8) ? headOf(bytes) : 0, bytes.length - 1));
  for (const place of places) changed[place] = oneOf(random, [0, 1, 0x7f, 0x80, 0xff, whole(random, 0, 255)]);
  return { what: `bytes ${places.join()} changed`, bytes: changed };
}

function headOf(bytes: Uint8Array): number {
  return 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

/** Puts another value in some place of the description, and leaves the arrays. */
function changeDescription(random: Random, bytes: Uint8Array): Changed {
  const head: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(4, headOf(bytes))));
  const places = placesIn(head);
  const changes = Array.from({ length: whole(random, 1, 2) }, () => {
    const place = oneOf(random, places);
    const value = otherValue(random, place.owner[place.key]);
    place.owner[place.key] = value;
    return `${place.path} is ${JSON.stringify(value)}`;
  });
  const own = new TextEncoder().encode(JSON.stringify(head));
  const arrays = bytes.subarray((headOf(bytes) + 7) & ~7);
  const start = (4 + own.length + 7) & ~7;
  const changed = new Uint8Array(start + arrays.length);
  new DataView(changed.buffer).setUint32(0, own.length, true);
  changed.set(own, 4);
  changed.set(arrays, start);
  return { what: changes.join(", "), bytes: changed };
}

interface Place {
  readonly owner: Record<string, unknown>;
  readonly key: string;
  readonly path: string;
}

function placesIn(value: unknown, path = ""): Place[] {
  if (typeof value !== "object" || value === null) return [];
  const owner = value as Record<string, unknown>;
  return Object.keys(owner).flatMap((key) => [{ owner, key, path: `${path}.${key}` }, ...placesIn(owner[key], `${path}.${key}`)]);
}

function otherValue(random: Random, value: unknown): unknown {
  const numbers = [0, -1, 1, 2, 3, 4, 8, 1.5, 255, 65_536, 2 ** 31, 2 ** 32, 2 ** 53, 1e300];
  if (typeof value === "number") return chance(random, 0.7) ? value + whole(random, -2, 2) : oneOf(random, [...numbers, null, "1"]);
  if (typeof value === "string") return chance(random, 0.7) ? oneOf(random, [...dtypes, "min", "sum", "count", "texts", "wholes", "numbers", ""]) : oneOf(random, [1, null, {}, []]);
  return oneOf(random, [null, true, false, 0, 1, "int64", [], {}, [1], ...numbers]);
}
