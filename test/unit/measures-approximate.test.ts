import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { seededRandom, type Random } from "../../lib/base/clock.js";
import { mergePartials } from "../../lib/engine/merge.js";
import { decodePartial, encodePartial } from "../../lib/engine/partial-bytes.js";
import { createRegistersWriter, denseWords } from "../../lib/engine/states/registers.js";
import { cutRows, openMeasuring, type Measuring } from "../support/measuring.js";
import type { PlainColumn } from "../support/write-table.js";

const distributionCount = 100;
const rowCount = 5_000;

/** Numbers of the most various shapes: even, normal, with long tails, in steps, of both signs, tiny and huge. */
function drawNumbers(shape: number, random: Random): number[] {
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const scale = 10 ** (Math.floor(random() * 40) - 20);
  const draw = [
    () => random() * scale, () => normal() * scale, () => Math.exp(3 * normal()) * scale, () => scale / (1 - random()) ** 2, () => Math.floor(random() * 50) - 25,
    () => (random() < 0.9 ? 0 : normal() * scale), () => -Math.exp(20 * normal()), () => (random() < 0.5 ? 1 : -1) * 2 ** (2_000 * random() - 1_000),
    () => 1e15 + Math.floor(random() * 1_000), () => (random() < 0.01 ? Infinity : 5e-324 * Math.floor(random() * 1_000)),
  ][shape % 10]!;
  return Array.from({ length: rowCount }, () => draw() + 0);
}

const distributions = Array.from({ length: distributionCount }, (_, shape) => drawNumbers(shape, seededRandom(shape + 1)));
const columns: PlainColumn[] = distributions.map((values, shape) => ({ name: `v${shape}`, dtype: "float64", values: values.map((value, row) => (row % 17 === 5 ? null : value)) }));
const present = columns.map(({ values }) => values.filter((value) => typeof value === "number"));

