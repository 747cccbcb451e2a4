import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import type { Random } from "../../lib/base/clock.js";
import { powersOfTen } from "../../lib/formats/csv/powers.js";
import { kindsOf } from "../../lib/formats/values/infer.js";
import { parseDate, parseTimestamp } from "../../lib/columns/moments.js";
import { anyInt64, below, openArena, places } from "./kernels-arena.js";
import type { Arena } from "./kernels-arena.js";

/** Fields one after another in a block, and where they are, as csvRows would say. */
interface Column {
  readonly arena: Arena;
  readonly texts: readonly string[];
  readonly block: number;
  readonly fields: number;
  readonly values: number;
  readonly nulls: number;
  readonly misfits: number;
  readonly hard: number;
  readonly state: number;
  readonly powers: number;
}

function putColumn(arena: Arena, texts: readonly string[]): Column {
  const bytes = texts.map((text) => Buffer.from(text));
  const places = new Uint32Array(texts.length * 2);
  let end = 16;
  bytes.forEach((text, row) => {
    // Between fields is what may stand there: delimiters, quotes, line ends.
    places.set([end, end + text.length], row * 2);
    end += text.length + 1;
  });
  const content = Buffer.alloc(end + 32, ",");
  bytes.forEach((text, row) => { text.copy(content, places[row * 2]); });
  const n = texts.length;
  return {
    arena, texts, block: arena.put(content), fields: arena.put(places), values: arena.reserve(n * 8), nulls: arena.reserve(Math.ceil(n / 8)),
    misfits: arena.reserve(n * 4), hard: arena.reserve(n * 4), state: arena.reserve(16), powers: arena.put(powersOfTen),
  };
}

function counts({ arena, state }: Column): { misfits: number; hard: number; nulls: number } {
  const [misfits, hard, nulls] = arena.read(Uint32Array, state, 3);
  return { misfits: misfits!, hard: hard!, nulls: nulls! };
}

/** The rows in a list that the column reader wrote. */
function rowsAt({ arena }: Column, list: number, count: number): Set<number> {
  return new Set(arena.read(Uint32Array, list, count));
}

function eachPlace(texts: readonly string[], body: (column: Column) => void): void {
  for (const place of places) {
    const arena = openArena(place);
    body(putColumn(arena, texts));
    arena.check();
  }
}

const digits = (random: Random, count: number): string => Array.from({ length: count }, () => below(random, 10)).join("");

/** Texts near everything that is a number, a date or a word. */
function anyField(random: Random): string {
  const makers: readonly (() => string)[] = [
    () => String(anyInt64(random)), () => digits(random, 1 + below(random, 22)), () => `-${digits(random, 1 + below(random, 20))}`,
    () => `${digits(random, below(random, 10))}.${digits(random, below(random, 12))}`, () => `${digits(random, 1 + below(random, 25))}e${below(random, 700) - 350}`,
    () => String((random() - 0.5) * 10 ** below(random, 40)), () => String(18446744073709551600n + BigInt(below(random, 40))), () => String(9223372036854775790n + BigInt(below(random, 40))),
    () => `20${digits(random, 2)}-0${below(random, 10)}-${below(random, 4)}${below(random, 10)}`,
    () => `19${digits(random, 2)}-1${below(random, 3)}-1${below(random, 10)}${pick(random, ["T", " ", "t", "_"])}${below(random, 3)}${below(random, 10)}:${below(random, 7)}0${pick(random, ["", ":", ":1", ":12", ":59", `:12.${digits(random, below(random, 11))}`])}${pick(random, ["", "Z", "z", " Z", " UTC", "UTC", "+01", "-0130", "+23:59", "+24:00", "+1", "-01:6", " +00:00", "x"])}`,
    () => pick(random, ["true", "false", "True", "FALSE", "tRue", "falsE", "FALSe", "nan", "-NaN", "inf", "-Infinity", "INFINITY", "infinit", "nano", "+inf", "-", ".", "e1", "1e", "1e-", "--1", "1.2.3", "-.5", "5.", "1677-09-21 00:12:43.145224191", "2262-04-11 23:47:16.854775808", "2262-04-12", "0000-01-01", "x", "", "1 2"]),
  ];
  const text = pick(random, makers)();
  const changed = below(random, 20) === 0 && text !== "" ? replaceAt(text, below(random, text.length), pick(random, [..."0-+.eE: T,\"aé"])) : text;
  return below(random, 10) === 0 ? `${pick(random, [" ", "\t", "  "])}${changed}${pick(random, ["", " "])}` : changed;
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[below(random, list.length)]!;
}

