import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { Packr } from "msgpackr";
import { BquerydError } from "../../lib/base/errors.js";
import { decodeFrames, encodeFrames, requireChannel } from "../../lib/wire/frames.js";
import { checkHeaderBytes } from "../../lib/wire/header-bytes.js";

const bytesMax = 1_000_000;
const id = "0123456789abcdef".repeat(2);
const packr = new Packr({ useRecords: false });
const plainValue = fc.anything({ maxDepth: 4, withBigInt: false, withDate: true, withMap: false, withSet: false, withNullPrototype: false });

/** Whether the frames are a message; anything but a BAD_MESSAGE or a PROTOCOL_VERSION fails the test. */
function canDecode(frames: Uint8Array[]): boolean {
  try {
    const channel = requireChannel(frames);
    decodeFrames(channel, "message", frames, bytesMax);
    return true;
  } catch (failure) {
    if (!(failure instanceof BquerydError)) throw failure;
    expect(failure.code).to.be.oneOf(["BAD_MESSAGE", "PROTOCOL_VERSION"]);
    return false;
  }
}

describe("frames of anybody", () => {
  it("are a message or refused, whatever they are", () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 4 }), (frames) => {
      canDecode(frames);
    }));
  });

  it("are a message or refused, whatever the header is", () => {
    const [tag] = encodeFrames("worker", "message", { type: "heartbeat" }, [], bytesMax);
    fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), plainValue.map((value) => packr.pack(value))), (header) => {
      canDecode([tag!, header]);
    }), { numRuns: 2_000 });
  });

  it("are a message or refused after any one byte was changed", () => {
    const frames = encodeFrames("client", "message", { type: "call", id, verb: "groupby", tables: ["taxi"], columns: ["a", "b"], affinity: "me", remainingMs: 1_000.5 }, [], bytesMax);
    expect(canDecode(frames)).to.equal(true);
    const header = frames[1]!;
    fc.assert(fc.property(fc.nat(header.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Uint8Array.from(header);
      changed[at]! ^= change;
      canDecode([frames[0]!, changed]);
    }), { numRuns: 5_000 });
  });

  it("of any plain value pass the check of their bytes", () => {
    fc.assert(fc.property(plainValue, (value) => { checkHeaderBytes(packr.pack(value)); }), { numRuns: 2_000 });
  });
});
