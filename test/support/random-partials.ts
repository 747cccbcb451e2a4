/** Random partials of one query: groups of a few keys in order, with states of every kind that adds up. */
import { seededRandom } from "../../lib/base/clock.js";
import type { Partial, PartialKey } from "../../lib/engine/partial.js";
import type { StateColumn } from "../../lib/engine/states/kinds.js";
import { limbsOf } from "../../lib/engine/states/whole-sums.js";
import { pick, type Values } from "../../lib/engine/values.js";

type Random = () => number;

/** A column that keys and values are drawn from: its distinct values in ascending order. */
interface Column {
  readonly domain: Values;
  readonly count: number;
  /** The dictionary of the domain, whose ranks its places are. */
  readonly dictionary: string | null;
}

const columnMakers: readonly ((count: number) => Column)[] = [
  (count) => ({ count, dictionary: null, domain: { dtype: "int32", array: BigInt64Array.from({ length: count }, (_, k) => BigInt(k * 3 - 20)) } }),
  // Too far apart for float64.
  (count) => ({ count, dictionary: null, domain: { dtype: "int64", array: BigInt64Array.from({ length: count }, (_, k) => -(2n ** 63n) + BigInt(k) * 2n ** 58n + 1n) } }),
  (count) => ({ count, dictionary: null, domain: { dtype: "float64", array: Float64Array.from({ length: count }, (_, k) => [-Infinity, -1.5, 0, 1e-300][k] ?? k * 0.7) } }),
  () => ({ count: 2, dictionary: null, domain: { dtype: "bool", array: Uint8Array.of(0, 1) } }),
  (count) => ({ count, dictionary: null, domain: texts("string", count) }),
  (count) => ({ count, dictionary: "names", domain: texts("bytes", count) }),
];

/** Ascending texts, some of which are long and some prefixes of others. */
function texts(dtype: "string" | "bytes", count: number): Values {
  const all = Array.from({ length: count }, (_, k) => (k === 0 ? "" : `${"k".repeat(1 + (k % 3 === 0 ? 90 : 1))}${k}`)).sort((a, b) => (a < b ? -1 : 1));
  const offsets = new Uint32Array(count + 1);
  all.forEach((text, k) => { offsets[k + 1] = offsets[k]! + text.length; });
  return { dtype, offsets, bytes: new TextEncoder().encode(all.join("")) };
}

/** So many partials of one query of `keyCount` keys, whose dtypes, nulls and sizes the seed says. */
export function randomPartials(seed: number, count: number, keyCount: number): Partial[] {
  const random = seededRandom(seed);
  const draw = (most: number): number => Math.floor(random() * most);
  const columns = Array.from({ length: keyCount }, () => columnMakers[draw(columnMakers.length)]!(1 + draw(30)));
  const valueMakers = draw(2) === 0 ? columnMakers : columnMakers.slice(0, 3);
  const values = Array.from({ length: 4 }, () => valueMakers[draw(valueMakers.length)]!(1 + draw(12)));
  const share = [0, 0.05, 0.5, 1][draw(4)]!;
  const huge = draw(3) === 0;
  return Array.from({ length: count }, () => makePartial(random, columns, values, { share: draw(8) === 0 ? 0 : share, huge, isNullable: draw(2) === 0 }));
}

function makePartial(random: Random, columns: readonly Column[], values: readonly Column[], { share, huge, isNullable }: { share: number; huge: boolean; isNullable: boolean }): Partial {
  const tuples = allTuples(columns.map(({ count }) => count + 1)).filter(() => random() >= share);
  const groups = columns.length === 0 ? Number(share < 1) : tuples.length;
  const keys = columns.map((column, place) => makeKey(column, tuples.map((tuple) => tuple[place]!), columns.length === 1));
  const rows = Float64Array.from({ length: groups }, () => 1 + Math.floor(random() * 1e6));
  return { groups, keys, rows, states: makeStates(random, groups, values, { huge, isNullable }) };
}

