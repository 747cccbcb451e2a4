import { decompress } from "@mongodb-js/zstd";
import { expect } from "chai";
import { before, describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { createChunkBuffer, pushRows } from "../../lib/columns/write/chunk-buffer.js";
import { biasOf, dtypes, isFloatDtype, isTextDtype, wholeRange, type Dtype, type WholeDtype } from "../../lib/columns/dtypes.js";
import type { EncodedChunk } from "../../lib/columns/encode/input.js";
import { widthOf } from "../../lib/columns/files/encodings.js";
import { decodeIndex, encodeIndex, type ChunkRecord, type Extreme, type IndexClaims } from "../../lib/columns/files/index.js";
import { packBytes } from "../../lib/columns/texts.js";
import type { Vector } from "../../lib/columns/vector.js";
import { createHeap } from "../../lib/kernels/heap.js";
import { loadKernels } from "../../lib/kernels/kernels.js";
import { columnOf, encodeValues, readValues, type Lies } from "../support/chunks.js";
import { failureOf } from "../support/failure.js";
import type { StoredValue } from "../support/read-table.js";
import { batchOf } from "../support/write-table.js";

const heap = createHeap(loadKernels(16 * 1024 * 1024), 16 * 1024 * 1024);

/** Encodes values as one chunk; strings as codes when there is a dictionary to look them up in. */
function encode(dtype: Dtype, values: readonly StoredValue[], dictionary?: readonly string[]): Promise<EncodedChunk> {
  return encodeValues(dtype, values, { dictionary });
}

/** Decodes a chunk, its record changed where told, and releases it again. */
function decode(dtype: Dtype, rows: number, chunk: EncodedChunk, lies: Lies = {}): Vector {
  const vector = columnOf(dtype, rows, chunk, { lies }).decode(0, heap, (bytes) => heap.find(bytes)!);
  for (const pointer of vector.owned) heap.release(pointer);
  return vector;
}

/** Integers from 0 that no codec can shrink, below a limit. */
function scattered(rows: number, limit: bigint): bigint[] {
  return Array.from({ length: rows }, (_, row) => (BigInt(row) * 0x9e3779b97f4a7c15n % 2n ** 64n >> 3n) % limit);
}

describe("encoding a chunk", () => {
  it("keeps one value for a constant chunk, nulls or not", async () => {
    for (const values of [[5n, 5n, 5n], [null, 5n, null, 5n]]) {
      const { record } = await encode("int64", values);
      expect(record).to.include({ encoding: "constant", minimum: 5n, maximum: 5n });
      expect(decode("int64", values.length, await encode("int64", values))).to.include({ width: 1, base: 5n });
    }
    expect((await encode("float64", [2.5, null, 2.5])).record.encoding).to.equal("constant");
    expect((await encode("bool", [true, true])).record.encoding).to.equal("constant");
    expect((await encode("string", ["x", "x"], ["x"])).record.encoding).to.equal("constant");
  });

  it("stores nothing at all for a chunk of nulls", async () => {
    for (const dtype of dtypes) {
      const { stored, record } = await encode(dtype, [null, null, null]);
      expect(stored).to.have.length(0);
      expect(record).to.include({ rawBytes: 0, nullCount: 3, minimum: null, maximum: null });
    }
  });

  it("narrows integers to the least width that holds them", async () => {
    for (const [limit, width] of [[200n, 1], [60_000n, 2], [4_000_000_000n, 4], [2n ** 62n, 8]] as const) {
      const values = [...scattered(500, limit), 0n, limit - 1n].map((value) => value - 7n);
      const chunk = await encode("int64", values);
      expect(chunk.record.encoding).to.equal(width === 8 ? "plain" : "narrowed");
      expect(decode("int64", values.length, chunk).width).to.equal(width);
    }
  });

  for (const dtype of ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "date", "timestamp"] as const) {
    it(`holds both ends of ${dtype} in one chunk, plain`, async () => {
      const { least, greatest } = wholeRange(dtype);
      const values = [greatest, null, least, least + 1n, null, greatest - 1n];
      const chunk = await encode(dtype, values);
      expect(chunk.record).to.include({ encoding: "plain", rawBytes: 1 + 6 * widthOf(dtype), minimum: least - biasOf(dtype), maximum: greatest - biasOf(dtype) });
      expect(decode(dtype, 6, chunk)).to.include({ kind: "int", width: widthOf(dtype), nullCount: 2 });
      expect(readValues(columnOf(dtype, 6, chunk))).to.deep.equal(values);
    });
  }

  it("narrows no number to its own width", async () => {
    expect((await encode("int8", [1n, 2n, 3n])).record).to.include({ encoding: "plain", rawBytes: 3 });
    expect((await encode("bool", [true, false])).record).to.include({ encoding: "plain", rawBytes: 2 });
    expect((await encode("uint16", [1_000n, 2_000n, 63_000n])).record).to.include({ encoding: "narrowed", rawBytes: 24 + 3 });
    expect((await encode("int32", [-(2n ** 31n), 2n ** 31n - 1n, 7n])).record).to.include({ encoding: "plain", rawBytes: 12 });
  });

  it("keeps uint64 by its distance to 2^63, which is below 0 for the lesser half", async () => {
    const chunk = await encode("uint64", [2n ** 63n + 5n, 2n ** 63n - 5n]);
    expect(chunk.record).to.include({ encoding: "narrowed", minimum: -5n, maximum: 5n });
    expect(readValues(columnOf("uint64", 2, chunk))).to.deep.equal([2n ** 63n + 5n, 2n ** 63n - 5n]);
  });

  it("divides by the greatest common step", async () => {
    const hours = scattered(500, 60_000n).map((value) => value * 3_600_000_000_000n - 5n);
    const chunk = await encode("timestamp", [...hours, -5n, -5n + 3_600_000_000_000n]);
    expect(decode("timestamp", 502, chunk)).to.include({ width: 2, base: -5n, step: 3_600_000_000_000n });
  });

  it("holds both ends of int64 in one chunk", async () => {
    const chunk = await encode("int64", [2n ** 63n - 1n, -(2n ** 63n), 0n]);
    expect(chunk.record).to.include({ encoding: "plain", minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n });
    const upper = await encode("int64", [0n, 2n ** 63n - 1n]);
    expect(decode("int64", 2, upper)).to.include({ width: 1, step: 2n ** 63n - 1n });
  });

  it("stores NaN as null and -0.0 as 0.0", async () => {
    const chunk = await encode("float64", [NaN, -0, 1]);
    expect(chunk.record).to.include({ nullCount: 1, maximum: 1 });
    expect(Object.is(chunk.record.minimum, 0)).to.equal(true);
    const vector = decode("float64", 3, chunk);
    expect([...new Uint8Array(heap.kernels.bytes.buffer, vector.values, 16)]).to.deep.equal(Array.from({ length: 16 }, () => 0));
    expect((await encode("float64", [NaN, NaN])).stored).to.have.length(0);
  });

  const decimals: [string, "float32" | "float64", number[], number][] = [
    ["prices", "float64", [0.1, 19.99, -3.5, 100, 0], 2],
    ["whole numbers", "float64", [1, 70_000, -5, 2], 4],
    ["multiples", "float64", [1e15, 7e15 - 6e15 + 5e12, 4e15], 2],
    ["eighteen places", "float64", [1e-18, 3e-18, 0], 1],
    ["prices in single precision", "float32", [0.1, 19.99, -3.5, 100, 0].map(Math.fround), 2],
  ];
  for (const [what, dtype, values, width] of decimals) {
    it(`stores ${what} as decimals`, async () => {
      const chunk = await encode(dtype, [...values, null]);
      expect(chunk.record).to.include({ encoding: "decimal", minimum: Math.min(...values), maximum: Math.max(...values) });
      expect(chunk.record.rawBytes).to.equal(1 + 24 + (values.length + 1) * width);
      expect(readValues(columnOf(dtype, values.length + 1, chunk))).to.deep.equal([...values, null]);
    });
  }

  it("stores floats plain where one of them is no short decimal, or nothing is saved", async () => {
    const kinds: [Dtype, number[]][] = [
      ["float64", [0.1 + 0.2, 0.5]], ["float64", [Infinity, 1]], ["float64", [-Infinity, 1]], ["float64", [5e-324, 1]], ["float64", [2 ** 53, 1]],
      ["float64", [1e300, 1]], ["float64", [2 ** 52, 0.5]], ["float64", [1 / 3, 1]], ["float64", [1e-19, 1]], ["float64", [Number.MAX_VALUE, -Number.MAX_VALUE]],
      ["float32", [16_777_215, 0, 1]], ["float32", [Math.fround(1 / 3), 1, 2]], ["float32", [2 ** 127, 2 ** -149]],
    ];
    for (const [dtype, values] of kinds) {
      const chunk = await encode(dtype, values);
      expect(chunk.record.encoding, String(values)).to.equal("plain");
      expect(readValues(columnOf(dtype, values.length, chunk))).to.deep.equal(values);
    }
  });

  it("takes float32 as the number it is, not as the digits it was written with", async () => {
    const chunk = await encode("float32", [0.1, 0.3]);
    expect(chunk.record).to.include({ minimum: Math.fround(0.1), maximum: Math.fround(0.3) });
    expect(readValues(columnOf("float32", 2, chunk))).to.deep.equal([Math.fround(0.1), Math.fround(0.3)]);
  });

  it("with zstd stores a frame that tells the size of its content", async () => {
    const values = scattered(3_000, 90n);
    const chunk = await encodeValues("int64", values, { codec: "zstd" });
    expect(chunk.record).to.include({ codec: "zstd", encoding: "narrowed" });
    const frame = new DataView(chunk.stored.buffer, chunk.stored.byteOffset);
    expect(frame.getUint32(0, true)).to.equal(0xfd2fb528);
    expect(frame.getUint8(4) >> 6).to.equal(2);
    expect(frame.getUint32(6, true)).to.equal(chunk.record.rawBytes);
    expect((await decompress(Buffer.from(chunk.stored))).length).to.equal(chunk.record.rawBytes);
    expect(readValues(columnOf("int64", 3_000, chunk))).to.deep.equal(values);
    expect((await encodeValues("int64", [1n, 2n ** 62n], { codec: "zstd" })).record.codec).to.equal("raw");
  });

  it("lets several chunks be under way in one arena", async () => {
    const all = Array.from({ length: 8 }, (_, i) => scattered(20_000, 1_000n * BigInt(i + 1)));
    const chunks = await Promise.all(all.map((values, i) => encodeValues("int64", values, { codec: i % 2 === 0 ? "zstd" : "lz4" })));
    chunks.forEach((chunk, i) => { expect(readValues(columnOf("int64", 20_000, chunk))).to.deep.equal(all[i]); });
  });

  it("counts infinities as extremes", async () => {
    expect((await encode("float64", [-Infinity, 1, Infinity, null])).record).to.include({ minimum: -Infinity, maximum: Infinity });
  });

  it("chooses the smallest of raw, compressed and shuffled", async () => {
    const noise = Array.from({ length: 50 }, (_, row) => BigInt.asIntN(64, BigInt(row + 1) ** 9n * 0x9e3779b97f4a7c15n));
    expect((await encode("int64", noise)).record).to.include({ codec: "raw", filter: "none" });
    expect((await encode("bool", Array.from({ length: 1_000 }, (_, row) => row % 2 === 0))).record).to.include({ codec: "lz4", filter: "none" });
    const random = seededRandom(1);
    const unit = Array.from({ length: 5_000 }, () => random());
    expect((await encode("float64", unit)).record).to.include({ codec: "lz4", filter: "shuffle" });
  });

  it("bounds long strings from both sides", async () => {
    const long = "é".repeat(50);
    const { record } = await encode("string", [long, `${long}a`, null]);
    expect(record.truncated).to.equal(true);
    const [minimum, maximum] = [Buffer.from(record.minimum as Uint8Array), Buffer.from(record.maximum as Uint8Array)];
    expect([minimum.length, maximum.length]).to.deep.equal([64, 64]);
    expect(Buffer.compare(minimum, Buffer.from(long))).to.be.lessThan(1);
    expect(Buffer.compare(maximum, Buffer.from(`${long}a`))).to.be.greaterThan(-1);
    expect((await encode("string", ["a", "é".repeat(32)])).record.truncated).to.equal(false);
  });

  it("bounds bytes by what can be raised, and says where nothing can", async () => {
    const ones = (count: number) => new Uint8Array(count).fill(0xff);
    const cut = await encode("bytes", [Buffer.concat([Uint8Array.of(7, 8), ones(70)]), Uint8Array.of(1)]);
    expect(cut.record.maximum).to.deep.equal(Uint8Array.of(7, 9));
    const endless = await encode("bytes", [ones(65), Uint8Array.of(1)]);
    expect(endless.record).to.include({ maximum: null, truncated: true });
    const [again] = decodeIndex(encodeIndex("bytes", [{ ...endless.record, offset: 0 }]), claimsOf({ dtype: "bytes", rows: 2, dataBytes: 1_000 }));
    expect(again).to.deep.include({ maximum: null, truncated: true, minimum: Buffer.of(1) });
    expect((await encode("bytes", [ones(64), Uint8Array.of(1)])).record).to.deep.include({ maximum: ones(64), truncated: false });
  });

  it("bounds codes by the texts of their rows, not by those of the whole dictionary", async () => {
    const dictionary = ["m", "zz", "id0000", "id0001", "id00", "", "id0001x", "a"];
    const { record } = await encode("string", ["id0001x", null, "id00", "id0000", "id0001x"], dictionary);
    expect([record.minimum, record.maximum].map(plain)).to.deep.equal([[...Buffer.from("id00")], [...Buffer.from("id0001x")]]);
  });

  it("orders strings by bytes, not by UTF-16", async () => {
    const { record } = await encode("string", ["\u{10000}", "\uffff", "a"]);
    expect(Buffer.from(record.maximum as Uint8Array).toString()).to.equal("\u{10000}");
    expect(Buffer.from(record.minimum as Uint8Array).toString()).to.equal("a");
  });
});

