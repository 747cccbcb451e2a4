import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import type { Dtype } from "../../lib/columns/dtypes.js";
import type { CsvTuning } from "../../lib/formats/csv/read.js";
import { dtypeOfKinds, kindsOf } from "../../lib/formats/values/infer.js";
import { texts } from "../support/values.js";
import { readCsvText } from "../unit/csv-reading.js";
import type { CsvContent } from "../unit/csv-reading.js";

/** Printed by what fails. */
const seed = freshSeed();

/** Sizes of blocks and reads that put their ends anywhere. */
const anyTuning: fc.Arbitrary<Partial<CsvTuning>> = fc.record({ blockBytes: fc.integer({ min: 1, max: 40 }), readBytes: fc.integer({ min: 1, max: 17 }) });

interface Records {
  readonly rows: readonly (readonly (string | null)[])[];
  /** Line, and text as far as it tells. */
  readonly rejects: readonly (readonly [number, string])[];
}

/** The records of a text without header, by the rules of csv-rows.ts and letter by letter. */
function referenceRecords(text: string, fieldCount: number): Records {
  const rows: (string | null)[][] = [];
  const rejects: [number, string][] = [];
  const lineOf = (place: number): number => 1 + (text.slice(0, place).match(/\r\n?|\n/g)?.length ?? 0);
  const lineAfter = (start: number, end: number): number | undefined => {
    const found = /\r\n?|\n/.exec(text.slice(start, end));
    // A CR LF whose LF is beyond the end is none of ours.
    return found === null ? undefined : start + found.index + found[0].length;
  };
  for (let start = 0; start < text.length;) {
    const fields: (string | null)[] = [];
    let at = start;
    let next: number | undefined;
    let isBad = false;
    while (next === undefined) {
      const from = at;
      let content: string | undefined;
      if (text[at] === '"') {
        const closing = /^"(?:[^"]|"")*"(?!")/.exec(text.slice(at))?.[0].length;
        const end = closing === undefined ? text.length : at + closing;
        const follows = text[end];
        if (closing === undefined || !(follows === undefined || ",\r\n".includes(follows))) {
          const line = lineAfter(at, closing === undefined ? end : end - 1);
          if (line !== undefined || closing === undefined) {
            isBad = true;
            next = line ?? text.length;
            break;
          }
          isBad = true;
        } else {
          content = text.slice(at + 1, end - 1).replaceAll('""', '"');
        }
        at = end;
      }
      while (at < text.length && !",\r\n".includes(text[at]!)) at++;
      fields.push(content ?? (at === from ? null : text.slice(from, at)));
      if (text[at] === ",") at++;
      else next = Math.min(text.length, at + (text.startsWith("\r\n", at) ? 2 : 1));
    }
    const isEmptyLine = /^[\r\n]*$/.test(text.slice(start, next));
    if (!isBad && fields.length === fieldCount) rows.push(fields);
    else if (isBad || !isEmptyLine) rejects.push([lineOf(start), text.slice(start, next).replace(/[\r\n]+$/, "")]);
    start = next;
  }
  return { rows, rejects };
}

