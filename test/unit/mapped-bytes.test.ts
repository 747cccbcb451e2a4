import { expect } from "chai";
import { describe, it } from "mocha";
import { createMappedBytes } from "../../lib/base/mapped-bytes.js";
import { packArrays, unpackArrays } from "../../lib/engine/packed-arrays.js";

describe("mapped bytes", () => {
  for (const length of [0, 1, 262_143, 262_144, 3_000_001]) {
    it(`are ${length} zeros that fill their buffer and can be handed over`, () => {
      const bytes = createMappedBytes(length);
      expect(bytes.every((byte) => byte === 0)).to.equal(true);
      expect([bytes.length, bytes.byteOffset, bytes.buffer.byteLength]).to.deep.equal([length, 0, length]);
      bytes.fill(7);
      const taken = structuredClone(bytes, { transfer: [bytes.buffer] });
      expect(taken).to.deep.equal(new Uint8Array(length).fill(7));
      expect(bytes.buffer.byteLength).to.equal(0);
    });
  }

  it("of more than there is are refused with what tells of memory", () => {
    expect(() => createMappedBytes(2 ** 52)).to.throw(RangeError, /allocation failed|Invalid/);
  });

  it("hold what is packed, however large", () => {
    const numbers = Float64Array.from({ length: 100_000 }, (_, k) => (k % 1_000 === 0 ? NaN : k / 3));
    const { description, arrays } = unpackArrays(packArrays({ rows: 5 }, [numbers, Uint8Array.of(1, 2, 3)]));
    expect(description).to.have.property("rows", 5);
    expect(new Float64Array(arrays[0]!.slice().buffer)).to.deep.equal(numbers);
    expect([...arrays[1]!]).to.deep.equal([1, 2, 3]);
  });

  it("are what large packed arrays are, and small ones are not", () => {
    // V8 maps what may be resized, and takes the rest from malloc.
    const [large, small] = [300_000, 1_000].map((length) => packArrays({}, [new Uint8Array(length)]));
    expect(large!.buffer).to.have.property("resizable", true);
    expect(small!.buffer).to.have.property("resizable", false);
  });
});
