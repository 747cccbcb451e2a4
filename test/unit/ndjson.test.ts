import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import fc from "fast-check";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Dtype } from "../../lib/columns/dtypes.js";
import { cutRecords } from "../../lib/formats/ndjson/records.js";
import { linesOf, scanRecords } from "../../lib/formats/ndjson/scan.js";
import { decodeString, tokenKinds } from "../../lib/formats/ndjson/tokens.js";
import { openNdjson } from "../../lib/formats/ndjson/read.js";
import type { SourceOptions, WantedColumn } from "../../lib/formats/source.js";
import { importFiles } from "../../lib/formats/import/import.js";
import { kinds } from "../../lib/formats/values/infer.js";
import { failureOf } from "../support/failure.js";
import { readTable } from "../support/read-table.js";
import { heldColumns, plainOptions, readSource } from "../support/source-values.js";
import type { SourceValues } from "../support/source-values.js";
import { texts } from "../support/values.js";

describe("NDJSON: floats as strings", () => {
  it("are floats among numbers, in whichever order and however late they come", async () => {
    const folder = mkdtempSync(join(tmpdir(), "bqueryd-ndjson-"));
    try {
      const rows = Array.from({ length: 120_000 }, (_, row) => `{"v":${row === 110_000 ? '"-Infinity"' : row === 110_001 ? '"NaN"' : row}}`);
      writeFileSync(join(folder, "in.ndjson"), rows.join("\n"));
      await importFiles({ inputs: [join(folder, "in.ndjson")], output: join(folder, "t.bcolz") });
      const values = readTable(join(folder, "t.bcolz")).get("v")!;
      expect([values.length, values[109_999], values[110_000], values[110_001], values[110_002]]).to.deep.equal([120_000, 109_999, -Infinity, null, 110_002]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("NDJSON", () => {
  let folder = "";
  const at = (name: string): string => join(folder, name);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-ndjson-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  async function read(text: string | Uint8Array, options: Partial<SourceOptions> = {}, wanted?: (columns: WantedColumn[]) => WantedColumn[]): Promise<SourceValues & { dtypes: Record<string, string> }> {
    writeFileSync(at("in.ndjson"), text);
    const source = await openNdjson(at("in.ndjson"), { ...plainOptions, ...options });
    try {
      const dtypes = Object.fromEntries(source.columns.map((column) => [column.name, "dtype" in column ? column.dtype : `refused: ${column.refused}`]));
      return { ...await readSource(source, wanted?.(heldColumns(source))), dtypes };
    } finally {
      await source.close();
    }
  }

  const columnOf = async (...values: string[]): Promise<[string, unknown[]]> => {
    const { values: found, dtypes } = await read(values.map((value) => `{"v":${value}}\n`).join(""));
    return [dtypes["v"]!, found.get("v")!];
  };

  it("keeps every digit of whole numbers", async () => {
    expect(await columnOf("9007199254740993", "-9223372036854775808", "9223372036854775807")).to.deep.equal(["int64", [9007199254740993n, -(2n ** 63n), 2n ** 63n - 1n]]);
    expect(await columnOf("18446744073709551615", "0")).to.deep.equal(["uint64", [2n ** 64n - 1n, 0n]]);
    expect(await columnOf("-0", "-123456789012345", "999999999999999")).to.deep.equal(["int64", [0n, -123456789012345n, 999999999999999n]]);
  });

  it("makes text of numbers that no dtype holds, as they are spelled", async () => {
    expect(await columnOf("18446744073709551616", "1")).to.deep.equal(["string", ["18446744073709551616", "1"]]);
    expect(await columnOf("18446744073709551615", "-1")).to.deep.equal(["string", ["18446744073709551615", "-1"]]);
    expect(await columnOf("9007199254740993", "0.50")).to.deep.equal(["string", ["9007199254740993", "0.50"]]);
    expect(await columnOf("1e999", "1")).to.deep.equal(["string", ["1e999", "1"]]);
  });

  const columns: readonly (readonly [string, readonly string[], string, readonly unknown[]])[] = [
    ["floats", ["1", "2.5", "-1e-3", "1E2", "null"], "float64", [1, 2.5, -0.001, 100, null]],
    ["NaN and infinities as some writers spell them", ["0.5", "NaN", "Infinity", "-Infinity"], "float64", [0.5, NaN, Infinity, -Infinity]],
    ["booleans", ["true", "false", "null"], "bool", [true, false, null]],
    ["booleans among numbers as text", ["true", "1"], "string", ["true", "1"]],
    ["strings of digits as text", ['"1"', '"2"'], "string", ["1", "2"]],
    ["dates", ['"2001-02-03"', "null"], "date", [11356n, null]],
    ["timestamps", ['"1970-01-01T00:00:01.5Z"', '"1970-01-01 00:00:02"', '"1970-01-01"', '"1970-01-01T01:00:00+01:00"'], "timestamp", [1_500_000_000n, 2_000_000_000n, 0n, 0n]],
    ["a date that is none as text", ['"2001-02-03"', '"2001-02-30"'], "string", ["2001-02-03", "2001-02-30"]],
    ["dates among numbers as text", ['"2001-02-03"', "5"], "string", ["2001-02-03", "5"]],
    ["nulls alone as text", ["null", "null"], "string", [null, null]],
    ["escapes", [String.raw`"a\"b\\\/\b\f\n\r\t"`, String.raw`"\u00fc\ud83d\ude00"`, '"ü😀"', '""'], "string", ['a"b\\/\b\f\n\r\t', "ü😀", "ü😀", ""]],
  ];
  for (const [what, values, dtype, expected] of columns) {
    it(`reads ${what}`, async () => {
      expect(await columnOf(...values)).to.deep.equal([dtype, expected]);
    });
  }

  it("reads every float as JSON.parse does, bit for bit", async () => {
    const digits = fc.array(fc.nat(9), { minLength: 1, maxLength: 20 }).map((each) => each.join(""));
    const spelled = fc.tuple(fc.boolean(), fc.nat(1e9), digits, fc.option(fc.integer({ min: -30, max: 30 }))).map(([isNegative, whole, fraction, exponent]) => `${isNegative ? "-" : ""}${whole}.${fraction}${exponent === null ? "" : `e${exponent}`}`);
    const texts = [...fc.sample(spelled, 2_000), ...fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), 2_000).map((value) => JSON.stringify(value)).filter((text) => /[.e]/.test(text))];
    const [dtype, values] = await columnOf(...texts);
    expect(dtype).to.equal("float64");
    // Adding 0 makes 0 of -0, as a table does later.
    expect(values.map((value) => Number(value) + 0)).to.deep.equal(texts.map((text) => Number(text) + 0));
  });

  it("gives the keys in order of appearance, and null where one is missing", async () => {
    const { values } = await read('{"b":1}\n{"a":"x","b":2}\n\n  \n{"a":"y"}');
    expect([...values]).to.deep.equal([["b", [1n, 2n, null]], ["a", [null, "x", "y"]]]);
  });

  it("takes the last value of a key that comes twice", async () => {
    expect((await read('{"a":1,"a":2}\n{"a":3,"a":null}\n{"a":"no","a":4}')).values.get("a")).to.deep.equal([2n, null, 4n]);
  });

  it("has columns for keys that are none of an object's own", async () => {
    const { values } = await read('{"__proto__":1,"constructor":2,"":3,"a\\u0062":4}\n{"toString":5,"ab":6}');
    expect([...values]).to.deep.equal([["__proto__", [1n, null]], ["constructor", [2n, null]], ["", [3n, null]], ["ab", [4n, 6n]], ["toString", [null, 5n]]]);
  });

  it("rejects lines that are no objects, with line and reason, and stores the others", async () => {
    const { values, rejects, rows } = await read('{"a":1}\nnonsense\n[1]\n{"a":2\n{"a":2} {"a":3}\n{"a":01}\n{"a":"x\ty"}\n{"a":tru}\n{a:1}\n{"a" 1}\n{"a":1,}\n{"a":"\\x"}\n7\n{"a":-}\r\n{"a":5}\r\n');
    expect([values.get("a"), rows]).to.deep.equal([[1n, 5n], 2]);
    expect(rejects.map(({ line }) => line)).to.deep.equal([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    expect(rejects.slice(0, 4)).to.deep.equal([
      { line: 2, reason: "it is not a JSON object", text: "nonsense" }, { line: 3, reason: "it is not a JSON object", text: "[1]" },
      { line: 4, reason: "the object is cut", text: '{"a":2' }, { line: 5, reason: "something follows the object", text: '{"a":2} {"a":3}' },
    ]);
    expect(rejects[4]!.reason).to.equal("the object is not sound JSON: a comma or the end of the object belongs at its byte 7");
  });

  it("rejects half of a surrogate pair, which UTF-8 cannot hold", async () => {
    const { values, rejects } = await read(String.raw`{"a":"x"}` + "\n" + String.raw`{"a":"\ud800x"}` + "\n" + String.raw`{"a":"\ud83d\ude00"}`);
    expect([values.get("a"), rejects.map(({ line }) => line)]).to.deep.equal([["x", "😀"], [2]]);
  });

  it("rejects a line that is not UTF-8, and none around it", async () => {
    const bytes = Buffer.concat([Buffer.from('{"a":"ü"}\n{"a":"'), Buffer.from([0xc3]), Buffer.from('"}\n{"a":"x"}\n')]);
    const { values, rejects } = await read(bytes);
    expect(values.get("a")).to.deep.equal(["ü", "x"]);
    expect(rejects).to.have.length(1);
    expect(rejects[0]).to.include({ line: 2, reason: "the bytes are not valid UTF-8" });
  });

  it("refuses columns of objects and lists by name, and reads the others", async () => {
    const { dtypes, values } = await read('{"a":1,"o":{"x":[1,{"y":"}"}]},"l":[]}\n{"a":2,"o":null}', { columns: ["a"] });
    expect(dtypes).to.deep.equal({ a: "int64", o: "refused: an object or a list in some rows", l: "refused: an object or a list in some rows" });
    expect([...values]).to.deep.equal([["a", [1n, 2n]]]);
  });

  it("keeps objects and lists as text where that dtype is named", async () => {
    const types = new Map<string, Dtype>([["o", "string"]]);
    const { values } = await read('{"o":{"x":[1, 2]}}\n{"o":"s"}', { types }, (columns) => columns.map((column) => ({ ...column, fixed: true })));
    expect(values.get("o")).to.deep.equal(['{"x":[1, 2]}', "s"]);
  });

  it("widens a column, adds one for a key, and rejects an object, when they come after the sample", async () => {
    const early = '{"a":1,"b":"2001-01-01"}\n'.repeat(100_000);
    const { values, kinds: found, rejects, rows } = await read(`${early}{"a":1.5,"late":true}\n{"b":"x"}\n{"a":{}}\n{"late2":[]}\n`);
    expect(Object.fromEntries(found)).to.deep.equal({ a: kinds.float, b: kinds.text, late: kinds.bool });
    expect(rows).to.equal(100_002);
    expect(values.get("a")!.length).to.be.below(100_000);
    expect(rejects).to.deep.equal([
      { line: 100_003, reason: "column 'a' holds an object or a list", text: '{"a":{}}' }, { line: 100_004, reason: "key 'late2' holds an object or a list", text: '{"late2":[]}' },
    ]);
  });

  it("passes over keys that are not chosen, whatever they hold", async () => {
    const { values, kinds: found, rejects } = await read('{"a":1,"b":{"c":[1,2,"]"]},"d":"x"}\n{"b":7,"a":2,"e":false}', { columns: ["a"] }, (columns) => columns.filter(({ name }) => name === "a"));
    expect([[...values], [...found], rejects]).to.deep.equal([[["a", [1n, 2n]]], [], []]);
  });

  it("reads strings as values of a dtype that is named, and rejects what does not fit", async () => {
    const text = '{"i":"12","u":200,"f":"0.1","b":"true","x":"AP8=","s":7}\n{"i":1.5}\n{"u":256}\n{"f":"z"}\n{"b":2}\n{"x":"?"}\n{"u":-1}\n{"i":"99999999999999999999"}\n{"x":"\\\\x00ff"}\n';
    const types: Record<string, Dtype> = { i: "int32", u: "uint8", f: "float32", b: "bool", x: "bytes", s: "string" };
    const { values, rejects, rows } = await read(text, {}, (columns) => columns.map(({ name }) => ({ name, dtype: types[name]!, fixed: true })));
    expect(rows).to.equal(2);
    expect(Object.fromEntries(values)).to.deep.equal({
      i: [12n, null], u: [200n, null], f: [Math.fround(0.1), null], b: [true, null], x: [Uint8Array.of(0, 255), Uint8Array.of(0, 255)], s: ["7", null],
    });
    expect(rejects.map(({ line, reason }) => `${line}: ${reason}`)).to.deep.equal([
      "2: column 'i' holds 1.5, which is no int32", "3: column 'u' holds 256, which is no uint8", "4: column 'f' holds z, which is no float32", "5: column 'b' holds 2, which is no bool",
      "6: column 'x' holds ?, which is no bytes", "7: column 'u' holds -1, which is no uint8", "8: column 'i' holds 99999999999999999999, which is no int32",
    ]);
  });

  it("takes strings that stand for a missing value as null", async () => {
    const { values, dtypes } = await read('{"a":"NA","b":"NA"}\n{"a":"2001-01-01","b":"x"}', { nulls: ["NA", "-"] });
    expect(dtypes).to.deep.equal({ a: "date", b: "string" });
    expect([...values]).to.deep.equal([["a", [null, 11323n]], ["b", [null, "x"]]]);
  });

  it("reads the elements of a list, on however many lines they are", async () => {
    const { values, rejects } = await read('\n [\n {"a":1,\n "b":"[,]{}\\""},{"a":2}\n, 7,\n"x,]" , {"a":3}]\n ');
    expect([...values]).to.deep.equal([["a", [1n, 2n, 3n]], ["b", ['[,]{}"', null, null]]]);
    expect(rejects).to.deep.equal([{ line: 5, reason: "it is not a JSON object", text: "7" }, { line: 6, reason: "it is not a JSON object", text: '"x,]"' }]);
  });

  for (const [what, text, words] of [
    ["cut in an object", '[{"a":1},{"a', "it has no end in line 1"], ["without an end", '[{"a":1}\n', "it has no end in line 2"],
    ["with a comma too many", '[{"a":1},]', "comma"], ["with a comma too few", '[{"a":1}{"a":2}]', "comma"], ["followed by more", "[{\"a\":1}]\n{}", "something follows the list in line 2"],
  ] as const) {
    it(`refuses a list ${what}`, async () => {
      const error = await failureOf(() => read(text));
      expect(error.code).to.equal("BAD_INPUT");
      expect(error.message).to.include("in.ndjson").and.include(words);
    });
  }

  it("of nothing has no columns, and of nothing but nonsense is refused", async () => {
    expect((await read("")).dtypes).to.deep.equal({});
    expect((await read("[]")).dtypes).to.deep.equal({});
    const error = await failureOf(() => read("{\n \"a\": 1\n}\n"));
    expect([error.code, error.message]).to.deep.equal(["BAD_INPUT", `${at("in.ndjson")} has no JSON object in its first 3 lines (line 1: the object is cut); give one object a line, or a list of objects`]);
  });

  it("reads gzip, and a file that is large enough for threads, as any other", async () => {
    const text = Array.from({ length: 200_000 }, (_, row) => `{"n":${row},"t":"text ${row % 1000}"}\n`).join("");
    const plain = await read(text);
    const compressed = await read(gzipSync(text));
    expect(plain.values.get("n")).to.deep.equal(Array.from({ length: 200_000 }, (_, row) => BigInt(row)));
    expect(plain.values.get("t")!.at(-1)).to.equal("text 999");
    expect(compressed.values).to.deep.equal(plain.values);
  });

  it("gives tables of very many columns few rows at a time", async () => {
    const keys = Array.from({ length: 10_000 }, (_, key) => `"k${key}":${key}`);
    writeFileSync(at("in.ndjson"), `{${keys.join(",")}}\n${"{}\n".repeat(4_000)}`);
    const source = await openNdjson(at("in.ndjson"), plainOptions);
    let rows = 0;
    for await (const batch of source.read(heldColumns(source), undefined)) {
      rows += batch.rows;
      expect(batch.rows).to.be.at.most(1_677);
    }
    await source.close();
    expect(rows).to.equal(4_001);
  });
});

describe("scanning JSON objects", () => {
  const text = texts({ maxLength: 10 });
  const scalar = fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer(), fc.boolean(), fc.constant(null));
  const member = fc.oneof({ weight: 5, arbitrary: scalar }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) });
  const objects = fc.array(fc.dictionary(text, member, { maxKeys: 6 }), { maxLength: 8 });

  it("finds what JSON.parse finds, however it is written", () => {
    fc.assert(fc.property(objects, fc.constantFrom("", " ", "\t \r"), fc.boolean(), (rows, blank, isAscii) => {
      const spell = (value: unknown): string => (isAscii ? JSON.stringify(value).replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`) : JSON.stringify(value));
      const lines = rows.map((row) => `${blank}{${Object.entries(row).map(([key, value]) => `${blank}${spell(key)}${blank}:${blank}${spell(value)}`).join(`${blank},`)}${blank}}${blank}`);
      const bytes = Buffer.from(lines.join("\n"));
      const { tokens, tokenCount, columns, places, bad } = scanRecords({ bytes, records: linesOf(bytes, 1), columns: [], keepsUnknown: true });
      expect([bad, places.length]).to.deep.equal([[], rows.length]);
      const found: [string, unknown][][] = rows.map(() => []);
      for (let token = 0; token < tokenCount; token++) {
        const kind = tokens.kind[token]!;
        const isString = kind === tokenKinds.string || kind === tokenKinds.escaped;
        const text = decodeString(bytes, tokens.start[token]!, tokens.end[token]!, kind === tokenKinds.escaped);
        found[tokens.row[token]!]!.push([columns[tokens.column[token]!]!, isString ? text : JSON.parse(text)]);
      }
      const expected = lines.map((line) => Object.entries(JSON.parse(line) as object));
      // By name: without a comparison values are made texts, of which some can be none.
      const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1);
      expect(found.map((row) => row.sort(byName))).to.deep.equal(expected.map((row) => row.sort(byName)));
    }), { examples: [[[{ a: 1, b: { toString: false } }], "", false]] });
  });

  it("never takes a changed line for sound where JSON.parse does not", () => {
    const line = '{"a":1.5e3,"b":"x\\n\\u00e4","c":null,"e":true}';
    // What is within lists and objects is not looked at.
    const other = fc.nat(255).filter((byte) => byte !== 0x5b && byte !== 0x7b);
    fc.assert(fc.property(fc.nat(line.length - 1), other, (place, byte) => {
      const bytes = Buffer.from(line);
      bytes[place] = byte;
      const { places } = scanRecords({ bytes, records: [{ start: 0, end: bytes.length, line: 1 }], columns: [], keepsUnknown: true });
      if (places.length === 1) expect(() => { JSON.parse(bytes.toString()); }, bytes.toString()).not.to.throw();
    }), { numRuns: 2_000 });
  });
});

describe("cutting JSON text into blocks", () => {
  async function cut(text: string, blockBytes: number, limits = { recordBytesMax: 64 }): Promise<{ objects: [number, string][]; rejects: number[] }> {
    async function* blocks(): AsyncGenerator<{ block: Uint8Array<ArrayBuffer>; bytesDone: number }> {
      const bytes = Buffer.from(text);
      for (let start = 0; start < bytes.length; start += blockBytes) yield { block: Uint8Array.from(bytes.subarray(start, start + blockBytes)), bytesDone: start };
    }
    const found: { objects: [number, string][]; rejects: number[] } = { objects: [], rejects: [] };
    for await (const { bytes, firstLine, records, rejects } of cutRecords("x.json", blocks(), limits)) {
      found.rejects.push(...rejects.map(({ line }) => line));
      const places = records === null ? [...linesOf(bytes, firstLine)] : Array.from({ length: records.length / 3 }, (_, i) => ({ start: records[3 * i]!, end: records[3 * i + 1]!, line: records[3 * i + 2]! }));
      for (const { start, end, line } of places) {
        const object = Buffer.from(bytes.subarray(start, end)).toString().trim();
        if (object !== "") found.objects.push([line, object]);
      }
      // Taken away, as a thread does: what comes later must not need it.
      structuredClone(null, { transfer: [bytes.buffer] });
    }
    return found;
  }

  const lines = '\n\n{"a":1}\n{"b":"ü"}\r\n\n{"c":3}';
  const list = '\n[{"a":"]\\\\\\""},\n{"b":[{}]},1 ,"s",\n\n{}]\n';
  for (const [what, text, expected] of [
    ["lines", lines, [[3, '{"a":1}'], [4, '{"b":"ü"}'], [6, '{"c":3}']]],
    ["a list", list, [[2, '{"a":"]\\\\\\""}'], [3, '{"b":[{}]}'], [3, "1"], [3, '"s"'], [5, "{}"]]],
  ] as const) {
    it(`finds the same objects of ${what} wherever the blocks end`, async () => {
      for (let blockBytes = 1; blockBytes <= text.length + 1; blockBytes++) expect((await cut(text, blockBytes)).objects, `${blockBytes}`).to.deep.equal(expected);
    });
  }

  it("rejects a line that is too long, wherever the blocks end, and goes on behind it", async () => {
    const text = `{"a":1}\n{"a":"${"x".repeat(100)}"}\n{"b":2}\n`;
    for (const blockBytes of [1, 7, 20, 30]) {
      expect(await cut(text, blockBytes)).to.deep.equal({ objects: [[1, '{"a":1}'], [3, '{"b":2}']], rejects: [2] });
    }
  });

  it("keeps the lines before one that is too long, which end in the block where it begins", async () => {
    const text = `{"a":1}\n{"b":2}\n{"a":"${"x".repeat(200)}"}\n{"c":3}`;
    for (const blockBytes of [90, 100, 120]) {
      expect(await cut(text, blockBytes)).to.deep.equal({ objects: [[1, '{"a":1}'], [2, '{"b":2}'], [4, '{"c":3}']], rejects: [3] });
    }
  });

  it("refuses an element of a list that is too long", async () => {
    expect((await failureOf(() => cut(`[{"a":"${"x".repeat(100)}"}]`, 10))).message).to.include("longer than 64 bytes");
  });
});
