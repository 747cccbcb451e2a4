import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { createDictionaryBuilder, type DictionaryBuilder } from "../../lib/columns/dictionary/builder.js";
import { decodeDictionary } from "../../lib/columns/files/dictionary.js";
import { rankTexts } from "../../lib/columns/dictionary/rank-texts.js";
import type { Dictionary } from "../../lib/columns/files/dictionary.js";
import { bytesAt, packBytes, packStrings, type Texts } from "../../lib/columns/texts.js";

const limits = { valuesMax: 1_000_000, bytesMax: 64 * 1024 * 1024 };

function textsOf(builder: DictionaryBuilder): string[] {
  const texts = builder.texts();
  return Array.from({ length: builder.count() }, (_, code) => Buffer.from(bytesAt(texts, code)).toString());
}

function decode(builder: DictionaryBuilder): Dictionary {
  const { file, count, bytes } = builder.finish();
  return decodeDictionary(file, { id: "d", count, bytes, fail: (wrong) => { throw new Error(wrong); } });
}

function coded(entries: readonly string[], codes: readonly number[]): Texts {
  return { ...packStrings(entries), codes: Uint32Array.from(codes) };
}

/** The codes of rows by a Map, which is what a builder must agree with. */
function referenceCodes(rows: readonly (string | null)[], known: Map<string, number>): number[] {
  return rows.map((row) => {
    if (row === null) return 0;
    if (!known.has(row)) known.set(row, known.size);
    return known.get(row)!;
  });
}

describe("a dictionary being built", () => {
  it("numbers texts by first appearance, coded or not, nulls left out", () => {
    const builder = createDictionaryBuilder(limits);
    expect([...builder.encode(packStrings(["b", "a", "b", "", "a"]), null, 1, 4)!]).to.deep.equal([0, 1, 2, 0]);
    expect([...builder.encode(packStrings(["x", "z", "b"]), Uint8Array.of(0b010), 0, 3)!]).to.deep.equal([3, 0, 1]);
    expect([...builder.encode(coded(["unused", "b", "new", "b"], [3, 2, 1, 2]), Uint8Array.of(0b1000), 0, 4)!]).to.deep.equal([1, 4, 1, 0]);
    expect(textsOf(builder)).to.deep.equal(["a", "b", "", "x", "new"]);
  });

  it("agrees with a Map on random texts, in whatever way they come", () => {
    const seed = freshSeed();
    const random = seededRandom(seed);
    const builder = createDictionaryBuilder(limits);
    const known = new Map<string, number>();
    for (let batch = 0; batch < 60; batch++) {
      const spread = 1 + Math.floor(random() * 5_000);
      const rows = Array.from({ length: 1 + Math.floor(random() * 3_000) }, () => (random() < 0.1 ? null : `${"long ".repeat(Math.floor(random() * 12) ** 2)}${Math.floor(random() * spread)}`));
      const nulls = new Uint8Array(Math.ceil(rows.length / 8));
      rows.forEach((row, at) => { if (row === null) nulls[at >> 3]! |= 1 << (at & 7); });
      const isCoded = random() < 0.5;
      const entries = [...new Set(rows.map((row) => row ?? ""))];
      const texts = isCoded ? coded([...entries, ...Array.from({ length: random() < 0.3 ? 200_000 : 0 }, () => "")], rows.map((row) => entries.indexOf(row ?? ""))) : packStrings(rows);
      const codes = builder.encode(texts, nulls, 0, rows.length)!;
      expect([...codes], `seed ${seed}, batch ${batch}`).to.deep.equal(referenceCodes(rows, known));
    }
    expect(textsOf(builder)).to.deep.equal([...known.keys()]);
  });

  it("stops at its limits, and still has the texts before", () => {
    const few = createDictionaryBuilder({ ...limits, valuesMax: 3 });
    expect(few.encode(packStrings(["a", "b", "c", "a"]), null, 0, 4)).to.not.equal(undefined);
    expect(few.encode(packStrings(["b", "d"]), null, 0, 2)).to.equal(undefined);
    expect(textsOf(few)).to.deep.equal(["a", "b", "c"]);
    const short = createDictionaryBuilder({ ...limits, bytesMax: 10 });
    expect(short.encode(packStrings(["12345", "67890", "12345"]), null, 0, 3)).to.not.equal(undefined);
    expect(short.encode(packStrings(["x"]), null, 0, 1)).to.equal(undefined);
    expect(textsOf(short)).to.deep.equal(["12345", "67890"]);
  });

  it("holds texts of megabytes, and moves to larger memory for them", () => {
    const builder = createDictionaryBuilder(limits);
    const large = Array.from({ length: 12 }, (_, at) => String(at).repeat(3_000_000));
    for (const text of large) builder.encode(packStrings(["small", text]), null, 0, 2);
    expect(builder.count()).to.equal(13);
    expect([...builder.encode(packStrings([large[7]!, "small"]), null, 0, 2)!]).to.deep.equal([8, 0]);
    expect(builder.encode(packStrings(["x".repeat(30_000_000)]), null, 0, 1)).to.equal(undefined);
  });

  it("begins with another one, whose codes it keeps", () => {
    const first = createDictionaryBuilder(limits);
    first.encode(packStrings(Array.from({ length: 5_000 }, (_, at) => `w${at * 7 % 5_000}`)), null, 0, 5_000);
    const start = decode(first);
    const second = createDictionaryBuilder({ ...limits, start });
    expect([...second.encode(packStrings(["w7", "new", "w0", "a"]), null, 0, 4)!]).to.deep.equal([1, 5_000, 0, 5_001]);
    const { ranks, count } = decode(second);
    const all = textsOf(second);
    const order = Array.from({ length: count }, (_, code) => code).sort((a, b) => ranks[a]! - ranks[b]!);
    expect(order.map((code) => all[code])).to.deep.equal([...all].sort());
  });

  it("refuses strings that are not UTF-8, also when two halves meet, and takes any bytes", () => {
    const halves = packBytes([Uint8Array.of(0xc3), Uint8Array.of(0xa9)]);
    expect(() => createDictionaryBuilder({ ...limits, dtype: "string" }).encode(halves, null, 0, 2)).to.throw(/UTF-8/);
    expect([...createDictionaryBuilder({ ...limits, dtype: "bytes" }).encode(halves, null, 0, 2)!]).to.deep.equal([0, 1]);
  });
});

