import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { openDealerSocket, openRouterSocket, type RawSocket } from "../../lib/wire/sockets.js";
import { until } from "../support/until.js";

const options = { frameBytesMax: 2 ** 20, isIpv6: false };
/** After so many messages that were there at once zeromq lets others have their turn. */
const messagesInARow = 512;

describe("closing a socket", () => {
  let router: RawSocket;
  let peer: Uint8Array | undefined;
  let listening: Promise<void>;

  beforeEach(async () => {
    router = openRouterSocket(options);
    await router.bind("tcp://127.0.0.1:*");
    listening = listen();
  });

  afterEach(async () => {
    await router.close(0);
    await listening;
  });

  async function listen(): Promise<void> {
    for await (const [routingId] of router.receive()) peer = routingId;
  }

  /** A dealer for which more messages wait than are read in a row. */
  async function openFlooded(): Promise<RawSocket> {
    peer = undefined;
    const dealer = openDealerSocket(options);
    dealer.connect(router.endpoint());
    await dealer.send([Uint8Array.of(1)]);
    await until("the router knows the dealer", () => peer !== undefined);
    // While a slow machine has not begun to read, fewer than those fill what waits.
    for (let full = 0, sent = 0; full < 10 || sent <= messagesInARow;) {
      if (await router.send([peer!, new Uint8Array(10)]) === "sent") sent += 1;
      else {
        full += 1;
        await delay(2);
      }
    }
    return dealer;
  }

  it("while messages pour in ends the reading of it, at whatever moment", async () => {
    for (let moment = 1; moment <= 12; moment++) {
      const dealer = await openFlooded();
      let closing: Promise<void> | undefined;
      let read = 0;
      const close = async (): Promise<void> => {
        for (let turn = 0; turn < moment; turn++) await Promise.resolve();
        await dealer.close(0);
      };
      for await (const frames of dealer.receive()) {
        read += frames.length;
        if (read === messagesInARow) closing = close();
      }
      expect(read, `closed ${moment} turns after message ${messagesInARow}`).to.be.at.least(messagesInARow);
      await closing;
    }
  });
});
