/** Hostile messages: every sort of wrong thing that one end of a channel can say to the other, drawn from a seed. */
import { Packr } from "msgpackr";
import type { TSchema } from "@sinclair/typebox";
import type { Random } from "../../../lib/base/clock.js";
import { requireHeader, type Channel, type Direction } from "../../../lib/wire/catalogue.js";
import { clientMessages, clientReplies, workerMessages, workerReplies } from "../../../lib/wire/messages.js";
import { joinMessages } from "../../../lib/wire/packets.js";
import { chance, oneOf, whole } from "../random/draw.js";
import { drawBomb, drawBytes, drawPacked } from "./packed.js";
import { drawAnything, drawValue, drawWrong, hostileTexts } from "./values.js";

/** The sorts of hostile messages. */
export const sorts = ["valid", "wrong field", "unknown type", "packed", "bytes", "damaged", "tag", "frames", "names", "packet", "bomb", "oversized"] as const;
export type Sort = (typeof sorts)[number];

/** A message as it goes on the wire, and what sort of wrong it is. */
export interface HostileMessage {
  readonly sort: Sort;
  readonly frames: Uint8Array[];
}

/** Who speaks to whom, and how large a frame that one takes. */
export interface Speaker {
  readonly channel: Channel;
  readonly direction: Direction;
  readonly frameBytesMax: number;
  /** Ids that mean something to the other end: of calls, tasks and offers of its own. */
  readonly knownIds?: readonly string[];
}

const catalogues: Readonly<Record<Channel, Record<Direction, Readonly<Record<string, TSchema>>>>> = {
  client: { message: clientMessages, reply: clientReplies },
  worker: { message: workerMessages, reply: workerReplies },
};
/** Of a thousand messages, so many of each sort; the last two cost megabytes each, and are drawn of ten thousand. */
const shares: readonly (readonly [Sort, number])[] = [["valid", 220], ["wrong field", 380], ["unknown type", 20], ["packed", 100], ["bytes", 90], ["damaged", 110], ["tag", 50], ["names", 20], ["packet", 60]];
const rare: readonly (readonly [Sort, number])[] = [["frames", 6], ["bomb", 3], ["oversized", 1]];
const rareOf = 10_000;

const packr = new Packr({ useRecords: false, variableMapSize: true, useBigIntExtension: true });
const namesBytes = 10_000_000;

/** One hostile message. */
export function drawMessage(random: Random, speaker: Speaker): HostileMessage {
  const sort = drawSort(random);
  return { sort, frames: framesOf(random, sort, speaker) };
}

function drawSort(random: Random): Sort {
  let at = whole(random, 0, rareOf - 1);
  for (const [sort, share] of rare) if ((at -= share) < 0) return sort;
  at = whole(random, 0, shares.reduce((sum, [, share]) => sum + share, 0) - 1);
  for (const [sort, share] of shares) if ((at -= share) < 0) return sort;
  return "valid";
}

function framesOf(random: Random, sort: Sort, speaker: Speaker): Uint8Array[] {
  const { channel, frameBytesMax } = speaker;
  switch (sort) {
    case "valid": return [tagOf(channel), packr.pack(drawHeader(random, speaker, drawValue)), ...drawBody(random)];
    case "wrong field": return [tagOf(channel), packr.pack(drawHeader(random, speaker, drawWrong)), ...drawBody(random)];
    case "unknown type": return [tagOf(channel), packr.pack({ type: oneOf(random, hostileTexts), id: drawAnything(random) })];
    case "packed": return [tagOf(channel), drawPacked(random)];
    case "bytes": return Array.from({ length: whole(random, 1, 6) }, () => drawBytes(random, whole(random, 0, 100)));
    case "damaged": return damage(random, [tagOf(channel), packr.pack(drawHeader(random, speaker, drawValue)), ...drawBody(random)]);
    case "tag": return [drawTag(random), packr.pack(drawHeader(random, speaker, drawValue))];
    case "names": return [tagOf(channel), packr.pack({ ...drawHeader(random, speaker, drawValue), [oneOf(random, ["id", "name", "type", "tables", "message"])]: oneOf(random, hostileTexts).repeat(50) })];
    case "frames": return chance(random, 0.3)
      ? [tagOf(channel), packr.pack({ type: "call", id: "n".repeat(namesBytes) })]
      : [tagOf(channel), ...Array.from({ length: whole(random, 4_000, 9_000) }, () => new Uint8Array(whole(random, 0, 3)))];
    case "packet": return drawPacket(random, speaker);
    case "bomb": return [tagOf(channel), drawBomb(random)];
    case "oversized": return [tagOf(channel), new Uint8Array(frameBytesMax + whole(random, 1, 1_000))];
  }
}

