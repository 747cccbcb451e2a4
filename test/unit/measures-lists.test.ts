import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { seededRandom, type Random } from "../../lib/base/clock.js";
import { dtypes, isTextDtype, wholeRange, type Dtype } from "../../lib/columns/dtypes.js";
import { failureOf } from "../support/failure.js";
import { compareStored, cutRows, openMeasuring, type Answer, type Measuring } from "../support/measuring.js";
import type { StoredValue } from "../support/read-table.js";

type Present = Exclude<StoredValue, null>;

const plain = [["v", "count_distinct", "distinct"], ["v", "mode", "mode"], ["v", "sorted_count_distinct", "runs"],
  ["v", "topk", "top", { k: 3 }], ["v", "topk", "top all", { k: 70 }], ["v", "topk", "frequent", { k: 2, by: "count" }]];
const ordered = [...plain, ["v", "median", "median"], ["v", "quantile", "low", { p: 0.1 }], ["v", "quantile", "most", { p: 1 }]];

function isOrdered(dtype: Dtype): boolean {
  return dtype !== "bool" && !isTextDtype(dtype);
}

/** Some values of a dtype, its extremes among them. */
function domainOf(dtype: Dtype, random: Random): Present[] {
  if (dtype === "bool") return [false, true];
  if (dtype === "string") return ["", "a", "aa", "é", "\u{10ffff}", ...Array.from({ length: 9 }, () => `t${Math.floor(random() * 99)}`)];
  if (dtype === "bytes") return [new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(0, 0), Uint8Array.of(0x7f), Uint8Array.of(0xff), Uint8Array.of(0xff, 0)];
  if (dtype === "float32") return [-Infinity, -0.5, 0, 2 ** -149, Math.fround(0.1), 3, Infinity, ...Array.from({ length: 9 }, () => Math.fround(random() - 0.5))];
  // Every other time decimals, which bags keep as codes; one that is none may lie between them.
  if (dtype === "float64" && random() < 0.5) return [-12.5, 0, 99.75, ...(random() < 0.5 ? [] : [1 / 3]), ...Array.from({ length: 9 }, () => Math.round(random() * 1e6) / 1e4)];
  if (dtype === "float64") return [-Infinity, -Number.MAX_VALUE, -Number.MIN_VALUE, 0, 0.1, Number.MAX_VALUE, ...Array.from({ length: 9 }, () => random() - 0.5)];
  const { least, greatest } = wholeRange(dtype);
  const near = Array.from({ length: 9 }, () => BigInt(Math.floor(random() * 100)));
  // Every other time without the ends, so that narrower forms are met as well.
  return random() < 0.5 ? near : [least, least + 1n, (least + greatest) / 2n, greatest - 1n, greatest, ...near];
}

interface Row {
  readonly key: bigint;
  readonly value: StoredValue;
}

function drawRows(dtype: Dtype, random: Random, count: number, keys: number): Row[] {
  const domain = domainOf(dtype, random);
  const share = [0, 0.2, 1][Math.floor(random() * 3)]!;
  let value: StoredValue = domain[0]!;
  return Array.from({ length: count }, () => {
    // Runs of equal values, or there would hardly be any.
    if (random() < 0.6) value = domain[Math.floor(random() * domain.length)]!;
    // One group keeps its values where most are null.
    const key = BigInt(Math.floor(random() * keys));
    return { key, value: random() < share && key !== 0n ? null : value };
  });
}

function idOf(value: StoredValue): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value);
}

/** Distinct values in ascending order with their counts. */
function tally(values: readonly Present[]): { value: Present; count: number }[] {
  const found = new Map<string, { value: Present; count: number }>();
  for (const value of values) {
    const entry = found.get(idOf(value));
    if (entry === undefined) found.set(idOf(value), { value, count: 1 });
    else entry.count += 1;
  }
  return [...found.values()].sort((a, b) => compareStored(a.value, b.value));
}

/** In how many runs of the rows a key is present. */
function runsOf(rows: readonly Row[], key: bigint | undefined): bigint {
  const present = rows.filter(({ value }) => value !== null);
  let runs = 0n;
  let isCounted = false;
  present.forEach((row, at) => {
    if (at === 0 || idOf(row.value) !== idOf(present[at - 1]!.value)) isCounted = false;
    if (isCounted || (key !== undefined && row.key !== key)) return;
    isCounted = true;
    runs += 1n;
  });
  return runs;
}

function quantile(dtype: Dtype, sorted: readonly Present[], numerator: bigint, denominator: bigint): StoredValue {
  if (sorted.length === 0) return null;
  const at = BigInt(sorted.length - 1) * numerator;
  const [place, rest] = [Number(at / denominator), at % denominator];
  const [low, high] = [sorted[place]!, sorted[rest === 0n ? place : place + 1]!];
  if (typeof low === "bigint" && typeof high === "bigint") {
    if (dtype === "timestamp" || dtype === "date") return low + ((high - low) * rest) / denominator;
    // The digits of the denominators here end.
    return Number(`${(10n ** 9n * (low * denominator + (high - low) * rest)) / denominator}e-9`);
  }
  const [x, y] = [Number(low), Number(high)];
  const share = Number(rest) / Number(denominator);
  const between = x === y ? x : Number.isFinite(y - x) ? x + (y - x) * share : x * (1 - share) + y * share;
  return Number.isNaN(between) ? null : between;
}

