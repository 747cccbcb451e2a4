import { expect } from "chai";
import { afterEach, describe, it } from "mocha";
import { monotonicMs, randomId } from "../../lib/base/clock.js";
import { openLink } from "../../lib/client/link.js";
import { bindRouter } from "../../lib/wire/router.js";
import { until } from "../support/until.js";

const messageBytesMax = 2 ** 20;

describe("a client's link", () => {
  const closers: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  /** A controller that says these times in its welcome, and when each heartbeat came. */
  async function startWith(times: { heartbeatMs: number; expiryMs: number }): Promise<{ address: string; beatsMs: number[] }> {
    const beatsMs: number[] = [];
    const router = await bindRouter({
      bind: "127.0.0.1", port: 0, messageBytesMax, onUnreachable: () => undefined, onMalformed: () => undefined,
      onMessage: (peer, { channel, header }) => {
        if (channel !== "client") return;
        if (header.type === "hello") router.send(peer, "client", { type: "welcome", controllerId: randomId(), node: "here", version: "0", ...times });
        if (header.type !== "heartbeat") return;
        beatsMs.push(monotonicMs());
        router.send(peer, "client", { type: "heartbeat", known: true });
      },
    });
    closers.push(() => router.close());
    return { address: router.address, beatsMs };
  }

  it("hears nothing more once it is closed, also of what came with the message that it was closed upon", async () => {
    const router = await bindRouter({
      bind: "127.0.0.1", port: 0, messageBytesMax, onUnreachable: () => undefined, onMalformed: () => undefined,
      onMessage: (peer, { channel, header }) => {
        if (channel !== "client" || header.type !== "hello") return;
        // Sent at once, they travel together.
        router.send(peer, "client", { type: "heartbeat", known: false });
        router.send(peer, "client", { type: "welcome", controllerId: randomId(), node: "here", version: "0", heartbeatMs: 50, expiryMs: 60_000 });
      },
    });
    closers.push(() => router.close());
    const heard: string[] = [];
    let closing: Promise<void> | undefined;
    const link = openLink({
      address: router.address, clientId: randomId(), messageBytesMax, expiryMs: 60_000, onMalformed: () => undefined, onLost: () => undefined,
      onReply({ type }) {
        heard.push(type);
        closing = link.close();
      },
    });
    await until("it is told something", () => closing !== undefined);
    await closing;
    expect(heard).to.deep.equal(["heartbeat"]);
  });

  for (const times of [{ heartbeatMs: 0, expiryMs: 60_000 }, { heartbeatMs: 1e300, expiryMs: 1e300 }]) {
    it(`does not do what a controller says that asks for a heartbeat every ${times.heartbeatMs} ms`, async () => {
      const { address, beatsMs } = await startWith(times);
      const lost: string[] = [];
      let isWelcome = false;
      const startMs = monotonicMs();
      const link = openLink({
        address, clientId: randomId(), messageBytesMax, expiryMs: 60_000,
        onReply: ({ type }) => { isWelcome ||= type === "welcome"; }, onMalformed: () => undefined, onLost: (reason) => { lost.push(reason); },
      });
      closers.push(() => link.close());
      await until("it is welcome", () => isWelcome);
      if (times.heartbeatMs === 0) await until("it has sent some heartbeats", () => beatsMs.length >= 5);
      else await until("it would have sent some", () => monotonicMs() - startMs > 300);
      expect(lost).to.deep.equal([]);
      const perSecond = 1_000 * beatsMs.length / (monotonicMs() - startMs);
      expect(perSecond, "heartbeats a second").to.be.below(times.heartbeatMs === 0 ? 30 : 1);
    });
  }
});