describe("rows on their way into a chunk", () => {
  const notUtf8 = [[0xc3], [0xff], [0xed, 0xa0, 0x80]].map((bytes) => Uint8Array.from(bytes));
  for (const bytes of notUtf8) {
    it(`as a string are no bytes ${String(bytes)}`, async () => {
      const push = (dtype: "string" | "bytes") => { pushRows(createChunkBuffer(dtype, null, "c"), { dtype, rows: 1, nulls: null, values: packBytes([bytes]) }, { from: 0, count: 1 }); };
      expect((await failureOf(() => { push("string"); })).code).to.equal("BAD_INPUT");
      push("bytes");
    });
  }

  it("do not share a character", async () => {
    const values = packBytes([Uint8Array.of(0xc3), Uint8Array.of(0xa9)]);
    expect((await failureOf(() => { pushRows(createChunkBuffer("string", null, "c"), { dtype: "string", rows: 2, nulls: null, values }, { from: 0, count: 2 }); })).code).to.equal("BAD_INPUT");
  });

  it("may be what they like where they are null, or not looked at", () => {
    const values = packBytes([Uint8Array.of(0xff), Buffer.from("é"), Uint8Array.of(0xff)]);
    const buffer = createChunkBuffer("string", null, "c");
    pushRows(buffer, { dtype: "string", rows: 3, nulls: Uint8Array.of(1), values }, { from: 0, count: 2 });
    pushRows(buffer, { dtype: "string", rows: 2, nulls: null, values: { ...values, codes: Uint32Array.of(1, 1) } }, { from: 0, count: 2 });
    expect([buffer.rows, buffer.nullCount]).to.deep.equal([4, 1]);
  });

  it("are refused when their texts are too long together, before room is made for them", async () => {
    const values = { ...packBytes([new Uint8Array(64 * 1024 * 1024)]), codes: new Uint32Array(17) };
    const push = () => { pushRows(createChunkBuffer("bytes", null, "c"), { dtype: "bytes", rows: 17, nulls: null, values }, { from: 0, count: 17 }); };
    expect((await failureOf(push)).code).to.equal("MEMORY_LIMIT");
  });

  it("must fit, and be of the buffer's dtype", () => {
    const batch = batchOf("int8", [1n, 2n]);
    expect(() => { pushRows(createChunkBuffer("uint8", null, "c"), batch, { from: 0, count: 2 }); }).to.throw("int8");
    const full = { ...createChunkBuffer("int8", null, "c"), rows: 65_535 };
    expect(() => { pushRows(full, batch, { from: 0, count: 2 }); }).to.throw("end of a chunk");
  });
});

