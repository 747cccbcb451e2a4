import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { referenceBitShuffle, referenceBlosclz, referenceShuffle, referenceSnappy } from "../support/codec-references.js";
import { expectSame, openArena, places } from "../unit/kernels-arena.js";

type Reference = (bytes: Uint8Array, targetBytes: number) => Uint8Array | undefined;

/** Literals, then a match; lengths and distances around the edges of vectors and of the formats. */
const step = fc.record({
  literals: fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 55, maxLength: 70 }), fc.uint8Array({ minLength: 250, maxLength: 300 })),
  distance: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 2_040, max: 2_060 }), fc.integer({ min: 8_185, max: 8_200 }), fc.integer({ min: 1, max: 70_000 })),
  length: fc.oneof(fc.integer({ min: 4, max: 12 }), fc.integer({ min: 55, max: 70 }), fc.integer({ min: 3, max: 700 })),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Steps after enough literals for the far distances, in half of the cases. */
const steps = fc.tuple(fc.constantFrom(0, 9_000), fc.array(step, { minLength: 1, maxLength: 12 })).map(([far, rest]) => {
  const start: Step = { literals: Uint8Array.from({ length: far }, (_, i) => (i * 7 + (i >> 8)) & 255), distance: 1, length: 5 };
  return far === 0 ? rest : [start, ...rest];
});

/** What a format makes of steps; each distance is cut to what lies before. */
function encode(parts: readonly Step[], putLiterals: (out: number[], literals: readonly number[]) => void, putMatch: (out: number[], distance: number, length: number) => void): { bytes: number[]; targetBytes: number } {
  const bytes: number[] = [];
  let targetBytes = 0;
  for (const { literals, distance, length } of parts) {
    if (literals.length > 0) putLiterals(bytes, [...literals]);
    targetBytes += literals.length;
    if (targetBytes === 0) continue;
    putMatch(bytes, Math.min(distance, targetBytes), length);
    targetBytes += length;
  }
  return { bytes, targetBytes };
}

const blosclzStream = steps.map((parts) => {
  // The first byte can only begin literals.
  const { bytes, targetBytes } = encode(parts, (out, literals) => {
    for (let at = 0; at < literals.length; at += 32) out.push(Math.min(32, literals.length - at) - 1, ...literals.slice(at, at + 32));
  }, (out, distance, length) => {
    const short = Math.min(length - 2, 7), near = Math.min(distance - 1, 8_191);
    out.push((short << 5) | (near >> 8));
    if (short === 7) out.push(...new Array<number>(Math.floor((length - 9) / 255)).fill(255), (length - 9) % 255);
    out.push(near & 255);
    if (near === 8_191) out.push((distance - 8_192) >> 8, (distance - 8_192) & 255);
  });
  return { bytes: Uint8Array.from(bytes), targetBytes };
});

const snappyBlock = fc.tuple(steps, fc.constantFrom(1, 2, 4)).map(([parts, widest]) => {
  const { bytes, targetBytes } = encode(parts, (out, literals) => {
    const less = literals.length - 1;
    if (less < 60 && widest < 4) out.push(less << 2);
    else if (widest === 4) out.push(63 << 2, less & 255, less >> 8, 0, 0);
    else if (less < 256) out.push(60 << 2, less);
    else out.push(widest === 1 ? 61 << 2 : 62 << 2, less & 255, less >> 8, ...(widest === 1 ? [] : [0]));
    out.push(...literals);
  }, (out, distance, length) => {
    for (let left = length; left > 0; left -= 64) putSnappyMatch(out, distance, Math.min(left, 64), widest);
  });
  const length: number[] = [];
  for (let rest = targetBytes; length.length === 0 || rest > 0; rest >>= 7) length.push((rest & 127) | (rest > 127 ? 128 : 0));
  return { bytes: Uint8Array.from([...length, ...bytes]), targetBytes };
});

function putSnappyMatch(out: number[], distance: number, length: number, widest: number): void {
  if (widest === 1 && length >= 4 && length <= 11 && distance < 2_048) out.push(1 | ((length - 4) << 2) | ((distance >> 8) << 5), distance & 255);
  else if (widest < 4 && distance < 65_536) out.push(2 | ((length - 1) << 2), distance & 255, distance >> 8);
  else out.push(3 | ((length - 1) << 2), distance & 255, (distance >> 8) & 255, distance >> 16, 0);
}