/** Several messages in one, right and wrong ones, more than there may be, or with a head that says otherwise. */
function drawPacket(random: Random, speaker: Speaker): Uint8Array[] {
  const { channel } = speaker;
  const messages = Array.from({ length: oneOf(random, [2, 2, 3, 8, 32, 33, 200]) }, () => (chance(random, 0.02)
    ? [] : [tagOf(channel), packr.pack(drawHeader(random, speaker, chance(random, 0.5) ? drawValue : drawWrong)), ...drawBody(random)]));
  const packet = joinMessages(messages);
  if (chance(random, 0.6)) return packet;
  if (chance(random, 0.3)) return joinMessages([packet, ...messages.slice(0, 2)]);
  const head = packet[0]!.slice();
  head[whole(random, 4, head.length - 1)]! ^= 1 << whole(random, 0, 7);
  return oneOf(random, [[head, ...packet.slice(1)], [head.subarray(0, whole(random, 0, head.length))], packet.slice(0, whole(random, 1, packet.length)), damage(random, packet)]);
}

function tagOf(channel: Channel, version = 1): Uint8Array {
  return Uint8Array.of(...Buffer.from(channel === "client" ? "bqc" : "bqw"), version);
}

function drawTag(random: Random): Uint8Array {
  switch (whole(random, 0, 4)) {
    case 0: return tagOf(oneOf(random, ["client", "worker"]), oneOf(random, [0, 2, 255]));
    case 1: return tagOf(oneOf(random, ["client", "worker"])).subarray(0, whole(random, 0, 3));
    case 2: return Uint8Array.of(...tagOf("client"), 1);
    case 3: return tagOf(oneOf(random, ["client", "worker"]));
    default: return drawBytes(random, 4);
  }
}

/** Bits flipped, frames cut, left out, doubled or put in another order. */
function damage(random: Random, frames: readonly Uint8Array[]): Uint8Array[] {
  const at = whole(random, 0, frames.length - 1);
  const frame = frames[at]!;
  switch (whole(random, 0, 4)) {
    case 0: return frames.with(at, frame.subarray(0, whole(random, 0, frame.length)));
    case 1: return frames.toSpliced(at, 1);
    case 2: return [...frames, ...frames];
    case 3: return frames.toReversed();
    default: {
      const flipped = Uint8Array.from(frame);
      for (let k = whole(random, 1, 8); k > 0 && flipped.length > 0; k--) flipped[whole(random, 0, flipped.length - 1)]! ^= 1 << whole(random, 0, 7);
      return frames.with(at, flipped);
    }
  }
}

/** Frames that are no query, no partial and no rows, and some that begin like one. */
function drawBody(random: Random): Uint8Array[] {
  const texts = ['{"keys":["k"],"measures":[["v","sum"]]}', '{"keys":[],"measures":[]}', '{"keys":["k"],"measures":[["v","histogram","h",{"bins":1e9}]]}', "[".repeat(20_000), '{"__proto__":{"a":1}}', '{"keys":[{"expr":"((((("}]}', "null"];
  return Array.from({ length: whole(random, 0, 2) }, () => oneOf(random, [Buffer.from(oneOf(random, texts)), drawBytes(random, whole(random, 0, 300)), Uint8Array.of(4, 0, 0, 0, ...Buffer.from("{}  "), ...drawBytes(random, 16))]));
}

function drawHeader(random: Random, { channel, direction, knownIds = [] }: Speaker, draw: (random: Random, schema: TSchema) => unknown): Record<string, unknown> {
  const catalogue = catalogues[channel][direction];
  for (;;) {
    const header = asRecord(draw(random, catalogue[oneOf(random, Object.keys(catalogue))]!));
    for (const field of ["id", "taskId", "nonce", "running", "queryId"]) {
      if (typeof header[field] === "string" && knownIds.length > 0 && chance(random, 0.5)) header[field] = oneOf(random, knownIds);
    }
    if (!isObeyed(channel, direction, header)) return header;
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : { type: value };
}

/** Tells what a process would do as it is told, and be right to: end, or let others in. */
function isObeyed(channel: Channel, direction: Direction, header: Record<string, unknown>): boolean {
  const { type, verb } = header;
  const isOrder = type === "shutdown" || (typeof verb === "string" && /^(kill|loglevel|execute|sleep|setLog)/.test(verb)) || type === "setLogLevel";
  if (!isOrder) return false;
  try {
    requireHeader(channel, direction, header);
    return true;
  } catch {
    return false;
  }
}
