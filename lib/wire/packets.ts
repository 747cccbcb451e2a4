/**
 * Several small messages to one peer as one message of ZeroMQ, each of which costs sender and receiver about the same,
 * however much it holds.
 *
 *   frame 0    "bqp", the protocol version, then the number of frames of each message, 2 bytes each, the low one first
 *   frame 1..  the frames of the messages, one after the other
 */
import { BquerydError } from "../base/errors.js";
import { protocolVersion } from "./frames.js";

/** Messages of one packet. */
export const packetMessagesMax = 32;
const tag = Uint8Array.of(...Buffer.from("bqp", "latin1"), protocolVersion);

/** The frames of one or more messages as those of a packet; of a single one as they are. */
export function joinMessages(messages: readonly Uint8Array[][]): Uint8Array[] {
  if (messages.length === 1) return messages[0]!;
  const head = new Uint8Array(tag.length + 2 * messages.length);
  head.set(tag);
  const counts = new DataView(head.buffer, tag.length);
  const joined: Uint8Array[] = [head];
  for (const [index, frames] of messages.entries()) {
    counts.setUint16(2 * index, frames.length, true);
    for (const frame of frames) joined.push(frame);
  }
  return joined;
}

/** The messages of what came, of what is no packet itself alone; or BAD_MESSAGE where a packet says other than it holds. */
export function messagesOf(frames: Uint8Array[]): (Uint8Array[] | BquerydError)[] {
  const [head] = frames;
  if (head === undefined || head.length <= tag.length || tag.some((byte, index) => head[index] !== byte)) return [frames];
  const count = (head.length - tag.length) / 2;
  if (!Number.isInteger(count) || count > packetMessagesMax) return [badPacket(`a packet has a head of ${head.length} bytes`)];
  const counts = new DataView(head.buffer, head.byteOffset + tag.length, 2 * count);
  const messages: Uint8Array[][] = [];
  let next = 1;
  for (let index = 0; index < count; index++) {
    const end = next + counts.getUint16(2 * index, true);
    messages.push(frames.slice(next, end));
    next = end;
  }
  return next === frames.length ? messages : [badPacket(`a packet names ${next - 1} frames and has ${frames.length - 1}`)];
}

function badPacket(problem: string): BquerydError {
  return new BquerydError("BAD_MESSAGE", `${problem}; send what PROTOCOL.md lists`);
}