function replaceAt(text: string, place: number, by: string): string {
  return text.slice(0, place) + by + text.slice(place + 1);
}

/** What is left of a value without blanks around it. */
const bare = (text: string): string => text.replace(/^[ \t]+|[ \t]+$/g, "");

const fields = ((random) => Array.from({ length: 20_000 }, () => anyField(random)))(seededRandom(7));

describe("csv kernels: values", function () {
  this.timeout(60_000);

  it("csvKinds finds the kinds that the rules for texts give", () => {
    const arena = openArena("low");
    const column = putColumn(arena, fields);
    for (const [row, text] of fields.entries()) {
      const found = arena.kernels.csvKinds(column.block, column.fields + row * 8, 1, column.powers, column.hard, column.state);
      const expected = text === "" ? 0 : kindsOf(text);
      // Left to the caller: a number that may be too large for a float64.
      if (counts(column).hard === 1) expect(Number.isNaN(Number(text)), text).to.equal(false);
      else expect(found, JSON.stringify(text)).to.equal(expected);
    }
    arena.check();
  });

  it("csvInts and csvUint64s read whole numbers exactly and list what is none", () => {
    eachPlace(fields, (column) => {
      const { arena, texts, block, values, nulls, misfits, state } = column;
      arena.kernels.csvInts(block, column.fields, texts.length, 0, -(2n ** 63n), 2n ** 63n - 1n, values, nulls, misfits, state);
      const ints = arena.read(BigInt64Array, values, texts.length), noInts = rowsAt(column, misfits, counts(column).misfits);
      arena.kernels.csvUint64s(block, column.fields, texts.length, 0, values, nulls, misfits, state);
      const uints = arena.read(BigUint64Array, values, texts.length), noUints = rowsAt(column, misfits, counts(column).misfits);
      texts.forEach((text, row) => {
        if (text === "") return;
        const value = /^-?(0|[1-9]\d*)$/.test(bare(text)) ? BigInt(bare(text)) : undefined;
        const isInt = value !== undefined && value >= -(2n ** 63n) && value < 2n ** 63n, isUint = value !== undefined && value >= 0n && value < 2n ** 64n;
        expect([!noInts.has(row), !noUints.has(row)], text).to.deep.equal([isInt, isUint]);
        if (isInt) expect(ints[row], text).to.equal(value);
        if (isUint) expect(uints[row], text).to.equal(value);
      });
    });
  });

  it("csvInts keeps to its range, and takes leading zeros and a plus sign where the dtype was given", () => {
    eachPlace(["-128", "127", "128", "-129", "007", "+5", "+-5", "-007", "+", "000000000000000000000000000000012"], (column) => {
      const { arena, texts, block, values, nulls, misfits, state } = column;
      arena.kernels.csvInts(block, column.fields, texts.length, 0, -128n, 127n, values, nulls, misfits, state);
      expect([...rowsAt(column, misfits, counts(column).misfits)]).to.deep.equal([2, 3, 4, 5, 6, 7, 8, 9]);
      arena.kernels.csvInts(block, column.fields, texts.length, 1, -128n, 127n, values, nulls, misfits, state);
      expect([...rowsAt(column, misfits, counts(column).misfits)]).to.deep.equal([2, 3, 6, 8]);
      expect([...arena.read(BigInt64Array, values, 10)].filter((_, row) => ![2, 3, 6, 8].includes(row))).to.deep.equal([-128n, 127n, 7n, 5n, -7n, 12n]);
    });
  });

  it("csvFloats gives the float64 that JavaScript gives, or leaves the number to the caller", () => {
    const random = seededRandom(11);
    const numbers = Array.from({ length: 30_000 }, () => pick(random, [
      () => String(random()), () => String((random() - 0.5) * 10 ** (below(random, 600) - 300)), () => (random() * 10 ** below(random, 9)).toFixed(below(random, 9)),
      () => `${digits(random, 1 + below(random, 18)).replace(/^0+/, "") || "1"}.${digits(random, 1 + below(random, 18))}e${below(random, 640) - 330}`,
      // Close to half way between two.
      () => `${9007199254740993n + 2n * BigInt(below(random, 1e6))}.${pick(random, ["0", "00000001", "5"])}`, () => `${(2n ** 53n + 1n) * 2n ** BigInt(below(random, 10))}e0`,
    ])());
    eachPlace([...numbers, ...fields], (column) => {
      const { arena, texts, block, powers, values, nulls, misfits, hard, state } = column;
      arena.kernels.csvFloats(block, column.fields, texts.length, 0, powers, values, nulls, misfits, hard, state);
      const found = arena.read(Float64Array, values, texts.length), noFloats = rowsAt(column, misfits, counts(column).misfits), hardRows = rowsAt(column, hard, counts(column).hard);
      texts.forEach((text, row) => {
        const kind = kindsOf(text);
        const isFloat = (kind & (32 | 64 | 2048)) !== 0 || ((kind & 14) !== 0 && (kind & 16) === 0);
        if (text === "" || hardRows.has(row)) return;
        expect(!noFloats.has(row), text).to.equal(isFloat);
        if (!isFloat || kind === 64) return;
        if (found[row] !== Number(bare(text)) || Object.is(found[row], -0)) expect.fail(`${text} became ${found[row]}`);
      });
    });
  });

  it("csvFloats leaves hardly any number of 17 digits to the caller, whatever its exponent", () => {
    const random = seededRandom(12);
    const numbers = Array.from({ length: 20_000 }, () => ((random() - 0.5) * 10 ** (below(random, 600) - 300)).toExponential());
    eachPlace(numbers, (column) => {
      const { arena, texts, block, powers, values, nulls, misfits, hard, state } = column;
      arena.kernels.csvFloats(block, column.fields, texts.length, 0, powers, values, nulls, misfits, hard, state);
      expect(counts(column).hard).to.be.lessThan(20);
      expect(counts(column).misfits).to.equal(0);
      const hardRows = rowsAt(column, hard, counts(column).hard);
      arena.read(Float64Array, values, texts.length).forEach((value, row) => { if (!hardRows.has(row) && value !== Number(texts[row])) expect.fail(`${texts[row]} became ${value}`); });
    });
  });

  it("csvDates and csvTimestamps read what the rules for texts read", () => {
    eachPlace(fields, (column) => {
      const { arena, texts, block, values, nulls, misfits, state } = column;
      arena.kernels.csvDates(block, column.fields, texts.length, values, nulls, misfits, state);
      const days = arena.read(Int32Array, values, texts.length), noDates = rowsAt(column, misfits, counts(column).misfits);
      arena.kernels.csvTimestamps(block, column.fields, texts.length, values, nulls, misfits, state);
      const moments = arena.read(BigInt64Array, values, texts.length), noMoments = rowsAt(column, misfits, counts(column).misfits);
      texts.forEach((text, row) => {
        if (text === "") return;
        expect(noDates.has(row) ? undefined : days[row], text).to.equal(parseDate(bare(text), "strict"));
        expect(noMoments.has(row) ? undefined : moments[row], text).to.equal(parseTimestamp(bare(text), "strict"));
      });
    });
  });

  it("csvDates counts every day of 800 years", () => {
    const texts = Array.from({ length: 292_194 }, (_, day) => new Date((day - 140_000) * 86_400_000).toISOString().slice(0, 10));
    const arena = openArena("low");
    const column = putColumn(arena, texts);
    arena.kernels.csvDates(column.block, column.fields, texts.length, column.values, column.nulls, column.misfits, column.state);
    expect(counts(column).misfits).to.equal(0);
    expect(arena.read(Int32Array, column.values, texts.length).every((day, row) => day === row - 140_000)).to.equal(true);
  });

  it("csvBools reads three spellings, and digits where the dtype was given", () => {
    eachPlace(["true", "True", "TRUE", "false", "False", "FALSE", "tRUE", "0", "1", "2", "truee", "", " true "], (column) => {
      const { arena, texts, block, values, nulls, misfits, state } = column;
      arena.kernels.csvBools(block, column.fields, texts.length, 0, values, nulls, misfits, state);
      expect([...arena.read(Uint8Array, values, 6)]).to.deep.equal([1, 1, 1, 0, 0, 0]);
      expect([...rowsAt(column, misfits, counts(column).misfits)]).to.deep.equal([6, 7, 8, 9, 10]);
      expect(counts(column).nulls).to.equal(1);
      expect([...arena.read(Uint8Array, nulls, 2)]).to.deep.equal([0, 8]);
      arena.kernels.csvBools(block, column.fields, texts.length, 1, values, nulls, misfits, state);
      expect([...rowsAt(column, misfits, counts(column).misfits)]).to.deep.equal([6, 9, 10]);
    });
  });
});

