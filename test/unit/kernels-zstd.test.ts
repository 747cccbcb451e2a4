import { createRequire } from "node:module";
import { expect } from "chai";
import { describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { compressible } from "../support/compressible.js";
import { expectSame, openArena, places } from "./kernels-arena.js";
import { referenceXxh64 } from "./kernels-references.js";

/** The bindings of the reference library, which take a level. */
const { compress }: { compress: (bytes: Buffer, level: number) => Promise<Buffer> } = createRequire(import.meta.url)("@mongodb-js/zstd/bindings.js");

const magic = [0x28, 0xb5, 0x2f, 0xfd];
const hello = [...Buffer.from("hello")];
/** The header of a frame without checksum or content size, with a window of 1 KB. */
const plainHeader = [...magic, 0, 0];

/** A block: kind 0 raw, 1 one byte repeated, 2 compressed. */
function block(kind: number, size: number, content: readonly number[], isLast = true): number[] {
  const header = (isLast ? 1 : 0) | (kind << 1) | (size << 3);
  return [header & 255, (header >> 8) & 255, header >> 16, ...content];
}

/** What the kernel makes of a frame, at either end of memory; undefined when it refuses. */
function decode(frame: ArrayLike<number>, targetBytes: number): Uint8Array | undefined {
  const bytes = Uint8Array.from(frame);
  const [low, top] = places.map((place) => {
    const arena = openArena(place);
    const target = arena.reserve(targetBytes);
    const source = arena.put(bytes);
    const result = arena.kernels.zstdDecode(source, bytes.length, target, targetBytes);
    arena.check();
    expectSame(arena.read(Uint8Array, source, bytes.length), bytes);
    if (result === -1) return undefined;
    expect(result).to.equal(targetBytes);
    return arena.read(Uint8Array, target, targetBytes);
  });
  expect(low === undefined).to.equal(top === undefined);
  if (low !== undefined && top !== undefined) expectSame(low, top);
  return low;
}

function expectDecoded(frame: ArrayLike<number>, expected: ArrayLike<number>): void {
  expectSame(decode(frame, expected.length) ?? expect.fail("the frame was refused"), Uint8Array.from(expected));
}

/** The parts of the format that the compressed blocks of a frame use. */
function* partsOf(frame: Uint8Array): Generator<string> {
  const descriptor = frame[4]!;
  let at = 5 + (((descriptor >> 5) & 1) ^ 1) + [(descriptor >> 5) & 1, 2, 4, 8][descriptor >> 6]!;
  for (let isLast = false; !isLast;) {
    const header = frame[at]! | (frame[at + 1]! << 8) | (frame[at + 2]! << 16);
    isLast = (header & 1) === 1;
    const kind = (header >> 1) & 3;
    yield `${["raw", "repeated", "compressed"][kind]!} block`;
    at += 3;
    if (kind === 2) yield* partsOfBlock(frame.subarray(at));
    at += kind === 1 ? 1 : header >> 3;
  }
}

function* partsOfBlock(bytes: Uint8Array): Generator<string> {
  const kind = bytes[0]! & 3, format = (bytes[0]! >> 2) & 3;
  const low = bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16);
  let at: number;
  if (kind < 2) {
    const header = [1, 2, 1, 3][format]!;
    at = header + (kind === 1 ? 1 : low >> (header === 1 ? 3 : 4) & ((1 << [5, 12, 5, 20][format]!) - 1));
    yield `${kind === 0 ? "raw" : "repeated"} literals`;
  } else {
    const header = [3, 3, 4, 5][format]!, bits = [10, 10, 14, 18][format]!;
    const sizes = bytes.subarray(0, header).reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n) >> 4n;
    at = header + Number((sizes >> BigInt(bits)) & ((1n << BigInt(bits)) - 1n));
    yield `${kind === 2 ? "coded" : "treeless"} literals`;
    yield format === 0 ? "one stream" : "four streams";
    if (kind === 2) yield bytes[header]! < 128 ? "coded weights" : "plain weights";
  }
  const count = bytes[at]!;
  yield count === 0 ? "no sequences" : count < 128 ? "few sequences" : count < 255 ? "many sequences" : "most sequences";
  if (count === 0) return;
  const modes = bytes[at + (count < 128 ? 1 : count < 255 ? 2 : 3)]!;
  for (const [shift, name] of [[6, "literal length"], [4, "offset"], [2, "match length"]] as const) yield `${name} table ${["predefined", "of one symbol", "described", "as before"][(modes >> shift) & 3]!}`;
}