describe("csv: any text", function () {
  this.timeout(120_000);

  const pieces = fc.constantFrom('"', '"', '""', ",", ",", "\n", "\n", "\r", "\r\n", "a", "1", "é", "long enough for a vector of bytes", ' ', '","', '"\n"');
  const anyText = fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join(""));

  it("falls into the rows and rejects that a reading letter by letter finds, wherever blocks end", async () => {
    await fc.assert(fc.asyncProperty(anyText, fc.integer({ min: 1, max: 4 }), anyTuning, async (text, fieldCount, tuning) => {
      const names = Array.from({ length: fieldCount }, (_, index) => `c${index}`);
      const header = `${names.join(",")}\n`;
      const types = new Map<string, Dtype>(names.map((name) => [name, "string"]));
      const expected = referenceRecords(text, fieldCount);
      for (const how of [{}, tuning]) {
        const { rows, rejects } = await readCsvText(header + text, { types, delimiter: "," }, how);
        expect(rows).to.deep.equal(expected.rows);
        expect(rejects.map(({ line, text: row }) => [line - 1, row])).to.deep.equal(expected.rejects);
      }
    }), { seed, numRuns: 150 });
  });

  it("gives the same by threads as in one piece", async () => {
    await fc.assert(fc.asyncProperty(anyText, anyTuning, async (text, tuning) => {
      const content = `a,b\n${text}`;
      expect(await readCsvText(content, {}, { ...tuning, inlineBytesMax: 0, threads: 2 })).to.deep.equal(await readCsvText(content));
    }), { seed, numRuns: 6 });
  });

  it("loses no row to a row that is too long, wherever blocks end", async () => {
    const row = fc.oneof(fc.integer({ min: 0, max: 60 }).map((length) => "x".repeat(length)), fc.integer({ min: 0, max: 60 }).map((length) => `"${"y\n".repeat(length >> 1)}"`));
    await fc.assert(fc.asyncProperty(fc.array(row, { maxLength: 20 }), fc.constantFrom("\n", "\r\n", "\r"), anyTuning, async (values, lineEnd, tuning) => {
      const recordBytesMax = 30;
      const kept = values.filter((value) => value.length + 2 <= recordBytesMax);
      const content = `a,b${lineEnd}${values.map((value) => `1,${value}${lineEnd}`).join("")}`;
      const types = new Map<string, Dtype>([["b", "string"], ["a", "int64"]]);
      const [whole, cut] = [await readCsvText(content, { types }, { recordBytesMax }), await readCsvText(content, { types }, { ...tuning, recordBytesMax })];
      expect(whole.rows.filter(([a]) => a === "1").map(([, b]) => b)).to.deep.equal(kept.map((value) => (value === "" ? null : value.replace(/^"|"$/g, ""))));
      // The lines of a long row that has several are no rows, and its closing quote seems to open one.
      expect(whole.rejects.filter(({ reason }) => reason === `a row of more than ${recordBytesMax} bytes`).length).to.be.at.least(values.length - kept.length);
      const placesOf = ({ rejects }: CsvContent) => rejects.map(({ line, reason }) => [line, reason]);
      expect(cut.rows).to.deep.equal(whole.rows);
      expect(placesOf(cut)).to.deep.equal(placesOf(whole));
    }), { seed, numRuns: 80 });
  });
});

