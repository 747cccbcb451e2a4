/**
 * Messages as frames, and back. The routing id that a ROUTER puts before them is not part of a message.
 *
 *   frame 0    4 bytes: "bqc" (client channel) or "bqw" (worker channel), then the protocol version, 1
 *   frame 1    the header: one MessagePack map with a "type"
 *   frame 2..  the body: raw bytes that only the two ends open
 */
import { Packr, Unpackr } from "msgpackr";
import { BquerydError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { requireHeader, type Channel, type Channels, type Direction } from "./catalogue.js";
import { checkHeaderBytes } from "./header-bytes.js";

/** The version of the protocol that this program speaks, the only one it accepts. */
export const protocolVersion = 1;

/** A decoded message: its header, and its body frames as they arrived, not copied. */
export interface Decoded<H> {
  readonly header: H;
  readonly body: Uint8Array[];
}

const tags: Record<Channel, Uint8Array> = { client: tagFrame("bqc"), worker: tagFrame("bqw") };
const headerFrames = 2;
/** Characters of the texts in a header (messages.ts, Text). */
const textMax = 4_096;
// Without `moreTypes`: it would send sets and errors as extensions, and receivers refuse those.
const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false });

/**
 * The frames of a message. They refer to the body, which therefore must not change any more. Throws MEMORY_LIMIT when
 * they hold more than `messageBytesMax` bytes or the header more than its limit, and BAD_MESSAGE for a header that is not in the catalogue
 * or has more values or names than one may.
 */
export function encodeFrames<C extends Channel, D extends Direction>(
  channel: C, direction: D, header: Channels[C][D], body: readonly Uint8Array[], messageBytesMax: number,
): Uint8Array[] {
  const fitting = requireHeader(channel, direction, clipMessage(header));
  const headerBytes = packr.pack(fitting);
  if (headerBytes.length > limits.headerBytesMax) throw headerTooLarge(header.type, headerBytes.length);
  // What a receiver would drop is refused where somebody is told. A shorter header cannot have as many values or names.
  if (headerBytes.length > 2 * limits.headerNamesMax) checkHeaderBytes(headerBytes);
  const frames = [tags[channel], headerBytes, ...body];
  const bytes = countBytes(frames);
  if (bytes > messageBytesMax || frames.length > limits.framesMax) throw tooLarge(header.type, frames.length, bytes, messageBytesMax);
  return frames;
}

/** The message in the frames, checked; throws BAD_MESSAGE (with the `id` it names, if any) or PROTOCOL_VERSION. */
export function decodeFrames<C extends Channel, D extends Direction>(
  channel: C, direction: D, frames: readonly Uint8Array[], messageBytesMax: number,
): Decoded<Channels[C][D]> {
  if (requireChannel(frames) !== channel) throw badMessage(`a message of another channel came on the ${channel} channel`);
  const headerBytes = frames[1];
  if (headerBytes === undefined) throw badMessage("a message has no header");
  if (headerBytes.length > limits.headerBytesMax) throw badMessage(`a header has ${headerBytes.length} bytes, more than ${limits.headerBytesMax}`);
  if (frames.length > limits.framesMax) throw badMessage(`a message has ${frames.length} frames, more than ${limits.framesMax}`);
  const bytes = countBytes(frames);
  if (bytes > messageBytesMax) throw badMessage(`a message has ${bytes} bytes, more than ${messageBytesMax}`);
  const header = unpackHeader(headerBytes);
  try {
    return { header: requireHeader(channel, direction, header), body: frames.slice(headerFrames).map(asBytes) };
  } catch (cause) {
    throw withId(cause, header);
  }
}

/** Which channel a message belongs to; throws BAD_MESSAGE for other frames and PROTOCOL_VERSION for another version. */
export function requireChannel(frames: readonly Uint8Array[]): Channel {
  const frame = frames[0];
  const channel = frame === undefined || frame.length !== 4 ? undefined : findChannel(frame);
  if (frame === undefined || channel === undefined) throw badMessage("a message does not begin with the tag of this protocol");
  const version = frame[3];
  if (version !== protocolVersion) throw otherVersion(channel, version ?? 0);
  return channel;
}

function tagFrame(tag: string): Uint8Array {
  return Uint8Array.of(...Buffer.from(tag, "latin1"), protocolVersion);
}

function findChannel(frame: Uint8Array): Channel | undefined {
  if (hasTag(frame, tags.client)) return "client";
  return hasTag(frame, tags.worker) ? "worker" : undefined;
}

function hasTag(frame: Uint8Array, tag: Uint8Array): boolean {
  return frame[0] === tag[0] && frame[1] === tag[1] && frame[2] === tag[2];
}

function unpackHeader(bytes: Uint8Array): unknown {
  checkHeaderBytes(bytes);
  try {
    return unpackr.unpack(bytes);
  } catch (cause) {
    throw new BquerydError("BAD_MESSAGE", "the header of a message cannot be decoded; it is one MessagePack map of plain values", { cause });
  }
}

/** A failure's sentence quotes names from data and may be any length; the ends of it must not cost the answer itself. */
function clipMessage<H extends { type: string }>(header: H): H {
  if (!("message" in header) || typeof header.message !== "string" || header.message.length <= textMax) return header;
  return { ...header, message: `${header.message.slice(0, textMax - 1)}…` };
}

function countBytes(frames: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const frame of frames) bytes += frame.length;
  return bytes;
}

/** The same memory without Buffer's own methods, some of which mean something else than a Uint8Array's. */
function asBytes(frame: Uint8Array): Uint8Array {
  return Buffer.isBuffer(frame) ? new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength) : frame;
}

function withId(cause: unknown, header: unknown): unknown {
  if (!(cause instanceof BquerydError) || typeof header !== "object" || header === null || !("id" in header)) return cause;
  const { id } = header;
  if (typeof id !== "string" || !/^[0-9a-f]{32}$/.test(id)) return cause;
  return new BquerydError(cause.code, cause.message, { details: { ...cause.details, id }, cause });
}

function badMessage(problem: string): BquerydError {
  return new BquerydError("BAD_MESSAGE", `${problem}; send what PROTOCOL.md lists`);
}

function tooLarge(type: string, frames: number, bytes: number, messageBytesMax: number): BquerydError {
  return new BquerydError("MEMORY_LIMIT",
    `a message of type '${type}' has ${bytes} bytes in ${frames} frames, more than ${messageBytesMax} or ${limits.framesMax}; ask for fewer groups or raise message_bytes_max`,
    { details: { type, bytes, frames, messageBytesMax } });
}

function headerTooLarge(type: string, bytes: number): BquerydError {
  return new BquerydError("MEMORY_LIMIT",
    `the header of a message of type '${type}' has ${bytes} bytes, more than ${limits.headerBytesMax}; name fewer tables and columns, or ask a cluster that has fewer`,
    { details: { type, bytes, headerBytesMax: limits.headerBytesMax } });
}

function otherVersion(channel: Channel, version: number): BquerydError {
  return new BquerydError("PROTOCOL_VERSION",
    `the other end speaks version ${version} of the ${channel} protocol and this program version ${protocolVersion}; run the same release on both ends`,
    { details: { channel, version, ours: protocolVersion } });
}
