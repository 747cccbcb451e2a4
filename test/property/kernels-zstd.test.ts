import { createRequire } from "node:module";
import { expect } from "chai";
import { decompress } from "@mongodb-js/zstd";
import { describe, it } from "mocha";
import { seededRandom, type Random } from "../../lib/base/clock.js";
import { compressible } from "../support/compressible.js";
import { below, expectSame, openArena } from "../unit/kernels-arena.js";

/** The bindings of the reference library, which take a level. */
const { compress }: { compress: (bytes: Buffer, level: number) => Promise<Buffer> } = createRequire(import.meta.url)("@mongodb-js/zstd/bindings.js");

interface Sample {
  readonly frame: Buffer;
  readonly rawBytes: number;
}

async function makeSamples(random: Random): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const make of Object.values(compressible)) {
    for (const rawBytes of [3, 40, 300, 2_000, 9_000]) {
      for (const level of [1, 3, 19]) samples.push({ frame: await compress(Buffer.from(make(rawBytes, random)), level), rawBytes });
    }
  }
  return samples;
}

/** A frame cut, lengthened, continued with another, or with up to four bytes changed, most of them near its start where the tables are. */
function damage(frame: Buffer, others: readonly Sample[], random: Random): Buffer {
  const kind = random();
  if (kind < 0.1) return frame.subarray(0, below(random, frame.length));
  if (kind < 0.15) return Buffer.concat([frame, Buffer.from([below(random, 256)])]);
  const damaged = Buffer.from(frame);
  for (let changes = 1 + below(random, 4); changes > 0; changes--) {
    const at = random() < 0.5 ? Math.min(4 + below(random, 60), frame.length - 1) : below(random, frame.length);
    damaged[at] = random() < 0.5 ? below(random, 256) : damaged[at]! ^ (1 << below(random, 8));
  }
  if (kind < 0.9) return damaged;
  const cut = below(random, frame.length);
  return Buffer.concat([damaged.subarray(0, cut), others[below(random, others.length)]!.frame.subarray(cut)]);
}

/** Decodes with the source or the target at the very end of memory; nothing but the target may change. */
function decode(frame: Buffer, targetBytes: number, isSourceLast: boolean): Uint8Array | undefined {
  const arena = openArena("top");
  const target = isSourceLast ? 0 : arena.reserve(targetBytes);
  const source = arena.put(frame);
  const place = isSourceLast ? arena.reserve(targetBytes) : target;
  const result = arena.kernels.zstdDecode(source, frame.length, place, targetBytes);
  arena.check();
  expectSame(arena.read(Uint8Array, source, frame.length), Uint8Array.from(frame));
  expect(result).to.be.oneOf([-1, targetBytes]);
  return result === -1 ? undefined : arena.read(Uint8Array, place, targetBytes);
}

describe("zstdDecode (property)", function () {
  this.timeout(120_000);

  it("refuses damaged frames within bounds, or decodes them as the reference library does", async () => {
    const random = seededRandom(20_261);
    const samples = await makeSamples(random);
    let accepted = 0;
    for (let run = 0; run < 2_500; run++) {
      const { frame, rawBytes } = samples[below(random, samples.length)]!;
      const damaged = damage(frame, samples, random);
      const targetBytes = random() < 0.8 ? rawBytes : below(random, 70_000);
      const decoded = decode(damaged, targetBytes, run % 2 === 0);
      if (decoded === undefined) continue;
      // The library refuses some windows by their size, which bounds nothing here.
      const expected = await decompress(damaged).catch(() => undefined);
      if (expected === undefined) continue;
      accepted++;
      expectSame(decoded, Uint8Array.from(expected));
    }
    expect(accepted).to.be.above(200);
  });
});
