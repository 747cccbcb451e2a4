import { expect } from "chai";
import { BquerydError } from "../../lib/base/errors.js";
import { withResolvers } from "../../lib/base/resolvers.js";
import type { ObjectStore } from "../../lib/objects/objects.js";
import { createBuffers } from "../../lib/transfer/fetch/buffers.js";
import { readRanges, type TransferTools } from "../../lib/transfer/fetch/read-ranges.js";
import { failureOf } from "../support/failure.js";
import { until } from "../support/until.js";
import { transferTools } from "../support/transfers.js";

const bufferBytes = 10;
/** More than a range, in buffers that are not filled to the end. */
const bytes = 75;

describe("ranges of an object", () => {
  const content = Buffer.from(Array.from({ length: bytes }, (_, at) => at));

  /** Tools over a store that gives the object in pieces of so many bytes, and what was lent of the four buffers there are. */
  function open(pieceBytes: number, beforePiece: (at: number, signal?: AbortSignal) => Promise<void> = async () => undefined): { tools: TransferTools; stop: AbortController; lent: () => number } {
    const pool = createBuffers(4, bufferBytes);
    const stop = new AbortController();
    let lent = 0;
    const buffers = {
      bufferBytes,
      async take() {
        const buffer = await pool.take();
        lent++;
        return buffer;
      },
      give(buffer: Buffer) {
        lent--;
        pool.give(buffer);
      },
    };
    const read: ObjectStore["read"] = async function* readPieces(_key, { start = 0, end = bytes, signal } = {}) {
      for (let at = start; at < end; at += pieceBytes) {
        await beforePiece(at, signal);
        yield content.subarray(at, Math.min(end, at + pieceBytes));
      }
    };
    const tools = { ...transferTools({ read } as ObjectStore), buffers, signal: stop.signal };
    return { tools, stop, lent: () => lent };
  }

  for (const pieceBytes of [1, 7, 10, 30, 75]) {
    it(`come in their order where the store gives ${pieceBytes} bytes at a time`, async () => {
      const { tools, lent } = open(pieceBytes);
      const found: number[] = [];
      for await (const piece of readRanges(tools, { key: "k", start: 3, end: bytes })) found.push(...piece);
      expect(found).to.deep.equal([...content.subarray(3)]);
      expect(lent()).to.equal(0);
    });
  }

  it("are given a buffer at a time, before they are whole", async () => {
    let isTaken = (): void => undefined;
    const taken = new Promise<void>((resolve) => { isTaken = resolve; });
    const { tools } = open(5, async (at) => { if (at === 20) await taken; });
    const found: number[] = [];
    for await (const piece of readRanges(tools, { key: "k", start: 0, end: 30 })) {
      found.push(piece.length);
      isTaken();
    }
    expect(found).to.deep.equal([10, 10, 10]);
  });

  it("give what came before a failure, and all their buffers back", async () => {
    const { tools, lent } = open(5, async (at) => { if (at >= 45) throw new BquerydError("OBJECT_STORE", "broken off"); });
    const found: number[] = [];
    const failure = await failureOf(async () => { for await (const piece of readRanges(tools, { key: "k", start: 0, end: bytes })) found.push(...piece); });
    expect(failure.message).to.equal("broken off");
    expect(found).to.deep.equal([...content.subarray(0, 40)]);
    expect(lent()).to.equal(0);
  });

  it("give their buffers back when nobody wants more", async () => {
    const { tools, lent } = open(5);
    for await (const piece of readRanges(tools, { key: "k", start: 0, end: bytes })) {
      expect(piece[0]).to.equal(0);
      break;
    }
    expect(lent()).to.equal(0);
  });

  it("stop what fills them when nobody wants more, and keep their buffers until it has stopped", async () => {
    const gate = withResolvers<void>();
    let isToldToStop = (): boolean => false;
    const { tools, lent } = open(5, async (at, signal) => {
      if (at < 10) return;
      isToldToStop = () => signal?.aborted === true;
      await gate.promise;
    });
    const reading = readRanges(tools, { key: "k", start: 0, end: 30 });
    await reading.next();
    let hasEnded = false;
    const ending = reading.return(undefined).finally(() => { hasEnded = true; });
    await until("what fills them is told to stop", () => isToldToStop());
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => { setImmediate(resolve); });
    expect([hasEnded, lent()]).to.deep.equal([false, 3]);
    gate.resolve();
    await ending;
    expect(lent()).to.equal(0);
  });

  it("end with the reason of the signal from outside", async () => {
    const { tools, stop, lent } = open(5, async (at, signal) => {
      if (at === 20) stop.abort(new BquerydError("CANCELLED", "enough"));
      signal?.throwIfAborted();
    });
    const failure = await failureOf(async () => { for await (const piece of readRanges(tools, { key: "k", start: 0, end: 30 })) expect(piece).to.have.length(10); });
    expect(failure.message).to.equal("enough");
    expect(lent()).to.equal(0);
  });
});
