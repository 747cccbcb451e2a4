import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { joinBlocks, openBytes } from "../../lib/formats/input/byte-input.js";
import { failureOf } from "../support/failure.js";

describe("text files as bytes", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-input-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const content = Buffer.from(Array.from({ length: 2_000 }, (_, line) => `line ${line}\n`).join(""));

  /** What a file holds, read twice from its start, and how much of it was used up at the end. */
  async function read(bytes: Uint8Array, blockBytes?: number): Promise<{ content: Buffer; bytesDone: number }> {
    const path = join(folder, "file");
    writeFileSync(path, bytes);
    const input = await openBytes(path, blockBytes === undefined ? {} : { blockBytes });
    try {
      expect(input.bytes).to.equal(bytes.length);
      const times: Buffer[] = [];
      let done = 0;
      for (let time = 0; time < 2; time++) {
        const blocks: Uint8Array[] = [];
        for await (const { block, bytesDone } of input.blocks(undefined)) {
          expect(block.length).to.be.greaterThan(0);
          // Taken away with its buffer, as a thread does: what comes later must not need it.
          blocks.push(structuredClone(block, { transfer: [block.buffer] }));
          done = bytesDone;
        }
        times.push(Buffer.concat(blocks));
      }
      expect(times[0]!.equals(times[1]!)).to.equal(true);
      return { content: times[0]!, bytesDone: done };
    } finally {
      await input.close();
    }
  }

  it("come as they are, in blocks of any size, from the start each time", async () => {
    for (const blockBytes of [undefined, 1_000, 7]) {
      const found = await read(content, blockBytes);
      expect(found.content.equals(content)).to.equal(true);
      expect(found.bytesDone).to.equal(content.length);
    }
    expect((await read(Buffer.alloc(0))).content.length).to.equal(0);
  });

  it("come decompressed, of several members too", async () => {
    const members = Buffer.concat([gzipSync(content.subarray(0, 5_000)), gzipSync(Buffer.alloc(0)), gzipSync(content.subarray(5_000)), Buffer.alloc(300)]);
    for (const blockBytes of [undefined, 100]) expect((await read(members, blockBytes)).content.equals(content)).to.equal(true);
    expect((await read(gzipSync(Buffer.alloc(0)))).content.length).to.equal(0);
    // Larger than what is read at once, and smaller than a block when that is decompressed.
    const large = Buffer.from(Uint32Array.from({ length: 800_000 }, (_, index) => Math.imul(index, 0x9e3779b1) ^ Math.imul(index, index)).buffer);
    expect((await read(gzipSync(large, { level: 1 }), 2 * large.length)).content.equals(large)).to.equal(true);
  });

  it("are joined in the buffer of the last one where there is room, and in a new one where not", () => {
    const bytes = Uint8Array.from({ length: 100 }, (_, index) => index);
    for (const room of [0, 29, 30, 60]) {
      const last = new Uint8Array(new ArrayBuffer(room + 70), room);
      last.set(bytes.subarray(30));
      const joined = joinBlocks([bytes.slice(0, 10), bytes.slice(10, 30), last]);
      expect([[...joined], joined.buffer === last.buffer]).to.deep.equal([[...bytes], room >= 30]);
    }
    expect([joinBlocks([]).length, joinBlocks([bytes]).buffer === bytes.buffer]).to.deep.equal([0, true]);
  });

  it("lose the mark of UTF-8 at their start and nothing else", async () => {
    const mark = Buffer.from([0xef, 0xbb, 0xbf]);
    for (const blockBytes of [undefined, 1]) {
      expect((await read(Buffer.concat([mark, Buffer.from("ab")]), blockBytes)).content.toString()).to.equal("ab");
      expect((await read(Buffer.concat([mark, mark]), blockBytes)).content.equals(mark)).to.equal(true);
      expect((await read(mark.subarray(0, 2), blockBytes)).content.length).to.equal(2);
      expect((await read(gzipSync(Buffer.concat([mark, Buffer.from("x")])), blockBytes)).content.toString()).to.equal("x");
    }
  });

  it("are refused by name where they are cut or damaged gzip, UTF-16 or compressed otherwise", async () => {
    const zipped = gzipSync(content);
    const damaged = Buffer.from(zipped);
    damaged[damaged.length - 6]! ^= 1;
    const cases: readonly (readonly [Buffer, string])[] = [
      [zipped.subarray(0, -20), "is damaged or cut gzip"], [zipped.subarray(0, 12), "is damaged or cut gzip"], [damaged, "is damaged or cut gzip"],
      [Buffer.concat([zipped, Buffer.from("more")]), "is damaged or cut gzip"], [Buffer.from([0x1f, 0x8b]), "is damaged or cut gzip"],
      [Buffer.from("\ufeffa", "utf16le"), "is UTF-16"], [Buffer.from([0xfe, 0xff, 0, 65]), "is UTF-16"], [gzipSync(Buffer.from("\ufeffa", "utf16le")), "is UTF-16"],
      [Buffer.from("28b52ffd00", "hex"), "is compressed with zstd"], [Buffer.from("BZh91AY&SY"), "is compressed with bzip2"], [Buffer.from("fd377a585a0000", "hex"), "is compressed with xz"],
    ];
    for (const [bytes, message] of cases) {
      const error = await failureOf(() => read(bytes));
      expect([error.code, error.message.includes(message), error.message.includes(folder)], error.message).to.deep.equal(["BAD_INPUT", true, true]);
    }
  });

  it("stop on abort, and leave nothing open when they are left", async () => {
    const path = join(folder, "file.gz");
    writeFileSync(path, gzipSync(Buffer.alloc(10_000_000)));
    const input = await openBytes(path);
    for await (const { block } of input.blocks(undefined)) if (block.length > 0) break;
    const abort = new AbortController();
    abort.abort();
    const error = await failureOf(async () => {
      for await (const { block } of input.blocks(abort.signal)) expect(block.length).to.be.greaterThan(0);
    });
    expect(error.code).to.equal("CANCELLED");
    await input.close();
  });

  it("give ranges as they lie on disk", async () => {
    const path = join(folder, "file");
    writeFileSync(path, content);
    const input = await openBytes(path);
    expect(Buffer.from(await input.readRange(5, 11)).toString()).to.equal("0\nline");
    expect((await input.readRange(content.length - 3, content.length + 50)).length).to.equal(3);
    await input.close();
  });
});
