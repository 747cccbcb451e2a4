import { expect } from "chai";
import fc from "fast-check";
import { compressSync } from "lz4-napi";
import { describe, it } from "mocha";
import { expectSame, openArena } from "../unit/kernels-arena.js";
import { referenceLz4Decode } from "../unit/kernels-references.js";

/** Literals, then a match; lengths and offsets around the edges of vectors and of the format. */
const sequence = fc.record({
  literals: fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 250, maxLength: 300 })),
  offset: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 65_535 })),
  length: fc.oneof(fc.integer({ min: 4, max: 40 }), fc.integer({ min: 4, max: 700 })),
});

/** A well formed block, unless an offset was drawn that reaches before its start. */
const block = fc.tuple(fc.array(sequence, { maxLength: 12 }), fc.uint8Array({ maxLength: 40 })).map(([sequences, tail]) => {
  const bytes: number[] = [];
  let targetBytes = tail.length;
  for (const { literals, offset, length } of sequences) {
    const reachable = Math.min(offset, targetBytes - tail.length + literals.length) || offset;
    bytes.push((Math.min(literals.length, 15) << 4) | Math.min(length - 4, 15), ...more(literals.length), ...literals);
    bytes.push(reachable & 255, reachable >> 8, ...more(length - 4));
    targetBytes += literals.length + length;
  }
  bytes.push(Math.min(tail.length, 15) << 4, ...more(tail.length), ...tail);
  return { bytes: Uint8Array.from(bytes), targetBytes };
});

function more(length: number): number[] {
  if (length < 15) return [];
  return [...new Array<number>(Math.floor((length - 15) / 255)).fill(255), (length - 15) % 255];
}

/** Decodes with the source, then with the target, at the very end of memory, and compares with the reference. */
function expectAsReference(bytes: Uint8Array, targetBytes: number): void {
  const expected = referenceLz4Decode(bytes, targetBytes);
  for (const isSourceLast of [true, false]) {
    const arena = openArena("top");
    let target = isSourceLast ? 0 : arena.reserve(targetBytes);
    const source = arena.put(bytes);
    if (isSourceLast) target = arena.reserve(targetBytes);
    const result = arena.kernels.lz4Decode(source, bytes.length, target, targetBytes);
    arena.check();
    expect(result).to.equal(expected === undefined ? -1 : targetBytes);
    if (expected !== undefined) expectSame(arena.read(Uint8Array, target, targetBytes), expected);
    expectSame(arena.read(Uint8Array, source, bytes.length), bytes);
  }
}

describe("lz4Decode (property)", function () {
  this.timeout(60_000);

  it("decodes any sequences as the plain decoder does", () => {
    let wellFormed = 0;
    fc.assert(fc.property(block, ({ bytes, targetBytes }) => {
      if (referenceLz4Decode(bytes, targetBytes) !== undefined) wellFormed++;
      expectAsReference(bytes, targetBytes);
    }), { numRuns: 1_000 });
    expect(wellFormed).to.be.above(500);
  });

  it("refuses or decodes damaged blocks as the plain decoder does, within bounds", () => {
    const damage = fc.array(fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) }), { minLength: 1, maxLength: 4 });
    fc.assert(fc.property(block, damage, fc.integer({ min: -3, max: 3 }), fc.nat({ max: 5 }), ({ bytes, targetBytes }, changes, longer, cut) => {
      const damaged = bytes.slice(0, Math.max(0, bytes.length - cut));
      for (const { at, byte } of changes) if (damaged.length > 0) damaged[at % damaged.length] = byte;
      expectAsReference(damaged, Math.max(0, targetBytes + longer));
    }), { numRuns: 2_000 });
  });

  it("refuses or decodes noise as the plain decoder does, within bounds", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 2_000 }), expectAsReference), { numRuns: 2_000 });
  });

  it("decodes what the compressor makes of any bytes", () => {
    const runs = fc.array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 60 })), { maxLength: 20 });
    fc.assert(fc.property(runs, (pieces) => {
      const raw = Buffer.concat(pieces.flatMap(([bytes, times]) => new Array<Uint8Array>(times).fill(bytes)));
      expectAsReference(new Uint8Array(compressSync(raw).subarray(4)), raw.length);
    }), { numRuns: 300 });
  });
});
