import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { requireKeys } from "../../lib/columns/dictionary/text-keys.js";
import { packBytes, type Texts } from "../../lib/columns/texts.js";

/** Fails unless keys that differ order as their texts do. */
function expectOrder(entries: () => Texts, texts: readonly Uint8Array[], note: string): void {
  const { keys } = requireKeys(entries);
  const order = [...texts.keys()].sort((a, b) => Buffer.compare(texts[a]!, texts[b]!));
  for (let i = 1; i < order.length; i++) expect(keys[order[i - 1]!]! <= keys[order[i]!]!, note).to.equal(true);
}

describe("keys of a dictionary's texts", () => {
  it("tell texts apart after what all begin with", () => {
    const texts = packBytes(["id0000", "id0001", "id0102"].map((text) => Buffer.from(text)));
    expect([...requireKeys(() => texts).keys.subarray(0, 3)]).to.deep.equal([0x3030_3000, 0x3030_3100, 0x3130_3200]);
  });

  it("order as the texts do while the dictionary grows and shares less and less", () => {
    const seed = freshSeed();
    const random = seededRandom(seed);
    for (let round = 0; round < 50; round++) {
      const texts: Uint8Array[] = [];
      let packed = packBytes(texts);
      const entries = () => packed;
      for (const prefix of ["\u0000\u0000ab".repeat(20), "\u0000\u0000ab", "\u0000", ""]) {
        for (let i = Math.floor(random() * 30); i >= 0; i--) texts.push(Buffer.from(`${prefix}${"\u0000\u007f".repeat(Math.floor(random() * 4))}${Math.floor(random() * 99)}`.slice(0, 70)));
        packed = packBytes(texts);
        expectOrder(entries, texts, `seed ${seed}`);
      }
    }
  });

  it("have nothing to say of texts that are longer than one another and else equal", () => {
    const texts = ["", "\u0000", "\u0000\u0000", "\u0000\u0000\u0000\u0000\u0000"].map((text) => Buffer.from(text));
    const packed = packBytes(texts);
    expectOrder(() => packed, texts, "zeros");
    expect([...requireKeys(() => packed).keys.subarray(0, 4)]).to.deep.equal([0, 0, 0, 0]);
  });
});