describe("csv: random tables", function () {
  this.timeout(120_000);

  const anyName = fc.oneof(fc.constantFrom("__proto__", "../x", "😀", "a b", "é".repeat(127)), texts({ minLength: 1, maxLength: 12 }));
  const anyCell = fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }).map(String), fc.double({ noNaN: true, noDefaultInfinity: true }).map(String), fc.constantFrom("true", "false", "2024-01-31", "2024-01-31T01:02:03.4Z", "007", "NaN"),
    fc.string({ maxLength: 20 }), fc.constantFrom('"', '""', "a\nb", "\r\n", ",", ";;;", "line\rend", ""),
  );
  const anyTable = fc.uniqueArray(anyName, { minLength: 1, maxLength: 5 }).chain((names) => fc.record({
    names: fc.constant(names),
    rows: fc.array(fc.array(fc.option(anyCell, { freq: 4 }), { minLength: names.length, maxLength: names.length }), { maxLength: 30 }),
    delimiter: fc.constantFrom(",", ";", "\t", "|", ":"),
    lineEnds: fc.array(fc.constantFrom("\n", "\r\n", "\r"), { minLength: 1, maxLength: 5 }),
    quotesAll: fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }),
    hasLastLineEnd: fc.boolean(),
  }));
  type Table = typeof anyTable extends fc.Arbitrary<infer T> ? T : never;

  function writeTable({ names, rows, delimiter, lineEnds, quotesAll, hasLastLineEnd }: Table): string {
    let cells = 0;
    const writeCell = (text: string | null): string => {
      if (text === null) return "";
      const mustQuote = text === "" || text.startsWith('"') || text.includes(delimiter) || /[\r\n]/.test(text);
      return mustQuote || quotesAll[cells++ % quotesAll.length] ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const lines = [names, ...rows].map((row) => row.map(writeCell).join(delimiter));
    const text = lines.map((line, index) => line + lineEnds[index % lineEnds.length]!).join("");
    // A CR and the LF of an empty line behind it would be one line end; and the last null of a single column is its line end.
    if (/\r$/.test(lines.join("\r")) || names.length === 1) return lines.map((line) => `${line}\n`).join("");
    return hasLastLineEnd ? text : text.replace(/(?:\r\n|\r|\n)$/, "");
  }

  /** The dtype of a column, and its values as they are shown. */
  function expectedColumn(cells: readonly (string | null)[]): { dtype: Dtype; values: (string | null)[] } {
    const dtype = dtypeOfKinds(cells.reduce((seen, cell) => (cell === null ? seen : seen | kindsOf(cell)), 0));
    return { dtype, values: cells.map((cell) => (cell === null ? null : shown(cell, dtype))) };
  }

  function shown(cell: string, dtype: Dtype): string | null {
    const text = cell.trim();
    if (dtype === "float64") return Number.isNaN(Number(text)) ? null : String(Number(text) + 0);
    if (dtype === "int64" || dtype === "uint64") return String(BigInt(text));
    if (dtype === "timestamp") return text.includes("T") ? text : `${text}T00:00:00Z`;
    return dtype === "string" ? cell : text;
  }

  it("with whole numbers past uint64 are of floats where each is one as JavaScript writes it, and else of texts, which lose no digit", async () => {
    const beyond = fc.tuple(fc.double({ min: 2 ** 64, max: 1e21, maxExcluded: true, noNaN: true }), fc.boolean()).map(([size, isNegative]) => String(isNegative ? -size : size));
    const below = fc.double({ min: -1e21, minExcluded: true, max: -(2 ** 63) - 2_048, noNaN: true }).map(String);
    const other = fc.tuple(fc.bigInt({ min: 2n ** 64n, max: 10n ** 24n }), fc.boolean()).map(([size, isNegative]) => String(isNegative ? -size : size));
    await fc.assert(fc.asyncProperty(fc.array(fc.oneof({ weight: 6, arbitrary: beyond }, { weight: 6, arbitrary: below }, { weight: 1, arbitrary: other }), { minLength: 1, maxLength: 8 }), anyTuning, async (texts, tuning) => {
      const areFloats = texts.every((text) => String(Number(text)) === text);
      const { columns, rows, rejects } = await readCsvText(`n\n${texts.join("\n")}\n`, {}, tuning);
      expect([columns[0]!.dtype, rejects], texts.join(" ")).to.deep.equal([areFloats ? "float64" : "string", []]);
      expect(rows.map(([text]) => text)).to.deep.equal(texts);
    }), { seed, numRuns: 80 });
  });

  it("come back equal, with the dtypes that their values have, however they are quoted and cut", async () => {
    await fc.assert(fc.asyncProperty(anyTable, anyTuning, async (table, tuning) => {
      const expected = table.names.map((_, column) => expectedColumn(table.rows.map((row) => row[column]!)));
      for (const how of [{}, tuning]) {
        const { columns, rows, rejects } = await readCsvText(writeTable(table), { delimiter: table.delimiter }, how);
        expect(rejects).to.deep.equal([]);
        expect(columns).to.deep.equal(table.names.map((name, column) => ({ name, dtype: expected[column]!.dtype })));
        expect(rows).to.deep.equal(table.rows.map((_, row) => expected.map(({ values }) => values[row]!)));
      }
    }), { seed, numRuns: 70 });
  });
});
