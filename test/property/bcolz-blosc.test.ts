import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { encodeBlosc, type BloscForm } from "../support/blosc-chunk.js";
import { BloscFailure, decodeBloscAt } from "../support/blosc-decode.js";
import { expectSame, places } from "../unit/kernels-arena.js";

const fixtures = fileURLToPath(new URL("../../../test/fixtures/blosc/", import.meta.url));
const chunks = readdirSync(fixtures).filter((name) => name.endsWith(".blosc")).map((name) => readFileSync(`${fixtures}${name}`));

const form = fc.record({
  codec: fc.constantFrom<BloscForm["codec"]>("raw", "lz4", "zlib"),
  filter: fc.constantFrom<BloscForm["filter"]>("none", "bytes", "bits"),
  isSplit: fc.boolean(),
  valueBytes: fc.oneof(fc.constantFrom(1, 2, 4, 8), fc.integer({ min: 1, max: 30 })),
  values: fc.integer({ min: 1, max: 600 }),
  valuesInBlock: fc.oneof(fc.constantFrom(127, 128, 129), fc.integer({ min: 1, max: 700 })),
  isReversed: fc.boolean(),
  seed: fc.integer(),
});

describe("blosc chunks (property)", function () {
  this.timeout(60_000);

  it("decodes every form of the container", () => {
    fc.assert(fc.property(form, fc.constantFrom(...places), ({ codec, filter, isSplit, valueBytes, values, valuesInBlock, isReversed, seed }, place) => {
      const raw = Uint8Array.from({ length: values * valueBytes }, (_, i) => ((seed + (i % 90)) * 2_654_435_761) >>> 27);
      const order = (blocks: number): number[] => (isReversed ? [...Array(blocks).keys()].reverse() : [...Array(blocks).keys()]);
      const chunk = encodeBlosc(raw, { codec, filter, isSplit, valueBytes, blockBytes: Math.min(raw.length, valuesInBlock * valueBytes), order });
      expectSame(decodeBloscAt(place, chunk), raw);
    }), { numRuns: 500 });
  });

  it("refuses damaged chunks within bounds, or decodes them to what their header says", () => {
    let refused = 0;
    const changes = fc.array(fc.record({ at: fc.oneof(fc.nat({ max: 40 }), fc.nat()), byte: fc.integer({ min: 0, max: 255 }) }), { minLength: 1, maxLength: 3 });
    fc.assert(fc.property(fc.constantFrom(...chunks), changes, fc.constantFrom(0, 0, 0, 1, 20), (chunk, edits, cut) => {
      const damaged = Uint8Array.from(chunk.subarray(0, Math.max(0, chunk.length - cut)));
      for (const { at, byte } of edits) if (damaged.length > 0) damaged[at % damaged.length] = byte;
      try {
        decodeBloscAt("top", damaged);
      } catch (cause) {
        expect(cause).to.be.instanceOf(BloscFailure);
        refused++;
      }
    }), { numRuns: 2_000 });
    expect(refused).to.be.above(500);
  });
});
