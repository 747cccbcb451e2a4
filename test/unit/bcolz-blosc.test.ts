import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { describe, it } from "mocha";
import { readBloscHeader } from "../../lib/columns/bcolz/blosc.js";
import { encodeBlosc, storeBlosc, type BloscForm } from "../support/blosc-chunk.js";
import { BloscFailure, decodeBloscAt } from "../support/blosc-decode.js";
import { expectSame, places } from "./kernels-arena.js";

/** Chunks that Python bcolz wrote, one for each codec, filter and form; the hash is that of the bytes they came from. */
const fixtures = fileURLToPath(new URL("../../../test/fixtures/blosc/", import.meta.url));
const expected = JSON.parse(readFileSync(`${fixtures}expected.json`, "utf8")) as Record<string, { from: string; sha256: string }>;

const form: BloscForm = { codec: "lz4", filter: "bytes", isSplit: true, valueBytes: 4, blockBytes: 1_024 };
/** Three blocks and a shorter one. */
const values = new Uint8Array(Uint32Array.from({ length: 900 }, (_, i) => i * i).buffer);

function expectDecoded(chunk: Uint8Array, raw: Uint8Array): void {
  for (const place of places) expectSame(decodeBloscAt(place, chunk), raw);
}

function expectRefused(chunk: Uint8Array, wrong: string): void {
  for (const place of places) expect(() => decodeBloscAt(place, chunk)).to.throw(BloscFailure, wrong);
}

/** A chunk with a u32 of its own at a place. */
function withU32(chunk: Uint8Array, at: number, value: number): Uint8Array {
  const changed = Uint8Array.from(chunk);
  new DataView(changed.buffer).setUint32(at, value, true);
  return changed;
}

