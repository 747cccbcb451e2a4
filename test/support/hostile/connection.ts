/** Raw connections that say hostile things: a DEALER at a controller, a ROUTER for workers and clients, plain TCP. */
import { connect as connectTcp, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Unpackr } from "msgpackr";
import { monotonicMs, randomId, type Random } from "../../../lib/base/clock.js";
import { encodeQuery } from "../../../lib/engine/query/bytes.js";
import { parseQuery } from "../../../lib/engine/query/query.js";
import { splitAddress } from "../../../lib/wire/addresses.js";
import { encodeFrames } from "../../../lib/wire/frames.js";
import { messagesOf } from "../../../lib/wire/packets.js";
import type { FirstMessage } from "../../../lib/wire/introduction.js";
import { openDealerSocket, type RawSocket } from "../../../lib/wire/sockets.js";
import { chance, oneOf, whole } from "../random/draw.js";
import { numbers } from "./honest.js";
import { drawDisguise, drawStranger, type Disguise, type HostileKeys } from "./keys.js";
import { drawMessage, type Sort } from "./messages.js";
import { drawBytes } from "./packed.js";

/** What was sent so far, by sort, and over how many connections. */
export interface AttackTally {
  sent: number;
  connections: number;
  readonly bySort: Map<Sort | "scene" | "tcp", number>;
}

/** How an attack goes on. */
export interface AttackOptions {
  readonly random: Random;
  readonly tally: AttackTally;
  /** Messages in all. */
  readonly count: number;
  /** The largest frame that the other end takes. */
  readonly frameBytesMax: number;
  /** Where the other end takes those alone whose keys it knows. */
  readonly keys?: HostileKeys | undefined;
}

/** What a connection pretends to be. */
type Role = "stranger" | "client" | "worker";

const sendWithinMs = 60_000;
/** Fewer than a socket holds while nobody takes them. */
const strangersMessagesMax = 200;
const lingerMs = 5_000;
const idsKept = 40;
const unpackr = new Unpackr({ useRecords: false });

/** Sends so many messages to a controller, over one connection after another, some of which read what they are told. */
export async function attackController(address: string, options: AttackOptions): Promise<void> {
  const { random, tally, count } = options;
  const end = tally.sent + count;
  while (tally.sent < end) {
    const role = oneOf(random, ["stranger", "client", "client", "worker", "worker"] as const);
    await attackOnce(address, role, { ...options, count: Math.min(end - tally.sent, whole(random, 1, 1_200)) });
    if (chance(random, 0.3)) await sendGarbage(Number(new URL(address).port), options);
    if (options.keys !== undefined && chance(random, 0.3)) await knock(address, options.keys, options);
  }
}

async function attackOnce(address: string, role: Role, { random, tally, count, frameBytesMax, keys }: AttackOptions): Promise<void> {
  const disguise = drawDisguise(random, address, keys);
  const socket = openDealerSocket({ frameBytesMax, isIpv6: false }, disguise.introduction);
  const knownIds: string[] = [];
  socket.connect(splitAddress(address).endpoint);
  tally.connections += 1;
  const reading = chance(random, 0.6) ? readIds(socket, knownIds) : Promise.resolve();
  const channel = role === "stranger" ? oneOf(random, ["client", "worker"] as const) : role;
  try {
    for (const frames of openingOf(random, role, knownIds, disguise)) await push(socket, frames);
    for (let k = 0; k < count; k++) {
      const scene = role !== "stranger" && chance(random, 0.04) ? sceneOf(random, role, knownIds, disguise) : undefined;
      const { sort, frames } = scene ?? drawMessage(random, { channel, direction: "message", frameBytesMax, knownIds });
      await push(socket, frames);
      addTo(tally, sort);
      // The other end hangs up on it.
      if (frames.some((frame) => frame.length > frameBytesMax)) return;
    }
  } finally {
    await socket.close(lingerMs);
    await reading;
  }
}

