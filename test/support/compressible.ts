/** Bytes of the kinds that columns hold, from those that do not compress to those that are nearly nothing. */
import type { Random } from "../../lib/base/clock.js";

const words = "the of and to in is that it was for on are as with his they at be this have from or one had by word but not what all were we when your can said".split(" ");

/** Makes `length` bytes of each kind. */
export const compressible: Readonly<Record<string, (length: number, random: Random) => Uint8Array>> = {
  noise: (length, random) => fill(length, () => random() * 256),
  zeros: (length) => new Uint8Array(length),
  sparse: (length, random) => fill(length, () => (random() < 0.02 ? random() * 256 : 0)),
  codes: (length, random) => fill(length, () => random() ** 3 * 40),
  nibbles: (length, random) => fill(length, () => random() * 16),
  pairs: (length, random) => fill(length, (at) => (at % 2 === 0 ? random() ** 2 * 200 : random() * 3)),
  runs(length, random) {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const run = 1 + Math.floor(random() ** 2 * 300);
      bytes.fill(random() * 256, at, at + run);
      at += run;
    }
    return bytes;
  },
  tokens(length, random) {
    const tokens = fill(1_500, () => random() * 256);
    const bytes = new Uint8Array(length + 3);
    for (let at = 0; at < length; at += 3) bytes.set(tokens.subarray(3 * Math.floor(random() * 500)).subarray(0, 3), at);
    return bytes.slice(0, length);
  },
  text(length, random) {
    const parts: string[] = [];
    for (let chars = 0; chars < length; chars += parts.at(-1)!.length) parts.push(`${words[Math.floor(random() ** 2 * words.length)]!} `);
    return new TextEncoder().encode(parts.join("")).subarray(0, length);
  },
  integers(length, random) {
    let value = 0;
    return bytesOf(Int32Array.from({ length: Math.ceil(length / 4) }, () => (value += Math.floor(random() * 200))), length);
  },
  prices: (length, random) => bytesOf(Float64Array.from({ length: Math.ceil(length / 8) }, () => Math.round(random() ** 2 * 10_000) / 100), length),
  planes(length, random) {
    const bytes = compressible["integers"]!(length, random);
    const n = Math.ceil(length / 4);
    return fill(length, (at) => bytes[(at % n) * 4 + Math.floor(at / n)] ?? 0);
  },
};

function fill(length: number, make: (at: number) => number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => make(at));
}

function bytesOf(values: Int32Array | Float64Array, length: number): Uint8Array {
  return new Uint8Array(values.buffer).slice(0, length);
}
