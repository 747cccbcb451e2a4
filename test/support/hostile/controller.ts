/** A hostile controller: whoever connects is told hostile things, some of which fit what it said itself. */
import { Unpackr } from "msgpackr";
import { randomId, type Random } from "../../../lib/base/clock.js";
import type { Channel } from "../../../lib/wire/catalogue.js";
import { encodeFrames } from "../../../lib/wire/frames.js";
import type { ShardRef, WorkerReply } from "../../../lib/wire/messages.js";
import { addressOf } from "../../../lib/wire/addresses.js";
import { makeKeyPair } from "../../../lib/wire/keys.js";
import { openRouterSocket } from "../../../lib/wire/sockets.js";
import { chance, oneOf, whole } from "../random/draw.js";
import { until } from "../until.js";
import { addTo, headersOf, push, rememberIds, type AttackOptions } from "./connection.js";
import { drawMessage } from "./messages.js";
import { drawBytes } from "./packed.js";

/** A ROUTER that nobody should have connected to. */
export interface HostileController {
  readonly address: string;
  /** Sends so many messages to those who are connected, one drawn after the other. */
  attack(options: AttackOptions): Promise<void>;
  close(): Promise<void>;
}

/** Someone who connected, and what is known of him. */
interface Victim {
  readonly routingId: Uint8Array;
  readonly knownIds: string[];
  readonly shards: Omit<ShardRef, "ordinal">[];
  nonce: string;
}

const unpackr = new Unpackr({ useRecords: false });
const reachedWithinMs = 120_000;

/** One that says replies of that channel, on a free port; with keys it lets in whoever has some. */
export async function startHostileController(channel: Channel, { withKeys }: { withKeys: boolean }): Promise<HostileController> {
  const keys = withKeys ? makeKeyPair() : undefined;
  const socket = openRouterSocket({ frameBytesMax: 2 ** 30, isIpv6: false }, keys === undefined ? undefined : { keys, admit: () => true });
  const victims = new Map<string, Victim>();
  await socket.bind("tcp://127.0.0.1:*");
  const reading = listen();

  async function listen(): Promise<void> {
    for await (const [routingId, ...frames] of socket.receive()) {
      if (routingId === undefined) continue;
      const peer = Buffer.from(routingId).toString("hex");
      const victim = victims.get(peer) ?? { routingId, knownIds: [], shards: [], nonce: randomId() };
      victims.set(peer, victim);
      for (const header of headersOf(frames)) learn(victim, header);
    }
  }

  return {
    address: addressOf(socket.endpoint(), { publicKey: keys?.publicKey }),
    async attack({ random, tally, count, frameBytesMax }) {
      for (const end = tally.sent + count; tally.sent < end;) {
        await until("somebody is connected to the hostile controller", () => victims.size > 0, reachedWithinMs);
        const [peer, victim] = oneOf(random, [...victims]);
        const scene = chance(random, 0.1) ? sceneOf(random, channel, victim) : undefined;
        const { sort, frames } = scene ?? drawMessage(random, { channel, direction: "reply", frameBytesMax, knownIds: victim.knownIds });
        if (await push(socket, [victim.routingId, ...frames]) === "unreachable") victims.delete(peer);
        else addTo(tally, sort);
      }
    },
    async close() {
      await socket.close(0);
      await reading;
    },
  };
}

function learn(victim: Victim, header: Uint8Array): void {
  rememberIds(header, victim.knownIds);
  const fields: unknown = unpackr.unpack(header);
  if (typeof fields !== "object" || fields === null) return;
  if ("nonce" in fields) victim.nonce = String(fields.nonce);
  if (!("holdings" in fields) || !Array.isArray(fields.holdings)) return;
  for (const { name, generation } of fields.holdings) victim.shards.push({ name, generation });
}

/** What fits: a task that answers the victim's offer, for shards that it has, or the begin of an answer to its call. */
function sceneOf(random: Random, channel: Channel, victim: Victim): { sort: "scene"; frames: Uint8Array[] } {
  if (channel === "worker") return { sort: "scene", frames: encodeFrames("worker", "reply", taskFor(random, victim), [drawQuery(random)], 1_000_000) };
  const shards = Array.from({ length: whole(random, 0, 4) }, (_, ordinal) => ({ ordinal, name: `n-${ordinal}.bcolzs`, generation: "a".repeat(64) }));
  const id = victim.knownIds.at(-1) ?? randomId();
  return { sort: "scene", frames: encodeFrames("client", "reply", { type: "accepted", id, queryId: randomId(), attempt: whole(random, 1, 3), shards }, [], 1_000_000) };
}

function taskFor(random: Random, { nonce, shards }: Victim): WorkerReply & { type: "task" } {
  const some = shards.filter(() => chance(random, 0.5)).map((shard, ordinal) => ({ ...shard, ordinal: chance(random, 0.9) ? ordinal : 2 ** 53 - 1 }));
  const named = some.map((shard) => (chance(random, 0.1) ? { ...shard, generation: "b".repeat(64) } : chance(random, 0.05) ? { ...shard, name: "../../etc/passwd" } : shard));
  const rows = { slices: whole(random, 1, 9), rowsMax: oneOf(random, [null, 0, 1, 1e300]), from: named.map(() => oneOf(random, [0, 1, 19_999, 20_000, 1e15, 1e300])) };
  return {
    type: "task", taskId: randomId(), attempt: 1, kind: "groupby", queryId: randomId(), nonce, shards: named, remainingMs: oneOf(random, [0, 1, 1_000, 1e300]),
    ...(chance(random, 0.4) ? { rows } : {}),
    ...(chance(random, 0.3) ? { absent: [{ name: "zz", dtype: oneOf(random, ["int64", "nonsense", "__proto__"]) }] } : {}),
    ...(chance(random, 0.3) ? { widened: [{ name: "k", dtype: oneOf(random, ["float64", "string", "nonsense", null]) }] } : {}),
  };
}

const queries = [
  { keys: ["k"], measures: [["v", "sum"]] }, { keys: ["k"], measures: [["nothing", "sum"]] }, { keys: [], measures: ["v"], aggregate: false }, { keys: ["zz"], measures: [["*", "count", "n"]], missing: "empty" },
  { keys: ["k"], measures: [["v", "histogram", "h", { bins: 1e9, low: 0, high: 1 }]] }, { keys: ["k"], measures: [["v", "quantile", "q", { p: 1e300 }]] },
  { keys: [{ expr: `${"(".repeat(200)}v${")".repeat(200)}`, as: "d" }], measures: [] }, { keys: ["k"], measures: [["v", "sum"]], where: [["k", "in", Array.from({ length: 1_000 }, (_, k) => k)]] },
  { keys: ["k"], measures: [["v", "sum"]], where: [["k", "like", "%".repeat(500)]] }, { keys: { length: 1e9 }, measures: "v" }, { keys: ["__proto__"], measures: [["constructor", "sum"]] },
  { keys: ["v"], measures: [["v", "count_distinct"]], baskets: "ask", expand_filter_column: "k" }, { keys: ["k"], measures: [["v", "sum"]], blocks: "nonsense", limit: -1, offset: 1e300 },
];

function drawQuery(random: Random): Uint8Array {
  return chance(random, 0.2) ? drawBytes(random, whole(random, 0, 300)) : Buffer.from(JSON.stringify(oneOf(random, queries)));
}
