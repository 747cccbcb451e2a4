import { expect } from "chai";
import { describe, it } from "mocha";
import { Packr } from "msgpackr";
import { checkHeaderBytes } from "../../lib/wire/header-bytes.js";

const packr = new Packr({ useRecords: false, variableMapSize: true });

function accepts(...bytes: number[]): boolean {
  try {
    checkHeaderBytes(Uint8Array.from(bytes));
    return true;
  } catch (failure) {
    expect(failure).to.have.property("code", "BAD_MESSAGE");
    return false;
  }
}

describe("bytes of a header", () => {
  it("may hold every plain value", () => {
    const long = "é".repeat(70_000);
    const values = [
      null, undefined, true, false, 0, 127, 128, 65_535, 65_536, 2 ** 40, -1, -32, -33, -129, -40_000, -(2 ** 40), 1.5, NaN,
      2n ** 63n, -(2n ** 63n), "", "abc", "x".repeat(40), "x".repeat(300), long, Buffer.alloc(3), Buffer.alloc(300), Buffer.alloc(70_000),
      [], [1, [2, [3]]], Array.from({ length: 20 }, String), Array.from({ length: 70_000 }, () => 0), {}, { a: { b: [] } },
      Object.fromEntries(Array.from({ length: 70_000 }, (_, key) => [`k${key}`, key])), new Date(0), new Date(1.5), new Date(-1e15),
    ];
    for (const value of values) checkHeaderBytes(packr.pack(value));
    checkHeaderBytes(packr.pack(values));
  });

  it("may not end early, wherever they are cut", () => {
    const whole = packr.pack({ type: "x", list: [1, 70_000, 1.5, "text", Buffer.alloc(300)], more: { a: null, b: new Date(0) } });
    for (let length = 0; length < whole.length; length++) expect(accepts(...whole.subarray(0, length)), `cut at ${length}`).to.equal(false);
  });

  it("may not go on after their end", () => {
    expect(accepts(0xc0)).to.equal(true);
    expect(accepts(0xc0, 0xc0)).to.equal(false);
  });

  it("may not claim more values than there are bytes", () => {
    expect(accepts(0xdd, 0xff, 0xff, 0xff, 0xff)).to.equal(false);
    expect(accepts(0xdf, 0x01, 0xff, 0xff, 0xff, 0xc0, 0xc0)).to.equal(false);
  });

  it("may not hold more values than a process has room for, however few bytes they are", () => {
    for (const value of [0x80, 0x90, 0xc0]) {
      const bytes = new Uint8Array(5 + 4_000_000).fill(value);
      bytes.set([0xdd, 0x00, 0x3d, 0x09, 0x00]);
      expect(() => { checkHeaderBytes(bytes); }, `4,000,000 times 0x${value.toString(16)} in a list`).to.throw(/more than 4000000 values/);
      bytes.set([0xdd, 0x00, 0x3d, 0x08, 0xff]);
      checkHeaderBytes(bytes.subarray(0, 5 + 3_999_999));
    }
  });

  it("may have maps with many names, but not millions that differ", () => {
    const mapOf = (names: readonly string[]): object => Object.fromEntries(names.map((name) => [name, null]));
    const names = (count: number, from = 0): string[] => Array.from({ length: count }, (_, k) => `n${from + k}`);
    const refuses = (value: unknown): void => { expect(() => { checkHeaderBytes(packr.pack(value)); }).to.throw(/maps of more than 100000 names/); };
    checkHeaderBytes(packr.pack(mapOf(names(100_000))));
    refuses(mapOf(names(100_001)));
    // The same names again and again are quick to build, and all there are of tables and shards.
    checkHeaderBytes(packr.pack(Array.from({ length: 100_000 }, () => ({ name: "a", rows: 1 }))));
    checkHeaderBytes(packr.pack(Array.from({ length: 10 }, (_, k) => mapOf(names(10_000, 10_000 * k)))));
    refuses(Array.from({ length: 11 }, (_, k) => mapOf(names(10_000, 10_000 * k))));
    // One other name makes another map.
    refuses(Array.from({ length: 20_000 }, (_, k) => mapOf([`m${k}`, ...names(9)])));
  });

  it("may have no other names than texts", () => {
    expect(accepts(0x81, 0xa1, 0x61, 0xc0)).to.equal(true);
    for (const name of [0x01, 0xc0, 0xc3, 0x90, 0x80]) expect(accepts(0x81, name, 0xc0), `0x${name.toString(16)}`).to.equal(false);
  });

  it("may be nested, but not without end", () => {
    expect(accepts(...Array.from({ length: 60 }, () => 0x91), 0xc0)).to.equal(true);
    expect(accepts(...Array.from({ length: 100_000 }, () => 0x91), 0xc0)).to.equal(false);
  });

  it("may not define records, errors, sets, references or expressions", () => {
    for (const type of [0x72, 0x65, 0x73, 0x69, 0x70, 0x78, 0x62, 0x74, 0x01]) {
      expect(accepts(0xd4, type, 0x00), `extension ${type}`).to.equal(false);
      expect(accepts(0xc7, 0x01, type, 0x00), `long extension ${type}`).to.equal(false);
    }
    expect(accepts(0xc1)).to.equal(false);
  });
});