describe("ranks of texts", () => {
  /** By comparing whole texts. */
  function referenceRanks({ offsets, bytes }: Texts): number[] {
    const texts = Array.from({ length: offsets.length - 1 }, (_, code) => bytes.subarray(offsets[code], offsets[code + 1]));
    const order = [...texts.keys()].sort((a, b) => Buffer.compare(texts[a]!, texts[b]!));
    const ranks = texts.map(() => 0);
    order.forEach((code, rank) => { ranks[code] = rank; });
    return ranks;
  }

  it("order by unsigned bytes: zeros, high bytes, prefixes and long common beginnings", () => {
    const seed = freshSeed();
    const random = seededRandom(seed);
    for (let run = 0; run < 200; run++) {
      const alphabet = [0, 0, 1, 0x61, 0xff];
      const texts = new Map<string, Uint8Array>();
      const shared = Math.floor(random() * 20);
      for (let i = 0; i < 1 + Math.floor(random() * 60); i++) {
        const text = Uint8Array.from({ length: random() < 0.5 ? shared + Math.floor(random() * 4) : Math.floor(random() * 9) }, (_, at) => (at < shared ? 0x62 : alphabet[Math.floor(random() * 5)]!));
        texts.set(Buffer.from(text).toString("hex"), text);
      }
      const packed = packBytes([...texts.values()]);
      const expected = referenceRanks(packed);
      expect([...rankTexts(packed.offsets, packed.bytes)], `seed ${seed}, run ${run}`).to.deep.equal(expected);
      const known = Math.floor(random() * texts.size);
      const start = referenceRanks(packBytes([...texts.values()].slice(0, known)));
      expect([...rankTexts(packed.offsets, packed.bytes, Uint32Array.from(start))], `seed ${seed}, run ${run}, after ${known}`).to.deep.equal(expected);
    }
  });
});