describe("decoding a chunk", () => {
  it("gives constants and nulls as shared pages that nobody owns", async () => {
    const constant = decode("int64", 3, await encode("int64", [5n, 5n, 5n]));
    const nulls = decode("string", 2, await encode("string", [null, null]), { dictionaryCount: 1 });
    expect(constant.owned).to.deep.equal([]);
    expect(nulls).to.include({ kind: "code", width: 1, nullCount: 2, values: constant.values });
    expect(heap.kernels.bytes[nulls.nulls]).to.equal(0xff);
  });

  it("fills the null rows with the placeholder of their kind", async () => {
    const ints = decode("int64", 4, await encode("int64", [2n ** 62n, null, -9n, 5n]));
    expect(new BigInt64Array(heap.kernels.bytes.buffer, ints.values, 3)[1]).to.equal(-9n);
    const codes = decode("string", 3, await encode("string", ["b", null, "c"], ["a", "b", "c"]), { dictionaryCount: 3 });
    expect([...heap.kernels.bytes.subarray(codes.values, codes.values + 3)]).to.deep.equal([1, 0, 2]);
    const texts = decode("string", 3, await encode("string", ["b", null, "c"]));
    expect([...new Uint32Array(heap.kernels.bytes.buffer, texts.values, 4)]).to.deep.equal([0, 1, 1, 2]);
  });

  const sample = scattered(300, 200n);
  const codes = ["b", "a", "b", "c", "a"];
  const lies: [string, Dtype, StoredValue[], Partial<ChunkRecord> & { dictionaryCount?: number }, string[]?][] = [
    ["another checksum", "int64", sample, { checksum: 1n }],
    ["a greater null count", "int64", [null, 1n, 2n], { nullCount: 2 }],
    ["a lesser maximum", "int64", sample, { maximum: 150n }],
    ["another minimum", "int64", sample.map((value) => value + 5n), { minimum: 0n }],
    ["a lesser maximum of plain integers", "int64", [0n, 2n ** 62n, 3n], { maximum: 2n ** 61n }],
    ["another constant", "int64", [4n, 4n], { maximum: 5n }],
    ["another float constant", "float64", [4, 4], { maximum: 5 }],
    ["a lesser maximum of floats", "float64", [1, 2, 3.5], { maximum: 3 }],
    ["a lesser maximum of plain int16", "int16", [-(2n ** 15n), 2n ** 15n - 1n, 3n], { maximum: 9n }],
    ["a greater minimum of plain int16", "int16", [-(2n ** 15n), 2n ** 15n - 1n, 3n], { minimum: 0n }],
    ["a lesser maximum of decimals", "float64", [1.25, 2, 3.5], { maximum: 3 }],
    ["a greater minimum of decimals", "float64", [1.25, 2, 3.5], { minimum: 2 }],
    ["a lesser maximum of plain float32", "float32", [1, 2 ** -149, 3.5], { maximum: 3 }],
    ["a dictionary that is too short", "string", codes, { dictionaryCount: 2 }, ["a", "b", "c"]],
    ["a dictionary too short for a constant", "string", ["c", "c"], { dictionaryCount: 2 }, ["a", "b", "c"]],
    ["a raw size that LZ4 does not give", "int64", Array.from({ length: 3_000 }, (_, row) => BigInt(row % 7)), { rawBytes: 3_023 }],
  ];
  for (const [what, dtype, values, changes, texts] of lies) {
    it(`finds ${what} and keeps no memory`, async () => {
      const usedBytes = heap.usedBytes;
      const chunk = await encode(dtype, values, texts);
      expect((await failureOf(() => decode(dtype, values.length, chunk, changes))).code).to.equal("CORRUPT_CHUNK");
      expect(heap.usedBytes).to.equal(usedBytes);
    });
  }

  it("takes no NaN, whatever the statistics say", async () => {
    const { record } = await encode("float64", [1 / 3, 2, 3]);
    const stored = new Uint8Array(Float64Array.of(1, NaN, 2).buffer);
    const changes = { checksum: checksumOf(stored), codec: "raw", filter: "none", rawBytes: 24, storedBytes: 24, minimum: -Infinity, maximum: Infinity } as const;
    expect((await failureOf(() => decode("float64", 3, { stored, record }, changes))).message).to.include("outside its statistics");
  });

  it("finds parameters of decimals out of range", async () => {
    const { record } = await encode("float64", [1.25, 2, 3.5]);
    expect(record).to.include({ encoding: "decimal", rawBytes: 27 });
    const raw = new Uint8Array([...new Uint8Array(BigInt64Array.of(125n, 75n).buffer), 1, 2, 8, 0, 0, 0, 0, 0, 0, 1, 3]);
    const changes = { codec: "raw", filter: "none", storedBytes: 27 } as const;
    expect(decode("float64", 3, { stored: raw, record }, { ...changes, checksum: checksumOf(raw) }).width).to.equal(8);
    for (const [at, byte] of [[17, 19], [18, 5], [18, 0], [7, 0x40], [7, 0xc0], [15, 0x40], [15, 0x80], [16, 2]] as const) {
      const changed = Uint8Array.from(raw);
      changed[at] = byte;
      expect((await failureOf(() => decode("float64", 3, { stored: changed, record }, { ...changes, checksum: checksumOf(changed) }))).code, `${at}`).to.equal("CORRUPT_CHUNK");
    }
  });

  it("finds a malformed block of either codec", async () => {
    for (const codec of ["lz4", "zstd"] as const) {
      const { stored, record } = await encodeValues("int64", scattered(3_000, 9n), { codec });
      expect(record.codec).to.equal(codec);
      const changed = stored.slice(0, -1);
      const changes = { checksum: checksumOf(changed), storedBytes: changed.length };
      expect((await failureOf(() => decode("int64", 3_000, { stored: changed, record }, changes))).message).to.equal(`its ${codec} block is malformed`);
    }
  });

  it("takes more memory for texts that need it", async () => {
    const values = Array.from({ length: 5 }, (_, row) => Buffer.alloc(5_000_000, row));
    expect(readValues(columnOf("bytes", 5, await encode("bytes", values)))).to.deep.equal(values.map((value) => Uint8Array.from(value)));
  });

  it("finds offsets of strings out of order", async () => {
    const { record } = await encode("string", ["ab", "cd", "ef"]);
    const stored = new Uint8Array([...new Uint8Array(Uint32Array.of(0, 5, 4, 6).buffer), ...Buffer.from("abcdef")]);
    const changes = { checksum: checksumOf(stored), codec: "raw", filter: "none", rawBytes: 22, storedBytes: 22 } as const;
    expect((await failureOf(() => decode("string", 3, { stored, record }, changes))).message).to.include("offsets");
  });
});

