import { expect } from "chai";
import { describe, it } from "mocha";
import { Outbox, type LaneLoss } from "../../lib/wire/outbox.js";
import { messagesOf } from "../../lib/wire/packets.js";
import type { SendOutcome } from "../../lib/wire/sockets.js";
import { until } from "../support/until.js";

/** An outbox whose socket is an array; `outcomes` says what becomes of a peer's messages, by default they are sent. */
function createTestOutbox(options: { laneBytesMax?: number } = {}) {
  const outcomes = new Map<string, SendOutcome>();
  const sent: string[] = [];
  const lost: [string, LaneLoss][] = [];
  const packets: number[] = [];
  let writing = 0;
  const outbox = new Outbox({
    laneBytesMax: options.laneBytesMax ?? 1_000,
    async write(peer, frames) {
      writing += 1;
      expect(writing, "sends at a time").to.equal(1);
      await Promise.resolve();
      packets.push(messagesOf(frames).length);
      writing -= 1;
      const outcome = outcomes.get(peer) ?? "sent";
      if (outcome === "sent") for (const message of messagesOf(frames)) sent.push(`${peer}${message instanceof Error ? message.message : message[0]?.[0] ?? ""}`);
      return outcome;
    },
    onLaneLost: (peer, loss) => { lost.push([peer, loss]); },
  });
  return { outbox, outcomes, sent, lost, packets };
}

function message(first: number, bytes = 1): Uint8Array[] {
  return [new Uint8Array(bytes).fill(first)];
}

describe("outbox", () => {
  it("sends each peer's messages in order, and peers in turn", async () => {
    const { outbox, sent } = createTestOutbox({ laneBytesMax: 1_000_000 });
    for (const number of [1, 2, 3]) for (const peer of ["a", "b"]) outbox.push(peer, message(number, 40_000));
    await outbox.flush(1_000);
    expect(sent).to.have.members(["a1", "a2", "a3", "b1", "b2", "b3"]);
    expect(sent.filter((text) => text.startsWith("a"))).to.deep.equal(["a1", "a2", "a3"]);
    expect(sent.slice(2, 4)).to.have.members(["a2", "b2"]);
  });

  it("lets a message that may wait go with the next one, or after a while by itself, and a flush waits for it", async () => {
    const { outbox, sent, packets } = createTestOutbox();
    outbox.push("a", message(1), true);
    outbox.push("b", message(1), true);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    expect(sent).to.deep.equal([]);
    outbox.push("a", message(2));
    await until("what may wait was sent", () => sent.length === 3);
    expect(sent).to.deep.equal(["a1", "a2", "b1"]);
    expect(packets).to.deep.equal([2, 1]);
    outbox.push("a", message(3), true);
    await outbox.flush(1_000);
    expect(sent.at(-1)).to.equal("a3");
    outbox.push("a", message(4), true);
    outbox.close();
    expect(outbox.queuedBytes("a")).to.equal(0);
  });

  it("lets one peer that takes nothing hold up nobody, and tries it again", async () => {
    const { outbox, outcomes, sent } = createTestOutbox();
    outcomes.set("slow", "full");
    for (const number of [1, 2]) for (const peer of ["slow", "b"]) outbox.push(peer, message(number));
    await until("the other peer has everything", () => sent.length === 2);
    expect(sent).to.deep.equal(["b1", "b2"]);
    expect(outbox.queuedBytes("slow")).to.equal(2);
    outcomes.set("slow", "sent");
    await outbox.flush(1_000);
    expect(sent.slice(2)).to.deep.equal(["slow1", "slow2"]);
    expect(outbox.queuedBytes("slow")).to.equal(0);
  });

  it("forgets what is queued for an unreachable peer, and says so once", async () => {
    const { outbox, outcomes, sent, lost } = createTestOutbox();
    outcomes.set("gone", "unreachable");
    for (const number of [1, 2]) outbox.push("gone", message(number));
    expect(lost).to.deep.equal([]);
    await outbox.flush(1_000);
    expect(lost).to.deep.equal([["gone", "unreachable"]]);
    expect(sent).to.deep.equal([]);
  });

  it("gives up a peer when more is queued for it than allowed, after the push", async () => {
    const { outbox, outcomes, lost } = createTestOutbox({ laneBytesMax: 100 });
    outcomes.set("stuck", "full");
    outbox.push("stuck", message(1, 60));
    outbox.push("stuck", message(2, 60));
    expect(lost).to.deep.equal([]);
    expect(outbox.queuedBytes("stuck")).to.equal(0);
    await Promise.resolve();
    expect(lost).to.deep.equal([["stuck", "stuck"]]);
    outbox.close();
  });

  it("gives up a peer for which very many messages are queued, however small they are", async () => {
    const { outbox, outcomes, lost } = createTestOutbox({ laneBytesMax: 1_000_000_000 });
    outcomes.set("stuck", "full");
    const tiny = message(1);
    for (let count = 0; count < 400_000; count++) outbox.push("stuck", tiny);
    await Promise.resolve();
    expect(lost).to.deep.equal([]);
    outbox.push("stuck", tiny);
    await Promise.resolve();
    expect(lost).to.deep.equal([["stuck", "stuck"]]);
    outbox.close();
  });

  it("keeps messages while it is held, and not those dropped meanwhile", async () => {
    const { outbox, sent } = createTestOutbox();
    outbox.hold();
    outbox.push("a", message(1));
    await outbox.flush(1_000);
    outbox.drop("a");
    outbox.push("a", message(2));
    expect(sent).to.deep.equal([]);
    outbox.resume();
    await outbox.flush(1_000);
    expect(sent).to.deep.equal(["a2"]);
  });

  it("ends a flush that cannot succeed when its time is over", async () => {
    const { outbox, outcomes } = createTestOutbox();
    outcomes.set("slow", "full");
    outbox.push("slow", message(1));
    await outbox.flush(20);
    expect(outbox.queuedBytes("slow")).to.equal(1);
    outbox.close();
  });

  it("gives other work its turn during a long queue", async () => {
    const { outbox, sent } = createTestOutbox({ laneBytesMax: 1e9 });
    const large = message(1, 40_000); // Each is sent alone.
    let sentBeforeTurn = 0;
    setImmediate(() => { sentBeforeTurn = sent.length; });
    for (let count = 0; count < 10_000; count++) outbox.push("a", large);
    await outbox.flush(5_000);
    expect(sentBeforeTurn).to.be.within(1, 1_000);
  });

  it("sends nothing after it is closed", async () => {
    const { outbox, sent } = createTestOutbox();
    outbox.close();
    outbox.push("a", message(1));
    await outbox.flush(1_000);
    expect(sent).to.deep.equal([]);
    expect(outbox.queuedBytes("a")).to.equal(0);
  });
});