/** Says things to a controller that lets nobody in like that: nothing of it counts as sent. */
async function knock(address: string, { known }: HostileKeys, { random, tally, frameBytesMax }: AttackOptions): Promise<void> {
  const { endpoint, publicKey = "" } = splitAddress(address);
  const socket = openDealerSocket({ frameBytesMax, isIpv6: false }, drawStranger(random, { serverKey: publicKey }, known));
  socket.connect(endpoint);
  tally.connections += 1;
  for (let k = whole(random, 1, strangersMessagesMax); k > 0; k--) {
    // Once it was refused there is nobody who could make room.
    if (await socket.send(drawMessage(random, { channel: "client", direction: "message", frameBytesMax: 1_000 }).frames) !== "sent") break;
  }
  await delay(whole(random, 0, 50));
  await socket.close(0);
}

/** Counts one message. */
export function addTo(tally: AttackTally, sort: Sort | "scene" | "tcp"): void {
  tally.sent += 1;
  tally.bySort.set(sort, (tally.bySort.get(sort) ?? 0) + 1);
}

/** Sends as soon as there is room, which the other end makes by reading. */
export async function push(socket: RawSocket, frames: Uint8Array[]): Promise<"sent" | "unreachable"> {
  const untilMs = monotonicMs() + sendWithinMs;
  for (;;) {
    const outcome = await socket.send(frames);
    if (outcome !== "full") return outcome;
    if (monotonicMs() > untilMs) throw new Error(`the other end has read nothing for ${sendWithinMs} ms`);
    await delay(1);
  }
}

/** Keeps the ids in what the other end says, the latest few of them. */
async function readIds(socket: RawSocket, knownIds: string[]): Promise<void> {
  for await (const frames of socket.receive()) for (const header of headersOf(frames)) rememberIds(header, knownIds);
}

/** The headers of what came, which may be several messages in one. */
export function headersOf(frames: Uint8Array[]): Uint8Array[] {
  return messagesOf(frames).flatMap((message) => (message instanceof Error ? [] : message.slice(1, 2)));
}

/** Adds the ids in a header to those known. */
export function rememberIds(header: Uint8Array, knownIds: string[]): void {
  const fields: unknown = unpackr.unpack(header);
  if (typeof fields !== "object" || fields === null) return;
  for (const [name, value] of Object.entries(fields)) if (/(^id|Id|nonce)$/.test(name) && typeof value === "string") knownIds.push(value);
  knownIds.splice(0, knownIds.length - idsKept);
}

function openingOf(random: Random, role: Role, knownIds: string[], disguise: Disguise): Uint8Array[][] {
  switch (role) {
    case "stranger": return [];
    case "client": return [encodeFrames("client", "message", disguised(disguise, { type: "hello", clientId: randomId(), version: "hostile" }), [], 1_000)];
    case "worker": return [registerFrames(random, disguise), readyFrames(knownIds)];
  }
}

function disguised<H extends FirstMessage>({ introduction, provesKey }: Disguise, header: H): H {
  return provesKey ? introduction?.introduce(header) ?? header : header;
}

/** Something that makes sense up to a point: a call that is answered, an offer that is taken, a new name for oneself. */
function sceneOf(random: Random, role: Role, knownIds: string[], disguise: Disguise): { sort: "scene"; frames: Uint8Array[] } {
  if (role === "worker") return { sort: "scene", frames: chance(random, 0.3) ? registerFrames(random, disguise) : readyFrames(knownIds) };
  if (chance(random, 0.1)) return { sort: "scene", frames: openingOf(random, "client", knownIds, disguise)[0]! };
  const id = randomId();
  knownIds.push(id);
  const rows = chance(random, 0.5);
  const query = parseQuery(rows ? { keys: [], measures: ["v"], aggregate: false } : { keys: ["k"], measures: [["v", "sum"]] });
  const header = {
    type: "call" as const, id, verb: "groupby" as const, tables: [oneOf(random, [numbers.name, numbers.name, "evil.bcolz", "nothing"])], columns: ["k", "v"],
    remainingMs: oneOf(random, [0, 1, 1_000, 1e300]), ...(rows ? { rows: { slices: whole(random, 1, 30), rowsMax: null } } : {}),
  };
  return { sort: "scene", frames: encodeFrames("client", "message", header, [encodeQuery(query)], 100_000) };
}