function checksumOf(bytes: Uint8Array): bigint {
  const pointer = heap.find(bytes.length)!;
  heap.kernels.bytes.set(bytes, pointer);
  heap.release(pointer);
  return heap.kernels.xxh64(pointer, bytes.length);
}

/** An extreme that is equal to another whether it is a Buffer or not. */
function plain(extreme: Extreme | null): Extreme | number[] | null {
  return extreme instanceof Uint8Array ? [...extreme] : extreme;
}

function claimsOf(claims: Partial<IndexClaims>): IndexClaims {
  return {
    dtype: "int64", hasDictionary: false, rows: 0, dataBytes: 0,
    fail: (wrong) => { throw new BquerydError("CORRUPT_FOOTER", wrong); },
    refuse: (what) => { throw new BquerydError("UNSUPPORTED_FORMAT", what); },
    ...claims,
  };
}

describe("an index", () => {
  const values = [...scattered(400, 60_000n), 0n, 59_999n];
  let chunk: EncodedChunk;
  let record: ChunkRecord;
  before(async () => {
    chunk = await encode("int64", values);
    record = { ...chunk.record, offset: 0 };
  });

  function reread(bytes: Uint8Array, claims: Partial<IndexClaims> = {}): ChunkRecord[] {
    return decodeIndex(bytes, claimsOf({ rows: values.length, dataBytes: chunk.stored.length, ...claims }));
  }

  it("comes back as it was written", async () => {
    expect(reread(encodeIndex("int64", [record]))).to.deep.equal([record]);
    const { record: text } = await encode("string", ["a", "é".repeat(40), null]);
    const [again] = reread(encodeIndex("string", [{ ...text, offset: 0 }]), { dtype: "string", rows: 3, dataBytes: 1_000 });
    expect(Buffer.from(again!.maximum as Uint8Array)).to.deep.equal(Buffer.from(text.maximum as Uint8Array));
    expect(again!.truncated).to.equal(true);
  });

  const lies: [string, Partial<ChunkRecord>][] = [
    ["a chunk past the end of the data", { offset: 1 }],
    ["more stored bytes than there are", { storedBytes: 828 }],
    ["more nulls than rows", { nullCount: 403 }],
    ["a raw size its rows cannot have", { rawBytes: 402 * 3 }],
    ["a minimum above the maximum", { minimum: 60_000n }],
    ["an encoding of another dtype", { encoding: "dictionary" }],
    ["a bomb", { encoding: "plain", rawBytes: 402 * 8, storedBytes: 12, codec: "lz4" }],
    ["no stored bytes", { storedBytes: 0, codec: "zstd" }],
  ];
  for (const [what, changes] of lies) {
    it(`with ${what} is refused`, async () => {
      const bytes = encodeIndex("int64", [{ ...record, ...changes }]);
      expect((await failureOf(() => reread(bytes))).code).to.equal("CORRUPT_FOOTER");
    });
  }

  it("of another length, dtype or count is refused", async () => {
    const bytes = encodeIndex("int64", [record]);
    for (const action of [() => reread(bytes.subarray(0, 63)), () => reread(bytes.subarray(0, 7)), () => reread(bytes, { dtype: "timestamp" }), () => reread(bytes, { rows: 65_537 })]) {
      expect((await failureOf(action)).code).to.equal("CORRUPT_FOOTER");
    }
  });

  it("with numbers of a newer release is refused as such", async () => {
    for (const place of [4, 44, 45, 46, 47]) {
      const bytes = encodeIndex("int64", [record]);
      bytes[place] = 99;
      expect((await failureOf(() => reread(bytes))).code, String(place)).to.equal("UNSUPPORTED_FORMAT");
    }
  });

  it("keeps the extremes of every dtype", async () => {
    for (const dtype of dtypes) {
      const values = isTextDtype(dtype) ? ["a", "b"] : isFloatDtype(dtype) ? [-0.5, Infinity] : dtype === "bool" ? [false, true] : Object.values(wholeRange(dtype));
      const { record } = await encode(dtype, dtype === "bytes" ? values.map((value) => Buffer.from(String(value))) : values);
      const [again] = reread(encodeIndex(dtype, [{ ...record, offset: 0 }]), { dtype, rows: 2, dataBytes: 100 });
      for (const end of ["minimum", "maximum"] as const) expect(plain(again![end]), dtype).to.deep.equal(plain(record[end]));
    }
  });

  it("claims no extreme that its dtype does not have", async () => {
    const wholes: WholeDtype[] = ["bool", "int8", "int16", "int32", "uint8", "uint16", "uint32", "date"];
    for (const dtype of wholes) {
      const { least, greatest } = wholeRange(dtype);
      const { record } = await encode(dtype, dtype === "bool" ? [false, true] : [least, greatest]);
      for (const changes of [{ minimum: least - 1n }, { maximum: greatest + 1n }]) {
        const bytes = encodeIndex(dtype, [{ ...record, offset: 0, ...changes }]);
        expect((await failureOf(() => reread(bytes, { dtype, rows: 2, dataBytes: 100 }))).message, dtype).to.include(dtype);
      }
    }
    const bytes = encodeIndex("float32", [{ ...(await encode("float32", [0, 1])).record, offset: 0, maximum: 1.1 }]);
    expect((await failureOf(() => reread(bytes, { dtype: "float32", rows: 2, dataBytes: 100 }))).message).to.include("float32");
  });

  it("claims no NaN", async () => {
    const bytes = encodeIndex("float64", [{ ...(await encode("float64", [1, 2])).record, offset: 0, minimum: NaN }]);
    expect((await failureOf(() => reread(bytes, { dtype: "float64", rows: 2, dataBytes: 100 }))).code).to.equal("CORRUPT_FOOTER");
  });
});