/** Every combination of codes in order, of which a long list is thinned. */
function allTuples(counts: readonly number[]): number[][] {
  return counts.reduce<number[][]>((tuples, count) => tuples.flatMap((tuple) => Array.from({ length: count }, (_, code) => [...tuple, code])).filter((_, k, all) => all.length < 400 || k % 7 === 0), [[]]);
}

/** A key of the codes that occur; codes behind the last value are null. */
function makeKey({ domain, count, dictionary }: Column, codes: readonly number[], isOnly: boolean): PartialKey {
  const used = [...new Set(codes)].filter((code) => code < count).sort((a, b) => a - b);
  const places = new Map(used.map((code, place) => [code, place]));
  return {
    dtype: domain.dtype, domain: pick(domain, domain, Int32Array.from(used)),
    codes: isOnly ? null : Uint32Array.from(codes, (code) => places.get(code) ?? used.length),
    source: dictionary === null ? null : { dictionary, ranks: Uint32Array.from(used) },
  };
}

function makeStates(random: Random, groups: number, values: readonly Column[], { huge, isNullable }: { huge: boolean; isNullable: boolean }): StateColumn[] {
  const floats = (value: () => number): Float64Array => Float64Array.from({ length: groups }, value);
  const counts = (): Float64Array => floats(() => Math.floor(random() * 4));
  const number = (): number => (random() - 0.5) * 10 ** Math.floor(random() * 18);
  // Infinities of both signs would give NaN, of which there are many.
  const special = (): number => [0, Infinity, 1e308][Math.floor(random() * 40)] ?? number();
  const whole = (): bigint => BigInt(Math.floor(random() * 2 ** 53)) - 2n ** 52n;
  const sums = huge && random() < 0.5 ? limbs(groups, () => whole() << 40n) : floats(() => Math.floor((random() - 0.5) * 1e6));
  const kinds = ["min", "max", "first", "last"] as const;
  return [
    { kind: "count", counts: isNullable ? counts() : null },
    { kind: "sum", dtype: "int64", sums },
    { kind: "sum", dtype: "int64", sums: floats(() => (huge ? Number(whole()) : Math.floor(random() * 1000))) },
    {
      kind: "sum", dtype: "float64",
      decimals: [0, 2, 6].filter(() => random() < 0.5).map((places) => ({ places, sums: huge && random() < 0.5 ? limbs(groups, () => whole() << 40n) : floats(() => Math.floor(random() * 1e9)) })),
      pairs: random() < 0.3 ? null : Float64Array.from({ length: 2 * groups }, (_, at) => (at % 2 === 0 ? special() : random() * 1e-9)),
    },
    ...values.map(({ domain, count }, place): StateColumn => ({
      kind: kinds[place]!, seen: Uint8Array.from({ length: groups }, () => (isNullable ? Math.floor(random() * 2) : 1)),
      values: pick(domain, domain, Int32Array.from({ length: groups }, () => Math.floor(random() * count))),
    })),
    momentsOf(counts(), number),
    comomentsOf(counts(), number),
  ];
}

function limbs(groups: number, value: () => bigint): Uint32Array {
  return Uint32Array.from(Array.from({ length: groups }, () => [...limbsOf(value())]).flat());
}

function momentsOf(counts: Float64Array, number: () => number): Extract<StateColumn, { kind: "moments" }> {
  const own = (value: () => number): Float64Array => counts.map((count) => (count === 0 ? 0 : value()));
  return { kind: "moments", counts, means: own(number), squares: own(() => Math.abs(number())) };
}

function comomentsOf(counts: Float64Array, number: () => number): Extract<StateColumn, { kind: "comoments" }> {
  const own = (value: () => number): Float64Array => counts.map((count) => (count === 0 ? 0 : value()));
  return { kind: "comoments", counts, meansX: own(number), meansY: own(number), squaresX: own(() => Math.abs(number())), squaresY: own(() => Math.abs(number())), products: own(number) };
}