function expected(dtype: Dtype, rows: readonly Row[], key: bigint | undefined): Answer[] {
  const values = rows.filter((row) => key === undefined || row.key === key).flatMap(({ value }) => (value === null ? [] : [value]));
  const counted = tally(values);
  const frequent = counted.toSorted((a, b) => b.count - a.count).map(({ value }) => value);
  const ascending = values.toSorted(compareStored);
  const listOrNull = (list: Present[]): Answer => (list.length === 0 ? null : list);
  const row: Answer[] = [BigInt(counted.length), frequent[0] ?? null, runsOf(rows, key),
    listOrNull(ascending.toReversed().slice(0, 3)), listOrNull(ascending.toReversed().slice(0, 70)), listOrNull(frequent.slice(0, 2))];
  if (isOrdered(dtype)) row.push(quantile(dtype, ascending, 1n, 2n), quantile(dtype, ascending, 1n, 10n), quantile(dtype, ascending, 1n, 1n));
  return row;
}

/** Interpolating between numbers rounds; all else is exact. */
function expectClose(actual: Answer, wanted: Answer, where: string): void {
  if (typeof actual === "number" && typeof wanted === "number" && Number.isFinite(actual)) expect(actual, where).to.be.closeTo(wanted, Math.abs(wanted) * 1e-12 + 1e-300);
  else expect(actual, where).to.deep.equal(wanted);
}

