/** Stands between a worker and a controller and says everything that the worker says twice, and some of it again much later. */
import type { Random } from "../../../lib/base/clock.js";
import { openDealerSocket, openRouterSocket } from "../../../lib/wire/sockets.js";
import { push } from "../hostile/connection.js";
import { chance, oneOf } from "../random/draw.js";

/** A replayer of one worker. */
export interface Replayer {
  /** What the worker takes for its controller. */
  readonly address: string;
  /** Messages that were said again. */
  readonly repeated: number;
  close(): Promise<void>;
}

const frameBytesMax = 2 ** 30;
/** Messages from which those said late are drawn. */
const keptMax = 200;
const lateShare = 0.2;

/** One before the controller at an address. */
export async function startReplayer(controller: string, random: Random): Promise<Replayer> {
  const near = openRouterSocket({ frameBytesMax, isIpv6: false });
  const far = openDealerSocket({ frameBytesMax, isIpv6: false });
  await near.bind("tcp://127.0.0.1:*");
  far.connect(controller);
  const kept: Uint8Array[][] = [];
  let worker: Uint8Array | undefined;
  let repeated = 0;

  async function carryOut(): Promise<void> {
    for await (const [routingId, ...frames] of near.receive()) {
      worker = routingId;
      kept.push(frames);
      if (kept.length > keptMax) kept.shift();
      await push(far, frames);
      await push(far, frames);
      repeated += 1;
      if (chance(random, lateShare)) await push(far, oneOf(random, kept));
    }
  }

  async function carryBack(): Promise<void> {
    for await (const frames of far.receive()) if (worker !== undefined) await push(near, [worker, ...frames]);
  }

  const carrying = Promise.all([carryOut(), carryBack()]);
  return {
    address: near.endpoint(),
    get repeated() { return repeated; },
    async close() {
      await Promise.all([near.close(0), far.close(0)]);
      await carrying;
    },
  };
}
