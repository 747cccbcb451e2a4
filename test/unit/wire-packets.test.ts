import { expect } from "chai";
import { describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { Outbox } from "../../lib/wire/outbox.js";
import { joinMessages, messagesOf, packetMessagesMax } from "../../lib/wire/packets.js";

function message(first: number, frames: number): Uint8Array[] {
  return Array.from({ length: frames }, (_, frame) => Uint8Array.of(first, frame));
}

/** Why frames are no packet. */
function refusalOf(frames: Uint8Array[]): string {
  const [refusal] = messagesOf(frames);
  return refusal instanceof BquerydError ? `${refusal.code}: ${refusal.message}` : "none";
}

describe("packets", () => {
  it("bring back the messages they were made of, in order", () => {
    const messages = [message(1, 2), message(2, 1), message(3, 300)];
    expect(messagesOf(joinMessages(messages))).to.deep.equal(messages);
  });

  it("are not made of one message", () => {
    const frames = message(1, 3);
    expect(joinMessages([frames])).to.equal(frames);
    expect(messagesOf(frames)).to.deep.equal([frames]);
  });

  it("that name other frames than they have are refused, and so are those of too many messages", () => {
    const [head, ...frames] = joinMessages([message(1, 2), message(2, 2)]);
    expect(refusalOf([head!, ...frames.slice(1)])).to.match(/^BAD_MESSAGE: a packet names 4 frames and has 3; /);
    expect(refusalOf([head!, ...frames, frames[0]!])).to.match(/^BAD_MESSAGE: a packet names 4 frames and has 5; /);
    expect(refusalOf([head!.slice(0, -1), ...frames])).to.match(/^BAD_MESSAGE: a packet has a head of 7 bytes; /);
    const many = joinMessages(Array.from({ length: packetMessagesMax + 1 }, (_, number) => message(number, 1)));
    expect(refusalOf(many)).to.match(/^BAD_MESSAGE: a packet has a head of 70 bytes; /);
  });

  it("are what an outbox sends of small messages that are pushed together, and of a large one not", async () => {
    const sent: Uint8Array[][] = [];
    const outbox = new Outbox({ laneBytesMax: 1_000_000, write: (_peer, frames) => { sent.push(frames); return Promise.resolve("sent"); }, onLaneLost: () => undefined });
    for (const number of [1, 2]) outbox.push("a", message(number, 2));
    outbox.push("a", [new Uint8Array(100_000)]);
    outbox.push("a", message(3, 1));
    await outbox.flush(1_000);
    expect(sent.map((frames) => messagesOf(frames).length)).to.deep.equal([2, 1, 1]);
  });
});