/** All of the above but what the library does not come to write here: literals that are one byte repeated, the most sequences. */
const everyPart = [
  "raw block", "repeated block", "compressed block", "raw literals", "coded literals", "treeless literals", "one stream", "four streams",
  "coded weights", "plain weights", "no sequences", "few sequences", "many sequences",
  ...["literal length", "offset", "match length"].flatMap((name) => ["predefined", "of one symbol", "described", "as before"].map((mode) => `${name} table ${mode}`)),
];

describe("kernels: zstdDecode", function () {
  this.timeout(60_000);

  it("gives back what the reference library compressed, in every part of the format", async () => {
    const parts = new Set<string>();
    for (const [name, make] of Object.entries(compressible)) {
      for (const length of [0, 1, 7, 40, 300, 2_000, 65_536, 131_073, 300_000]) {
        const raw = make(length, seededRandom(length + 1));
        for (const level of length > 100_000 ? [1, 3, 9] : [1, 3, 9, 19]) {
          const frame = await compress(Buffer.from(raw), level);
          for (const part of partsOf(frame)) parts.add(part);
          expectSame(decode(frame, length) ?? expect.fail(`${name} of ${length} bytes at level ${level} was refused`), raw);
        }
      }
    }
    expect(everyPart.filter((part) => !parts.has(part))).to.deep.equal([]);
  });

  it("decodes blocks of every kind one after another", () => {
    expectDecoded([...plainHeader, ...block(0, 5, hello, false), ...block(1, 4, [33], false), ...block(0, 0, [])], [...hello, 33, 33, 33, 33]);
    expectDecoded([...plainHeader, ...block(0, 0, [])], []);
  });

  it("decodes literals that are one byte repeated", () => {
    const repeated = 1, noSequences = 0;
    expectDecoded([...plainHeader, ...block(2, 3, [repeated | (5 << 3), 33, noSequences])], [33, 33, 33, 33, 33]);
    expect(decode([...plainHeader, ...block(2, 1, [repeated | (5 << 3)])], 5)).to.equal(undefined);
  });

  it("takes matches from blocks before, and refuses one that reaches before the frame", () => {
    const noLiterals = [0], oneSequence = [1, 0];
    const match = (bits: number): number[] => block(2, 6, [...noLiterals, ...oneSequence, bits & 255, (bits >> 8) & 255, bits >> 16]);
    // Predefined tables: state 0 is literal length 0, state 5 offset code 3 (8 + 3 bits, less 3), state 0 match length 3.
    const states = (extra: number): number => (1 << 20) | (0 << 14) | (5 << 9) | (0 << 3) | extra;
    expectDecoded([...plainHeader, ...block(0, 5, hello, false), ...match(states(0))], [...hello, ...hello.slice(0, 3)]);
    expect(decode([...plainHeader, ...block(0, 5, hello, false), ...match(states(1))], 8)).to.equal(undefined);
  });

  it("carries out the most sequences a block has, of the offsets before, in no bits", () => {
    const count = 40_000;
    const expected = [...hello];
    for (let i = 0, recent = [1, 4]; i < count; i++) {
      // Without literals, offset 1 of 3 is the second last, which becomes the last.
      recent = [recent[1]!, recent[0]!];
      for (let j = 0; j < 3; j++) expected.push(expected[expected.length - recent[0]!]!);
    }
    const more = count - 0x7f00, tablesOfOneSymbol = 0b01_01_01_00, endMark = 1;
    const section = [0, 255, more & 255, more >> 8, tablesOfOneSymbol, 0, 0, 0];
    expectDecoded([...plainHeader, ...block(0, 5, hello, false), ...block(2, 9, [...section, endMark])], expected);
    expect(decode([...plainHeader, ...block(0, 5, hello, false), ...block(2, 9, [...section, 0])], expected.length)).to.equal(undefined);
    expect(decode([...plainHeader, ...block(0, 5, hello, false), ...block(2, 9, [...section, 2])], expected.length)).to.equal(undefined);
  });

  it("skips skippable frames before, and nothing after", () => {
    const frame = [...plainHeader, ...block(0, 5, hello)];
    const skippable = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2], other = [0x5f, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
    expectDecoded([...skippable, ...other, ...frame], hello);
    expect(decode([...skippable, ...other], 0)).to.equal(undefined);
    expect(decode([...frame, ...skippable], 5)).to.equal(undefined);
    expect(decode([...frame, 0], 5)).to.equal(undefined);
    expect(decode([0x50, 0x2a, 0x4d, 0x18, 255, 255, 255, 255, ...frame], 5)).to.equal(undefined);
  });

  it("verifies the checksum", () => {
    const hash = Number(referenceXxh64(Uint8Array.from(hello)) & 0xffff_ffffn);
    const checksum = [hash & 255, (hash >> 8) & 255, (hash >> 16) & 255, hash >>> 24];
    const frame = [...magic, 4, 0, ...block(0, 5, hello), ...checksum];
    expectDecoded(frame, hello);
    for (let i = frame.length - 4; i < frame.length; i++) expect(decode(frame.with(i, frame[i]! ^ 1), 5)).to.equal(undefined);
    expect(decode(frame.slice(0, -1), 5)).to.equal(undefined);
  });

  it("holds the content size, in each of its widths, against the target", () => {
    const content = new Array<number>(256).fill(7);
    const sizes: [number, number[]][] = [[0x20, [255]], [0x40, [0, 0, 0]], [0x80, [0, 0, 1, 0, 0]], [0xc0, [0, 0, 1, 0, 0, 0, 0, 0, 0]], [0x60, [0, 0]], [0xe0, [0, 1, 0, 0, 0, 0, 0, 0]]];
    for (const [descriptor, bytes] of sizes) {
      const length = descriptor === 0x20 ? 255 : 256;
      expectDecoded([...magic, descriptor, ...bytes, ...block(1, length, [7])], content.slice(0, length));
      for (const targetBytes of [length - 1, length]) expect(decode([...magic, descriptor, ...bytes, ...block(1, length - 1, [7])], targetBytes)).to.equal(undefined);
    }
  });

  it("refuses dictionaries, reserved bits and kinds, blocks too long and other magic", () => {
    const rest = block(0, 5, hello);
    expectDecoded([...magic, 1, 0, 0, ...rest], hello);
    expectDecoded([...magic, 3, 0, 0, 0, 0, 0, ...rest], hello);
    expect(decode([...magic, 1, 0, 9, ...rest], 5)).to.equal(undefined);
    expect(decode([...magic, 3, 0, 0, 0, 0, 9, ...rest], 5)).to.equal(undefined);
    expect(decode([...magic, 8, 0, ...rest], 5)).to.equal(undefined);
    expect(decode([...plainHeader, ...block(3, 5, hello)], 5)).to.equal(undefined);
    expect(decode([...plainHeader, ...block(1, 131_072, [7])], 131_072)).to.have.length(131_072);
    expect(decode([...plainHeader, ...block(1, 131_073, [7])], 131_073)).to.equal(undefined);
    expect(decode([0x27, ...magic.slice(1), 0, 0, ...rest], 5)).to.equal(undefined);
  });

  it("refuses a frame that is cut anywhere, and a target of another size", async () => {
    for (const kind of ["text", "prices", "codes", "runs"]) {
      const raw = compressible[kind]!(1_500, seededRandom(5));
      const frame = await compress(Buffer.from(raw), 3);
      for (let cut = 0; cut < frame.length; cut++) expect(decode(frame.subarray(0, cut), raw.length), `${kind} cut at ${cut}`).to.equal(undefined);
      expect(decode(frame, raw.length - 1)).to.equal(undefined);
      expect(decode(frame, raw.length + 1)).to.equal(undefined);
      expectDecoded(frame, raw);
    }
  });
});