describe("sets, bags and runs", () => {
  let measuring: Measuring;

  before(async () => { measuring = await openMeasuring(); });

  after(async () => { await measuring.close(); });

  async function check(dtype: Dtype, random: Random, rows: readonly Row[], shards: number, isGrouped: boolean): Promise<void> {
    const columns = [{ name: "k", dtype: "int64" as const, values: rows.map(({ key }) => key) }, { name: "v", dtype, values: rows.map(({ value }) => value) }];
    const answer = await measuring.ask(cutRows(random, columns, shards), { keys: isGrouped ? ["k"] : [], measures: isOrdered(dtype) ? ordered : plain });
    const keys = isGrouped ? [...new Set(rows.map(({ key }) => key))].sort((a, b) => Number(a - b)) : [undefined];
    expect(answer).to.have.length(keys.length);
    keys.forEach((key, at) => {
      const wanted = [...(key === undefined ? [] : [key]), ...expected(dtype, rows, key)];
      wanted.forEach((value, column) => expectClose(answer[at]![column]!, value, `${dtype}, key ${key}, column ${column}`));
    });
  }

  for (const [place, dtype] of dtypes.entries()) {
    it(`of ${dtype} are those of a plain reference, however the rows are cut`, async () => {
      const random = seededRandom(place + 1);
      for (let round = 0; round < 4; round++) await check(dtype, random, drawRows(dtype, random, Math.floor(random() * 400), 4), 1 + Math.floor(random() * 5), round % 2 === 0);
      // Of no rows at all, and of many keys far apart, which are hashed.
      await check(dtype, random, [], 2, false);
      await check(dtype, random, [], 2, true);
      const rows = drawRows(dtype, random, 600, 200).map(({ key, value }) => ({ key: key * 10n ** 15n, value }));
      await check(dtype, random, rows, 3, true);
    });
  }

  it("of texts without a dictionary are those of texts with one", async () => {
    const random = seededRandom(77);
    // Longer together than a dictionary may be.
    const texts = Array.from({ length: 70 }, (_, k) => String.fromCharCode(33 + k).repeat(1_000_000));
    const rows = [...texts, ...texts.slice(0, 20)].map((value) => ({ key: BigInt(Math.floor(random() * 3)), value }));
    const large = await openMeasuring(1_500 * 2 ** 20);
    try {
      const columns = [{ name: "k", dtype: "int64" as const, values: rows.map(({ key }) => key) }, { name: "v", dtype: "string" as const, values: rows.map(({ value }) => value) }];
      const answer = await large.ask([columns], { keys: ["k"], measures: plain.filter((measure) => measure[2] !== "top all") });
      const wanted = [0n, 1n, 2n].map((key) => [key, ...expected("string", rows, key).filter((_, column) => column !== 4)]);
      const shorten = (value: Answer): Answer => (typeof value === "string" ? value.slice(0, 12) : Array.isArray(value) ? value.map((text) => String(text).slice(0, 12)) : value);
      expect(answer.map((row) => row.map(shorten))).to.deep.equal(wanted.map((row) => row.map(shorten)));
    } finally {
      await large.close();
    }
  });

  it("find the same quantiles of decimals, of other decimals beside them, and from where on a value is none", async () => {
    const shards = [
      Array.from({ length: 300 }, (_, row) => (row * 7 % 300) / 100), Array.from({ length: 300 }, (_, row) => row % 40),
      Array.from({ length: 70_000 }, (_, row) => (row === 66_000 ? 1 / 3 : ((row * 7_919) % 70_000) / 1_000)),
    ];
    for (const chosen of [[0], [1], [2], [0, 1], [0, 0], [1, 2], [0, 1, 2]]) {
      for (const keys of [[], ["k"]]) {
        const parts = chosen.map((place) => shards[place]!);
        const answer = await measuring.ask(
          parts.map((values) => [{ name: "k", dtype: "int64", values: values.map((_, row) => BigInt(row % 3)) }, { name: "v", dtype: "float64", values }]),
          { keys, measures: [["v", "quantile", "q", { p: 0.25 }], ["v", "quantile", "last", { p: 1 }]] },
        );
        const wanted = (keys.length === 0 ? [undefined] : [0, 1, 2]).map((key) => {
          const sorted = parts.flatMap((values) => values.filter((_, row) => key === undefined || row % 3 === key)).sort((a, b) => a - b);
          return [...(key === undefined ? [] : [BigInt(key)]), quantile("float64", sorted, 1n, 4n), sorted.at(-1)];
        });
        expect(answer, `${chosen.join()} by ${keys.join()}`).to.deep.equal(wanted);
      }
    }
  });

  it("find the quantiles of large whole numbers exactly, and round them once", async () => {
    const { least, greatest } = wholeRange("int64");
    for (const [dtype, values, p, wanted] of [
      ["uint64", [5n, 2n ** 53n + 1n], 0.5, 4_503_599_627_370_499],
      ["int64", [least, greatest], 0.5, -0.5],
      ["int64", [least, greatest, 3n], 0.5, 3],
      ["int64", [least, least + 3n], 0.5, Number(least)],
      ["int64", [-(2n ** 53n), 2n ** 53n - 1n, -(2n ** 53n)], 0.75, -0.5],
      ["uint64", [0n, 2n ** 64n - 1n], 0.1, Number("1844674407370955161.5")],
      ["int64", [0n, 2n ** 60n], 1e-320, 2 ** 60 * 1e-300 * 1e-20],
      ["int64", [0n, -(2n ** 60n), 0n], 0.25, -(2 ** 59)],
    ] as const) {
      const answer = await measuring.ask([[{ name: "v", dtype, values: values.slice(0, 1) }], [{ name: "v", dtype, values: values.slice(1) }]], { measures: [["v", "quantile", "q", { p }]] });
      expect(answer, `${dtype} ${values.join()} ${p}`).to.deep.equal([[wanted]]);
    }
  });

  it("of more pairs than there are cells go on in a hash table", async () => {
    const random = seededRandom(5);
    const rows = Array.from({ length: 70_000 }, (_, at) => ({ key: BigInt(at % 20_011) * 10n ** 12n, value: BigInt(Math.floor(random() * 200)) }));
    const columns = [{ name: "k", dtype: "int64" as const, values: rows.map(({ key }) => key) }, { name: "v", dtype: "uint8" as const, values: rows.map(({ value }) => value) }];
    const answer = await measuring.ask([columns], { keys: ["k"], measures: [["v", "count_distinct", "d"], ["v", "mode", "m"]] });
    const byKey = new Map<bigint, bigint[]>();
    for (const { key, value } of rows) byKey.set(key, [...(byKey.get(key) ?? []), value]);
    const wanted = [...byKey].sort(([a], [b]) => Number(a - b)).map(([key, values]) => {
      const counted = tally(values);
      return [key, BigInt(counted.length), counted.toSorted((a, b) => b.count - a.count)[0]!.value];
    });
    expect(answer).to.deep.equal(wanted);
  });

  it("over the memory of a query are MEMORY_LIMIT naming the measure", async () => {
    const small = await openMeasuring(4 * 2 ** 20);
    try {
      // Thirds are no decimals, which take fewer bytes.
      const values = Array.from({ length: 400_000 }, (_, row) => row / 3);
      for (const [op, named, params] of [["median", "median or quantile", {}], ["count_distinct", "count_distinct", {}], ["topk", "topk", { k: 10_000 }]] as const) {
        const keys = op === "topk" ? ["k"] : [];
        const columns = [{ name: "k", dtype: "int64" as const, values: values.map((_, row) => BigInt(row)) }, { name: "v", dtype: "float64" as const, values }];
        const failure = await failureOf(() => small.ask([columns], { keys, measures: [["v", op, "m", params]] }));
        expect(failure, op).to.have.property("code", "MEMORY_LIMIT");
        if (op !== "topk") expect(failure.message).to.include(`the values kept for ${named} of 'v' do not fit`);
      }
    } finally {
      await small.close();
    }
  });

  it("of dtypes in which they mean nothing are DTYPE_MISMATCH", async () => {
    for (const [dtype, op] of [["string", "median"], ["bool", "quantile"], ["bytes", "approx_quantile"], ["timestamp", "approx_quantile"]] as const) {
      const failure = await failureOf(() => measuring.ask([[{ name: "v", dtype, values: [null] }]], { measures: [["v", op, "m", op === "median" ? {} : { p: 0.5 }]] }));
      expect(failure, op).to.have.property("code", "DTYPE_MISMATCH");
    }
  });
});
