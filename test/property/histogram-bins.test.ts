import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed, seededRandom, type Random } from "../../lib/base/clock.js";
import { axisEdges, type AxisEdges } from "../../lib/engine/states/histogram-axis.js";
import { oneOf, whole } from "../support/random/draw.js";
import { openArena } from "../unit/kernels-arena.js";

const seed = freshSeed();
const axes = 600;

/** An axis from anywhere to anywhere, as often as not one with edges that are round numbers. */
function drawAxis(random: Random): { bins: number; low: number; high: number } {
  const bins = oneOf(random, [1, 2, 3, 7, 10, 100, 1_000, whole(random, 1, 5_000)]);
  const scale = oneOf(random, [1, 1, 0.1, 1e-7, 1e9, 1e150, 2 ** -300, 1e-307, 1e-320]);
  const low = oneOf(random, [0, -1, whole(random, -100, 100), random() * 1e6, -random()]) * scale;
  const span = oneOf(random, [bins, 1, bins * 0.1, 1e-6, 1e-12, random() * 1e3 + 1e-3]) * scale;
  return { bins, low, high: low + span };
}

/** Edges, their neighbours among floats, what lies between edges and beyond them. */
function drawValues(random: Random, edges: Float64Array, rows: number): Float64Array {
  const all = [...edges];
  const [low, high] = [all[0]!, all.at(-1)!];
  // Every kind by itself fills whole blocks, and all together mix in them.
  const kind = whole(random, 0, 4);
  const draws = [
    () => oneOf(random, all),
    () => beside(oneOf(random, all), whole(random, -2, 2)),
    () => low + random() * (high - low),
    () => low + (random() * 3 - 1) * (high - low),
    () => oneOf(random, [-Infinity, Infinity, -Number.MAX_VALUE, Number.MAX_VALUE, 0, low, high]),
  ];
  return Float64Array.from({ length: rows }, (_, row) => draws[random() < 0.9 || row % 2 === 0 ? kind : whole(random, 0, 4)]!());
}

/** The float so many steps from a number. */
function beside(value: number, steps: number): number {
  const words = new BigInt64Array(1);
  const floats = new Float64Array(words.buffer);
  floats[0] = value;
  // Zero has a neighbour of either sign.
  if (value === 0) return steps * Number.MIN_VALUE;
  words[0] = words[0]! + BigInt(steps);
  return Number.isFinite(floats[0]) ? floats[0] : value;
}

/** Where the edges say that a value is, searched for by halves: the last bin at or below it. */
function binOf(value: number, edges: Float64Array): number {
  const bins = edges.length - 1;
  if (value < edges[0]!) return bins;
  if (value > edges[bins]!) return bins + 1;
  let [bin, end] = [0, bins];
  while (end - bin > 1) {
    const middle = (bin + end) >> 1;
    if (edges[middle]! <= value) bin = middle;
    else end = middle;
  }
  return bin;
}

/** The bins of values, and how many are in each where edges are even, as the kernels find them. */
function findBins(values: Float64Array, { compared, inverse, isEven }: AxisEdges): { found: Uint32Array; counts: BigInt64Array } {
  const { length: n } = values;
  const bins = compared.length - 1;
  const arena = openArena("low");
  const [at, edges, target] = [arena.put(values), arena.put(compared), arena.reserve(n * 4)];
  const [tallies, counts] = [arena.put(new Uint32Array(4 * (bins + 2))), arena.put(new BigInt64Array(bins + 2))];
  arena.kernels.histogramBinsF64(at, n, edges, bins, inverse, isEven ? 1 : 0, target);
  if (isEven) arena.kernels.histogramAddF64(at, n, edges, bins, inverse, tallies, counts);
  else arena.kernels.histogramAdd(target, n, counts);
  arena.check();
  expect(arena.read(Uint32Array, tallies, 4 * (bins + 2)).some((tally) => tally !== 0)).to.equal(false);
  return { found: arena.read(Uint32Array, target, n), counts: arena.read(BigInt64Array, counts, bins + 2) };
}

describe(`bins of a histogram (seed ${seed})`, function bins() {
  this.timeout(60_000);

  it("are those that their edges say, of values on edges, beside them, between and outside", () => {
    const random = seededRandom(seed);
    let even = 0;
    for (let drawn = 0; drawn < axes; drawn++) {
      const spec = drawAxis(random);
      if (!(spec.high > spec.low)) continue;
      const axis = axisEdges(spec, "float64");
      const { compared, isEven } = axis;
      if (!(compared instanceof Float64Array)) throw new Error("floats are compared with floats");
      even += Number(isEven);
      const values = drawValues(random, compared, oneOf(random, [1, 3, 4, 255, 256, 259, 1_500, 4_099]));
      const { found, counts } = findBins(values, axis);
      const wanted = Uint32Array.from(values, (value) => binOf(value, compared));
      const wrong = wanted.findIndex((bin, row) => bin !== found[row]);
      expect(wrong, `${JSON.stringify(spec)}: ${values[wrong]} is in bin ${wanted[wrong]}, not ${found[wrong]}`).to.equal(-1);
      const counted = new BigInt64Array(spec.bins + 2);
      for (const bin of wanted) counted[bin]! += 1n;
      expect(counts, JSON.stringify(spec)).to.deep.equal(counted);
    }
    expect(even).to.be.above(axes / 3);
  });

  it("are right however near to each other the ends are", () => {
    for (const high of [1e-300, 1e-307, 1e-320]) {
      const axis = axisEdges({ bins: 100, low: 0, high }, "float64");
      const { found } = findBins(Float64Array.of(0, high * 0.305, high * 0.895, high), axis);
      expect([...found], String(high)).to.deep.equal([0, high * 0.305, high * 0.895, high].map((value) => binOf(value, axis.compared as Float64Array)));
    }
  });
});