function registerFrames(random: Random, disguise: Disguise): Uint8Array[] {
  const set = { id: "e".repeat(64), index: 0, count: 1e15 };
  const holding = { generation: "e".repeat(64), rows: 1e15, bytes: 1, columns: [{ name: "k", dtype: "int64" }, { name: "v", dtype: "nonsense" }], changedMs: -1 };
  const header = {
    type: "register" as const, workerId: randomId(), role: oneOf(random, ["worker", "worker", "downloader", "mover"] as const), node: "hostile", pid: 0, version: "hostile", dataDir: "../..", uptimeMs: 1e300,
    holdings: [{ ...holding, name: "evil.bcolz", set: null }, { ...holding, name: "evil-0.bcolzs", set }, { ...holding, name: "../../etc", set }],
  };
  return encodeFrames("worker", "message", disguised(disguise, header), [], 100_000);
}

function readyFrames(knownIds: string[]): Uint8Array[] {
  const nonce = randomId();
  knownIds.push(nonce);
  return encodeFrames("worker", "message", { type: "ready", nonce, cached: [] }, [], 100_000);
}

/** Sends what is not even the protocol below: noise, the protocols of others, and handshakes that go wrong half-way. */
export async function sendGarbage(port: number, { random, tally }: Pick<AttackOptions, "random" | "tally">): Promise<void> {
  const greeting = Uint8Array.of(0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1, ...Buffer.from("NULL".padEnd(20, "\0")), ...new Uint8Array(32));
  const ready = Uint8Array.of(4, 41, 5, ...Buffer.from("READY"), 11, ...Buffer.from("Socket-Type"), 0, 0, 0, 6, ...Buffer.from("DEALER"), 8, ...Buffer.from("Identity"), 0, 0, 0, 0);
  const noise = drawBytes(random, whole(random, 0, 400));
  const curve = Uint8Array.of(...greeting.subarray(0, 12), ...Buffer.from("CURVE".padEnd(20, "\0")), ...new Uint8Array(32));
  // A box that nobody made, of the size that the first command of CURVE has.
  const hello = Uint8Array.of(4, 200, 5, ...Buffer.from("HELLO"), 1, 0, ...drawBytes(random, 192));
  const texts = [
    noise, Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, ...noise), greeting.subarray(0, whole(random, 1, 63)),
    Uint8Array.of(...greeting, ...noise), Uint8Array.of(...greeting, ...ready, ...noise),
    Uint8Array.of(...curve, ...noise), Uint8Array.of(...curve, ...hello.subarray(0, whole(random, 1, 202))), Uint8Array.of(...curve, ...hello, ...noise),
    // Frames and commands that say they are four gigabytes, and more than there is.
    Uint8Array.of(...greeting, ...ready, 2, 0, 0, 0, 1, 0, 0, 0, 0, ...noise), Uint8Array.of(...greeting, 6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, ...noise),
    Uint8Array.of(...greeting, ...ready, 3, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), Uint8Array.of(...greeting.with(10, oneOf(random, [0, 1, 2, 4, 255])), ...noise),
  ];
  const socket = await openTcp(port);
  tally.connections += 1;
  socket.on("error", () => undefined);
  socket.write(oneOf(random, texts));
  addTo(tally, "tcp");
  await delay(whole(random, 0, 20));
  if (chance(random, 0.5)) socket.end();
  else socket.resetAndDestroy();
  socket.resume();
}

function openTcp(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ port, host: "127.0.0.1" }, () => { resolve(socket); });
    socket.once("error", reject);
  });
}