describe("approximate measures", () => {
  let measuring: Measuring;

  before(async () => { measuring = await openMeasuring(256 * 2 ** 20); });

  after(async () => { await measuring.close(); });

  it("approx_quantile is within its relative error of the value at its place, over 100 distributions", async () => {
    const shares = [0, 0.01, 0.5, 0.97, 1];
    for (const error of [undefined, 0.001, 0.2]) {
      const measures = columns.flatMap(({ name }) => shares.map((p) => [name, "approx_quantile", `${name} ${p}`, { p, ...(error === undefined ? {} : { error }) }]));
      const [row] = await measuring.ask(cutRows(seededRandom(1), columns, 3), { measures });
      present.forEach((values, shape) => {
        const sorted = Float64Array.from(values).sort();
        shares.forEach((p, at) => {
          const exact = sorted[Math.floor((sorted.length - 1) * p)]!;
          const found = row![shape * shares.length + at];
          if (Number.isFinite(exact)) expect(found, `distribution ${shape}, p ${p}`).to.be.closeTo(exact, Math.abs(exact) * (error ?? 0.01) * (1 + 1e-9));
          else expect(found, `distribution ${shape}, p ${p}`).to.equal(exact);
        });
      });
    }
  });

  it("approx_count_distinct is within 0.8 % of the number as a rule, and 4 % always, over 100 distributions", async () => {
    const [row] = await measuring.ask(cutRows(seededRandom(2), columns, 4), { measures: columns.map(({ name }) => [name, "approx_count_distinct", name]) });
    const errors = present.map((values, shape) => Number(row![shape]) / new Set(values).size - 1);
    expect(Math.max(...errors.map(Math.abs))).to.be.below(0.04);
    expect(Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length)).to.be.below(0.0081);
  });

  it("approx_count_distinct stays within its error from one value to a million", async () => {
    for (const count of [0, 1, 10, 4_000, 40_000, 1_000_000]) {
      const values = Array.from({ length: Math.max(count, 1) }, (_, row) => (count === 0 ? null : BigInt(row) * 1_000_003n));
      const [row] = await measuring.ask([[{ name: "v", dtype: "int64", values }]], { measures: [["v", "approx_count_distinct", "n"]] });
      expect(Number(row![0]), `${count} values`).to.be.closeTo(count, count * 0.025);
    }
  });

  it("equal values of several dtypes count once", async () => {
    const numbers = Array.from({ length: 500 }, (_, k) => k % 100);
    const whole = numbers.map(BigInt);
    const ask = async (shards: PlainColumn[]): Promise<unknown> => (await measuring.ask(shards.map((column) => [column]), { measures: [["v", "approx_count_distinct", "n"]] }))[0]![0];
    const once = await ask([{ name: "v", dtype: "int8", values: whole }]);
    expect(Number(once)).to.be.closeTo(100, 2);
    expect(await ask([{ name: "v", dtype: "int8", values: whole }, { name: "v", dtype: "int64", values: whole }, { name: "v", dtype: "uint64", values: whole }])).to.equal(once);
    expect(await ask([{ name: "v", dtype: "uint16", values: whole }, { name: "v", dtype: "float64", values: numbers }])).to.equal(once);
    const days = whole.map((day) => day * 86_400_000_000_000n);
    expect(await ask([{ name: "v", dtype: "timestamp", values: days }])).to.equal(await ask([{ name: "v", dtype: "date", values: whole }, { name: "v", dtype: "timestamp", values: days }]));
    const texts = numbers.map((number) => `text ${number}`);
    const byDictionary = await ask([{ name: "v", dtype: "string", values: texts }]);
    expect(Number(byDictionary)).to.be.closeTo(100, 2);
    expect(await ask([{ name: "v", dtype: "string", values: texts.slice(0, 250) }, { name: "v", dtype: "string", values: texts.toReversed() }])).to.equal(byDictionary);
  });

  it("take room for the registers that groups have, not for all that they could have", () => {
    const before = process.memoryUsage().arrayBuffers;
    const writer = createRegistersWriter(2_001, 2_001 * denseWords);
    for (let group = 0; group < 2_000; group++) writer.addCodes(Uint32Array.of((group << 6) | 1));
    expect(process.memoryUsage().arrayBuffers - before).to.be.below(2 ** 20);
    writer.addRanks(new Uint8Array(4 * denseWords).fill(1));
    const { offsets, words } = writer.finish();
    expect([words.length, offsets[2_000], offsets[2_001]]).to.deep.equal([2_000 + denseWords, 2_000, 2_000 + denseWords]);
  });

  it("of many groups, hashed or dense, count and order as of each alone", async () => {
    const random = seededRandom(9);
    const rows = Array.from({ length: 60_000 }, () => ({ key: BigInt(Math.floor(random() * 3_000)), value: Math.floor(random() ** 2 * 500) }));
    for (const spread of [1n, 10n ** 15n]) {
      const table: PlainColumn[] = [{ name: "k", dtype: "int64", values: rows.map(({ key }) => key * spread) }, { name: "v", dtype: "float64", values: rows.map(({ value }) => value) }];
      const answer = await measuring.ask(cutRows(random, table, 2), { keys: ["k"], measures: [["v", "approx_count_distinct", "n"], ["v", "approx_quantile", "q", { p: 0.5 }]] });
      const byKey = new Map<bigint, number[]>();
      for (const { key, value } of rows) byKey.set(key * spread, [...(byKey.get(key * spread) ?? []), value]);
      for (const [key, distinct, middle] of answer) {
        const values = Float64Array.from(byKey.get(key as bigint)!).sort();
        // So few values rarely share a register.
        expect(Number(distinct)).to.be.closeTo(new Set(values).size, 1);
        const exact = values[Math.floor((values.length - 1) / 2)]!;
        expect(Number(middle)).to.be.closeTo(exact, exact * 0.01);
      }
    }
  });

  it("are the same bytes whatever the order of merging", async () => {
    const random = seededRandom(4);
    const table: PlainColumn[] = [{ name: "k", dtype: "int64", values: distributions[1]!.map(() => BigInt(Math.floor(random() * 5))) }, ...columns.slice(0, 4)];
    const measures = columns.slice(0, 4).flatMap(({ name }) => [[name, "approx_count_distinct", `n ${name}`], [name, "approx_quantile", `q ${name}`, { p: 0.5 }]]);
    const partials = (await measuring.partialBytes(cutRows(random, table, 6), { keys: ["k"], measures })).map((bytes) => decodePartial(bytes));
    const merged = (order: readonly number[]): Buffer => Buffer.from(encodePartial(order.map((place) => partials[place]!).reduce((a, b) => mergePartials(a, b))));
    const [a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5].map((place) => partials[place]!);
    const inOrder = merged([0, 1, 2, 3, 4, 5]);
    expect(merged([5, 4, 3, 2, 1, 0]).equals(inOrder)).to.equal(true);
    expect(merged([2, 0, 5, 1, 4, 3]).equals(inOrder)).to.equal(true);
    expect(Buffer.from(encodePartial(mergePartials(mergePartials(mergePartials(e!, c!), mergePartials(a!, f!)), mergePartials(d!, b!)))).equals(inOrder)).to.equal(true);
  });
});