describe("csv kernels: texts", () => {
  const doubled = 1 << 30, quoted = 1 << 31;

  it("csvTexts and csvIntern give the texts of the fields, doubled quotes as one", () => {
    const random = seededRandom(3);
    const texts = Array.from({ length: 3_000 }, () => pick(random, ["", "a", "bb", "c".repeat(16), "d".repeat(17), "e".repeat(100), 'x""y""', '""', `n${below(random, 50)}`]));
    const expected = texts.map((text) => text.replaceAll('""', '"'));
    eachPlace(texts, (column) => {
      const { arena, block, state } = column;
      const words = arena.read(Uint32Array, column.fields, texts.length * 2);
      texts.forEach((text, row) => { if (text.includes('"')) words[row * 2 + 1]! |= doubled | quoted; });
      new Uint32Array(arena.kernels.memory.buffer, column.fields, words.length).set(words);
      const total = texts.reduce((sum, text) => sum + text.length, 0);
      const [offsets, bytes, codes] = [arena.reserve((texts.length + 1) * 4), arena.reserve(total + 16), arena.reserve(texts.length * 4)];
      const table = arena.reserve(4_096 * 16, 0);
      expect(arena.kernels.csvTexts(block, column.fields, texts.length, offsets, bytes)).to.equal(Buffer.byteLength(expected.join("")));
      const ends = arena.read(Uint32Array, offsets, texts.length + 1);
      const plain = Buffer.from(arena.read(Uint8Array, bytes, total));
      expect(texts.map((_, row) => plain.toString("utf8", ends[row], ends[row + 1]))).to.deep.equal(expected);

      new Uint32Array(arena.kernels.memory.buffer, state, 1)[0] = 0;
      const stop = arena.kernels.csvIntern(block, column.fields, texts.length, 0, table, 4_096, offsets, bytes, 20, state, codes);
      expect(stop).to.be.lessThan(texts.length);
      expect(arena.kernels.csvIntern(block, column.fields, texts.length, stop, table, 4_096, offsets, bytes, 2_000, state, codes)).to.equal(texts.length);
      const [count] = arena.read(Uint32Array, state, 1);
      const distinct = [...new Set(expected.filter((text) => text !== ""))];
      expect(count).to.equal(distinct.length);
      const starts = arena.read(Uint32Array, offsets, count! + 1);
      const pool = Buffer.from(arena.read(Uint8Array, bytes, total));
      const found = [...arena.read(Uint32Array, codes, texts.length)].map((code) => pool.toString("utf8", starts[code], starts[code + 1]));
      expect(found.map((text, row) => (texts[row] === "" ? "" : text))).to.deep.equal(expected);
    });
  });

  it("csvNulls marks the fields that are spelled like a text, with its quotes", () => {
    eachPlace(["NA", "NA", "NAN", "N", ""], (column) => {
      const { arena, fields: at } = column;
      const words = new Uint32Array(arena.kernels.memory.buffer, at, 10);
      words[3]! |= quoted;
      const token = arena.put(Buffer.from("NA"));
      arena.kernels.csvNulls(column.block, at, 5, token, 2);
      expect(arena.kernels.csvNullBits(at, 5, column.nulls)).to.equal(2);
      expect([...arena.read(Uint8Array, column.nulls, 1)]).to.deep.equal([0b10001]);
      arena.kernels.csvNulls(column.block, at, 5, arena.put(Buffer.from(",NA,")), 4);
      expect(arena.kernels.csvNullBits(at, 5, column.nulls)).to.equal(3);
    });
  });
});

describe("csv kernels: lines", () => {
  it("csvLines counts LF, CR and CR LF, wherever they fall", () => {
    fc.assert(fc.property(fc.array(fc.constantFrom("\r", "\n", "a", "bcdefg"), { maxLength: 60 }), (parts) => {
      const text = parts.join("");
      const arena = openArena("low");
      const block = arena.put(Buffer.from(`${text}\n\n\r${"x".repeat(32)}`));
      expect(arena.kernels.csvLines(block, text.length)).to.equal(text.match(/\r\n?|\n/g)?.length ?? 0);
      arena.check();
    }), { seed: 1, numRuns: 2_000 });
  });
});
