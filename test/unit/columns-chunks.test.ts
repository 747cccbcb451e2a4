import { expect } from "chai";
import { describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { createArena } from "../../lib/columns/arena.js";
import { createChunkBuffer, pushRows, viewChunk } from "../../lib/columns/chunk-buffer.js";
import { decodeChunk } from "../../lib/columns/decode.js";
import type { Dtype } from "../../lib/columns/dtypes.js";
import { vectorKind } from "../../lib/columns/encodings.js";
import { encodeChunk, type EncodedChunk } from "../../lib/columns/encode.js";
import { decodeIndex, encodeIndex, type ChunkRecord } from "../../lib/columns/index-file.js";
import type { Vector } from "../../lib/columns/vector.js";
import { createHeap } from "../../lib/kernels/heap.js";
import { loadKernels } from "../../lib/kernels/kernels.js";
import { failureOf } from "../support/failure.js";
import type { StoredValue } from "../support/read-table.js";
import { batchOf } from "../support/write-table.js";

const arena = createArena();
const heap = createHeap(loadKernels(16 * 1024 * 1024), 16 * 1024 * 1024);

/** Encodes values as one chunk; strings as codes when there are texts to look them up in. */
function encode(dtype: Dtype, values: readonly StoredValue[], texts?: readonly string[]): EncodedChunk {
  const kind = dtype === "bool" ? "bool" : vectorKind(dtype, texts !== undefined);
  const buffer = createChunkBuffer(kind, (code) => texts![code]!);
  const batch = batchOf(dtype, values);
  const source = texts === undefined ? batch.values : Uint32Array.from(values, (value) => Math.max(0, texts.indexOf(value as string)));
  pushRows(buffer, source, { from: 0, count: values.length, nulls: batch.nulls, nullsFrom: 0 });
  return encodeChunk(arena, viewChunk(buffer));
}

/** Decodes a chunk, its record changed where told, and releases it again. */
function decode(dtype: Dtype, rows: number, { stored, record }: EncodedChunk, { dictionaryCount = 0, ...changes }: Partial<ChunkRecord> & { dictionaryCount?: number } = {}): Vector {
  const vector = decodeChunk({
    kind: vectorKind(dtype, dictionaryCount > 0), rows, dictionaryCount,
    record: { offset: 0, ...record, ...changes },
    load: (target) => { target.set(stored); },
    fail: (wrong) => { throw new BquerydError("CORRUPT_CHUNK", wrong); },
  }, heap, (bytes) => heap.find(bytes)!);
  for (const pointer of vector.owned) heap.release(pointer);
  return vector;
}

/** Integers from 0 that no codec can shrink, below a limit. */
function scattered(rows: number, limit: bigint): bigint[] {
  return Array.from({ length: rows }, (_, row) => (BigInt(row) * 0x9e3779b97f4a7c15n % 2n ** 64n >> 3n) % limit);
}

describe("encoding a chunk", () => {
  it("keeps one value for a constant chunk, nulls or not", () => {
    for (const values of [[5n, 5n, 5n], [null, 5n, null, 5n]]) {
      const { record } = encode("int64", values);
      expect(record).to.include({ encoding: "constant", minimum: 5n, maximum: 5n });
      expect(decode("int64", values.length, encode("int64", values))).to.include({ width: 1, base: 5n });
    }
    expect(encode("float64", [2.5, null, 2.5]).record.encoding).to.equal("constant");
    expect(encode("bool", [true, true]).record.encoding).to.equal("constant");
    expect(encode("string", ["x", "x"], ["x"]).record.encoding).to.equal("constant");
  });

  it("stores nothing at all for a chunk of nulls", () => {
    for (const dtype of ["bool", "int64", "float64", "string", "timestamp"] as const) {
      const { stored, record } = encode(dtype, [null, null, null]);
      expect(stored).to.have.length(0);
      expect(record).to.include({ rawBytes: 0, nullCount: 3, minimum: null, maximum: null });
    }
  });

  it("narrows integers to the least width that holds them", () => {
    for (const [limit, width] of [[200n, 1], [60_000n, 2], [4_000_000_000n, 4], [2n ** 62n, 8]] as const) {
      const values = [...scattered(500, limit), 0n, limit - 1n].map((value) => value - 7n);
      const chunk = encode("int64", values);
      expect(chunk.record.encoding).to.equal(width === 8 ? "plain" : "narrowed");
      expect(decode("int64", values.length, chunk).width).to.equal(width);
    }
  });

  it("divides by the greatest common step", () => {
    const hours = scattered(500, 60_000n).map((value) => value * 3_600_000_000_000n - 5n);
    const chunk = encode("timestamp", [...hours, -5n, -5n + 3_600_000_000_000n]);
    expect(decode("timestamp", 502, chunk)).to.include({ width: 2, base: -5n, step: 3_600_000_000_000n });
  });

  it("holds both ends of int64 in one chunk", () => {
    const chunk = encode("int64", [2n ** 63n - 1n, -(2n ** 63n), 0n]);
    expect(chunk.record).to.include({ encoding: "plain", minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n });
    const upper = encode("int64", [0n, 2n ** 63n - 1n]);
    expect(decode("int64", 2, upper)).to.include({ width: 1, step: 2n ** 63n - 1n });
  });

  it("stores NaN as null and -0.0 as 0.0", () => {
    const chunk = encode("float64", [NaN, -0, 1]);
    expect(chunk.record).to.include({ nullCount: 1, maximum: 1 });
    expect(Object.is(chunk.record.minimum, 0)).to.equal(true);
    const vector = decode("float64", 3, chunk);
    expect([...new Uint8Array(heap.kernels.bytes.buffer, vector.values, 16)]).to.deep.equal(Array.from({ length: 16 }, () => 0));
    expect(encode("float64", [NaN, NaN]).stored).to.have.length(0);
  });

  it("counts infinities as extremes", () => {
    expect(encode("float64", [-Infinity, 1, Infinity, null]).record).to.include({ minimum: -Infinity, maximum: Infinity });
  });

  it("chooses the smallest of raw, compressed and shuffled", () => {
    const noise = Array.from({ length: 50 }, (_, row) => BigInt.asIntN(64, BigInt(row + 1) ** 9n * 0x9e3779b97f4a7c15n));
    expect(encode("int64", noise).record).to.include({ codec: "raw", filter: "none" });
    expect(encode("bool", Array.from({ length: 1_000 }, (_, row) => row % 2 === 0)).record).to.include({ codec: "lz4", filter: "none" });
    const random = seededRandom(1);
    const unit = Array.from({ length: 5_000 }, () => random());
    expect(encode("float64", unit).record).to.include({ codec: "lz4", filter: "shuffle" });
  });

  it("bounds long strings from both sides", () => {
    const long = "é".repeat(50);
    const { record } = encode("string", [long, `${long}a`, null]);
    expect(record.truncated).to.equal(true);
    const [minimum, maximum] = [Buffer.from(record.minimum as Uint8Array), Buffer.from(record.maximum as Uint8Array)];
    expect([minimum.length, maximum.length]).to.deep.equal([64, 64]);
    expect(Buffer.compare(minimum, Buffer.from(long))).to.be.lessThan(1);
    expect(Buffer.compare(maximum, Buffer.from(`${long}a`))).to.be.greaterThan(-1);
    expect(encode("string", ["a", "é".repeat(32)]).record.truncated).to.equal(false);
  });

  it("orders strings by bytes, not by UTF-16", () => {
    const { record } = encode("string", ["\u{10000}", "\uffff", "a"]);
    expect(Buffer.from(record.maximum as Uint8Array).toString()).to.equal("\u{10000}");
    expect(Buffer.from(record.minimum as Uint8Array).toString()).to.equal("a");
  });
});

describe("decoding a chunk", () => {
  it("gives constants and nulls as shared pages that nobody owns", () => {
    const constant = decode("int64", 3, encode("int64", [5n, 5n, 5n]));
    const nulls = decode("string", 2, encode("string", [null, null]), { dictionaryCount: 1 });
    expect(constant.owned).to.deep.equal([]);
    expect(nulls).to.include({ kind: "code", width: 1, nullCount: 2, values: constant.values });
    expect(heap.kernels.bytes[nulls.nulls]).to.equal(0xff);
  });

  it("fills the null rows with the placeholder of their kind", () => {
    const ints = decode("int64", 4, encode("int64", [2n ** 62n, null, -9n, 5n]));
    expect(new BigInt64Array(heap.kernels.bytes.buffer, ints.values, 3)[1]).to.equal(-9n);
    const codes = decode("string", 3, encode("string", ["b", null, "c"], ["a", "b", "c"]), { dictionaryCount: 3 });
    expect([...heap.kernels.bytes.subarray(codes.values, codes.values + 3)]).to.deep.equal([1, 0, 2]);
    const texts = decode("string", 3, encode("string", ["b", null, "c"]));
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
    ["a dictionary that is too short", "string", codes, { dictionaryCount: 2 }, ["a", "b", "c"]],
    ["a dictionary too short for a constant", "string", ["c", "c"], { dictionaryCount: 2 }, ["a", "b", "c"]],
    ["a raw size that LZ4 does not give", "int64", Array.from({ length: 3_000 }, (_, row) => BigInt(row % 7)), { rawBytes: 3_023 }],
  ];
  for (const [what, dtype, values, changes, texts] of lies) {
    it(`finds ${what} and keeps no memory`, async () => {
      const usedBytes = heap.usedBytes;
      const chunk = encode(dtype, values, texts);
      expect((await failureOf(() => decode(dtype, values.length, chunk, changes))).code).to.equal("CORRUPT_CHUNK");
      expect(heap.usedBytes).to.equal(usedBytes);
    });
  }

  it("finds offsets of strings out of order", async () => {
    const { record } = encode("string", ["ab", "cd", "ef"]);
    const stored = new Uint8Array([...new Uint8Array(Uint32Array.of(0, 5, 4, 6).buffer), ...Buffer.from("abcdef")]);
    const changes = { checksum: checksumOf(stored), codec: "raw", filter: "none", rawBytes: 22, storedBytes: 22 } as const;
    expect((await failureOf(() => decode("string", 3, { stored, record }, changes))).message).to.include("offsets");
  });
});

function checksumOf(bytes: Uint8Array): bigint {
  const pointer = heap.find(bytes.length)!;
  heap.kernels.bytes.set(bytes, pointer);
  heap.release(pointer);
  return BigInt.asUintN(64, heap.kernels.xxh64(pointer, bytes.length));
}

describe("an index", () => {
  const values = [...scattered(400, 60_000n), 0n, 59_999n];
  const chunk = encode("int64", values);
  const record: ChunkRecord = { ...chunk.record, offset: 0 };

  function reread(bytes: Uint8Array, claims: Partial<Parameters<typeof decodeIndex>[1]> = {}): ChunkRecord[] {
    return decodeIndex(bytes, {
      dtype: "int64", hasDictionary: false, rows: values.length, dataBytes: chunk.stored.length,
      fail: (wrong) => { throw new BquerydError("CORRUPT_FOOTER", wrong); },
      refuse: (what) => { throw new BquerydError("UNSUPPORTED_FORMAT", what); },
      ...claims,
    });
  }

  it("comes back as it was written", () => {
    expect(reread(encodeIndex("int64", [record]))).to.deep.equal([record]);
    const { record: text } = encode("string", ["a", "é".repeat(40), null]);
    const [again] = reread(encodeIndex("string", [{ ...text, offset: 0 }]), { dtype: "string", rows: 3, dataBytes: 1_000 });
    expect(Buffer.from(again!.maximum as Uint8Array)).to.deep.equal(Buffer.from(text.maximum as Uint8Array));
    expect(again!.truncated).to.equal(true);
  });

  const lies: [string, Partial<ChunkRecord>][] = [
    ["a chunk past the end of the data", { offset: 1 }],
    ["more stored bytes than there are", { storedBytes: chunk.stored.length + 1 }],
    ["more nulls than rows", { nullCount: 403 }],
    ["a raw size its rows cannot have", { rawBytes: 402 * 3 }],
    ["a minimum above the maximum", { minimum: 60_000n }],
    ["an encoding of another dtype", { encoding: "dictionary" }],
    ["a bomb", { encoding: "plain", rawBytes: 402 * 8, storedBytes: 12, codec: "lz4" }],
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
    for (const place of [4, 44, 45, 46]) {
      const bytes = encodeIndex("int64", [record]);
      bytes[place] = 99;
      expect((await failureOf(() => reread(bytes))).code, String(place)).to.equal("UNSUPPORTED_FORMAT");
    }
  });

  it("claims no NaN", async () => {
    const bytes = encodeIndex("float64", [{ ...encode("float64", [1, 2]).record, offset: 0, minimum: NaN }]);
    expect((await failureOf(() => reread(bytes, { dtype: "float64", rows: 2, dataBytes: 100 }))).code).to.equal("CORRUPT_FOOTER");
  });
});