describe("blosc chunks", () => {
  for (const [name, { from, sha256 }] of Object.entries(expected)) {
    it(`decodes ${name} (${from})`, () => {
      const chunk = readFileSync(`${fixtures}${name}.blosc`);
      for (const place of places) expect(createHash("sha256").update(decodeBloscAt(place, chunk)).digest("hex")).to.equal(sha256);
    });
  }

  it("finds blocks in whatever order they are stored", () => {
    const chunk = encodeBlosc(values, { ...form, order: () => [2, 0, 3, 1] });
    const starts = new Uint32Array(chunk.slice(16, 32).buffer);
    expect(starts[0]!).to.be.above(starts[2]!);
    expectDecoded(chunk, values);
  });

  it("splits whole blocks of 128 values or more, and never the shorter last one", () => {
    const chunk = encodeBlosc(values, form);
    const start = new DataView(chunk.buffer).getUint32(16 + 12, true);
    expect(values.length % form.blockBytes).to.be.above(128 * 4);
    expect(new DataView(chunk.buffer).getUint32(start, true)).to.equal(chunk.length - start - 4);
    expectDecoded(chunk, values);
    expectDecoded(encodeBlosc(values, { ...form, blockBytes: 508 }), values);
    expectDecoded(encodeBlosc(values, { ...form, isSplit: false }), values);
    expectDecoded(encodeBlosc(new Uint8Array(17 * 256), { ...form, valueBytes: 17, blockBytes: 17 * 128 }), new Uint8Array(17 * 256));
  });

  it("joins bit planes only where values are a multiple of eight, of single bytes too", () => {
    for (const valueBytes of [1, 2, 8, 100]) {
      for (const count of [7, 8, 64, 127, 136]) {
        const raw = values.slice(0, 3_600).subarray(0, Math.min(3_600, valueBytes * count));
        expectDecoded(encodeBlosc(raw, { ...form, filter: "bits", isSplit: false, valueBytes, blockBytes: raw.length }), raw);
      }
    }
  });

  it("copies what is left over past the last whole value", () => {
    for (const filter of ["bytes", "bits"] as const) {
      const raw = values.slice(0, 8 * 24 + 5);
      expectDecoded(encodeBlosc(raw, { ...form, filter, isSplit: false, valueBytes: 8, blockBytes: raw.length }), raw);
    }
  });

  it("takes stored bytes as they are, whatever the filter says, and none at all", () => {
    for (const flags of [0, 1, 4, 0x21]) expectDecoded(storeBlosc(values, { flags, valueBytes: 4 }), values);
    expectDecoded(storeBlosc(new Uint8Array(0), { flags: 0, valueBytes: 1 }), new Uint8Array(0));
  });

  it("leaves bytes after the chunk alone", () => {
    expectDecoded(Uint8Array.from([...encodeBlosc(values, form), 1, 2, 3]), values);
  });

  it("refuses a header that is not of Blosc 1 or whose sizes disagree", () => {
    const chunk = encodeBlosc(values, form);
    const stored = storeBlosc(values, { flags: 0, valueBytes: 4 });
    expectRefused(chunk.subarray(0, 15), "shorter than a Blosc header");
    for (const [at, byte] of [[0, 3], [1, 2], [2, chunk[2]! | 8], [2, 0xa1], [2, 0xe1]] as const) expectRefused(chunk.with(at, byte), "no chunk of Blosc 1");
    expectRefused(chunk.with(3, 0), "values have no bytes");
    expectRefused(chunk.subarray(0, -1), "it is cut");
    expectRefused(withU32(chunk, 12, 15), "it is cut");
    expectRefused(withU32(chunk, 12, 0xffff_ffff), "it is cut");
    for (const blockBytes of [0, 1, values.length + 1, 0xffff_ffff]) expectRefused(withU32(chunk, 8, blockBytes), "sizes in its Blosc header disagree");
    for (const rawBytes of [values.length - 1, values.length + 1]) expectRefused(withU32(stored, 4, rawBytes), "sizes in its Blosc header disagree");
  });

  it("refuses more raw bytes than the codec can make of the chunk, before anything is decoded", () => {
    const chunk = encodeBlosc(values, { ...form, blockBytes: values.length });
    const limit = chunk.length * 256;
    expect(() => readBloscHeader(withU32(chunk, 4, limit), chunk.length, fail)).not.to.throw();
    expect(() => readBloscHeader(withU32(chunk, 4, limit + 1), chunk.length, fail)).to.throw(BloscFailure, "sizes in its Blosc header disagree");
  });

  it("refuses blocks and streams outside the chunk", () => {
    const chunk = encodeBlosc(values, form);
    const start = new DataView(chunk.buffer).getUint32(16, true);
    for (const place of [0, 31, chunk.length + 1, 0xffff_ffff]) expectRefused(withU32(chunk, 16, place), "block 0 begins outside");
    for (const place of [chunk.length, chunk.length - 3]) expectRefused(withU32(chunk, 16, place), "a block ends outside");
    for (const bytes of [chunk.length, 0xffff_ffff]) expectRefused(withU32(chunk, start, bytes), "a block ends outside");
  });

  it("refuses streams that make too few or too many bytes", () => {
    for (const codec of ["lz4", "zlib"] as const) {
      const long = encodeBlosc(new Uint8Array(4_000), { ...form, codec, isSplit: false, filter: "none", blockBytes: 4_000 });
      for (const rawBytes of [3_999, 4_001]) expectRefused(withU32(withU32(long, 4, rawBytes), 8, rawBytes), `its ${codec} stream is malformed`);
      expectRefused(withU32(long, 20, 0), `its ${codec} stream is malformed`);
    }
  });

  it("refuses blocks to split that are no multiple of the value", () => {
    const chunk = encodeBlosc(values, { ...form, isSplit: false, filter: "none", codec: "raw", blockBytes: 1_023 });
    expectRefused(chunk.with(2, 0), "no multiple of its values");
  });
});

function fail(wrong: string): never {
  throw new BloscFailure(wrong);
}