/** Decodes with the source, then with the target, at the very end of memory, and compares with the reference. */
function expectAsReference(kernel: "blosclzDecode" | "snappyDecode", reference: Reference, bytes: Uint8Array, targetBytes: number): boolean {
  const expected = reference(bytes, targetBytes);
  for (const isSourceLast of [true, false]) {
    const arena = openArena("top");
    let target = isSourceLast ? 0 : arena.reserve(targetBytes);
    const source = arena.put(bytes);
    if (isSourceLast) target = arena.reserve(targetBytes);
    const result = arena.kernels[kernel](source, bytes.length, target, targetBytes);
    arena.check();
    expect(result).to.equal(expected === undefined ? -1 : targetBytes);
    if (expected !== undefined) expectSame(arena.read(Uint8Array, target, targetBytes), expected);
    expectSame(arena.read(Uint8Array, source, bytes.length), bytes);
  }
  return expected !== undefined;
}

const codecs = [
  { kernel: "blosclzDecode", reference: referenceBlosclz, stream: blosclzStream },
  { kernel: "snappyDecode", reference: referenceSnappy, stream: snappyBlock },
] as const;

for (const { kernel, reference, stream } of codecs) {
  describe(`${kernel} (property)`, function () {
    this.timeout(60_000);

    it("decodes any literals and matches as the plain decoder does", () => {
      let wellFormed = 0;
      fc.assert(fc.property(stream, ({ bytes, targetBytes }) => {
        if (expectAsReference(kernel, reference, bytes, targetBytes)) wellFormed++;
      }), { numRuns: 400 });
      expect(wellFormed).to.be.above(300);
    });

    it("refuses or decodes damaged streams as the plain decoder does, within bounds", () => {
      const changes = fc.array(fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) }), { minLength: 1, maxLength: 4 });
      fc.assert(fc.property(stream, changes, fc.integer({ min: -3, max: 3 }), fc.nat({ max: 5 }), ({ bytes, targetBytes }, edits, longer, cut) => {
        const damaged = bytes.slice(0, Math.max(0, bytes.length - cut));
        for (const { at, byte } of edits) if (damaged.length > 0) damaged[at % damaged.length] = byte;
        expectAsReference(kernel, reference, damaged, Math.max(0, targetBytes + longer));
      }), { numRuns: 800 });
    });

    it("refuses or decodes noise as the plain decoder does, within bounds", () => {
      fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 2_000 }), (bytes, targetBytes) => {
        expectAsReference(kernel, reference, bytes, targetBytes);
      }), { numRuns: 1_000 });
    });
  });
}

describe("planes of values of any width (property)", () => {
  const width = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 255 }));

  it("shuffle makes byte planes and unshuffle joins them", () => {
    fc.assert(fc.property(width, fc.nat({ max: 70 }), fc.constantFrom(...places), fc.integer(), (bytes, n, place, seed) => {
      const values = Uint8Array.from({ length: n * bytes }, (_, i) => (seed + i * 37 + (i >> 7)) & 255);
      const arena = openArena(place);
      const source = arena.put(values), planes = arena.reserve(values.length), joined = arena.reserve(values.length);
      arena.kernels.shuffle(source, planes, n, bytes);
      arena.kernels.unshuffle(planes, joined, n, bytes);
      arena.check();
      expectSame(arena.read(Uint8Array, planes, values.length), referenceShuffle(values, bytes));
      expectSame(arena.read(Uint8Array, joined, values.length), values);
    }));
  });

  it("bitUnshuffle joins bit planes", () => {
    fc.assert(fc.property(width, fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: 40 })), fc.constantFrom(...places), fc.integer(), (bytes, eights, place, seed) => {
      const values = Uint8Array.from({ length: 8 * eights * bytes }, (_, i) => ((seed + i) * 2_654_435_761) >>> 24);
      const arena = openArena(place);
      const source = arena.put(referenceBitShuffle(values, bytes)), joined = arena.reserve(values.length);
      arena.kernels.bitUnshuffle(source, joined, 8 * eights, bytes);
      arena.check();
      expectSame(arena.read(Uint8Array, joined, values.length), values);
    }));
  });
});
