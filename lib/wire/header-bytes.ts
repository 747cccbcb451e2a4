/**
 * Walks the MessagePack of a header before anything is built from it. The decoder behind it reserves memory by the
 * counts a sender claims and knows extensions that define records or regular expressions; both are refused here, and so are
 * more values than a process can hold: an empty map is one byte here and many there. Maps whose names were not seen
 * before take it seconds by the million, in which nobody else is served: there may not be that many.
 */
import { BquerydError } from "../base/errors.js";
import { freshSeed } from "../base/clock.js";
import { limits } from "../base/limits.js";

/** Containers inside containers that a header may have. */
const depthMax = 64;
/** Bytes of an integer beyond 64 bits. */
const bigIntegerBytesMax = 64;

const undefinedExtension = 0x00;
const bigIntegerExtension = 0x42;
const timestampExtension = 0xff;

/** One value's own bytes, and how many values follow inside it. */
interface Token {
  readonly bytes: number;
  readonly children: number;
  readonly isMap: boolean;
}

/** A container that is being walked. */
interface Container {
  /** Values that are still to come. */
  left: number;
  readonly members: number;
  readonly isMap: boolean;
  /** What its names came to. */
  names: number;
}

/** Names are told apart by it; nobody outside knows which differ and look the same. */
const namesSeed = freshSeed();

/**
 * Accepts exactly one whole MessagePack value of nil, booleans, numbers, text, binary, arrays, maps, timestamps,
 * undefined and large integers, nested at most 64 deep, `limits.headerValuesMax` in all, whose maps have texts for names
 * and `limits.headerNamesMax` members, those with the same names counted once.
 * Throws BAD_MESSAGE for anything else.
 */
export function checkHeaderBytes(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const open: Container[] = [{ left: 1, members: 0, isMap: false, names: 0 }];
  const note = createNames();
  let at = 0;
  let values = 1;
  for (let container = open.at(-1); container !== undefined; container = open.at(-1)) {
    if (container.left === 0) {
      if (container.isMap) note(container);
      open.pop();
      continue;
    }
    const isName = container.isMap && container.left % 2 === 0;
    container.left -= 1;
    const token = readToken(view, at);
    if (isName) container.names = addName(container.names, bytes, at, token);
    at += token.bytes;
    // Every value takes a byte at least, so a count beyond the bytes left is a lie.
    if (at > bytes.length || token.children > bytes.length - at) throw malformed("ends too early");
    values += token.children;
    if (values > limits.headerValuesMax) throw malformed(`has more than ${limits.headerValuesMax} values`);
    if (token.children > 0) open.push({ left: token.children, members: token.children / 2, isMap: token.isMap, names: namesSeed });
    if (open.length > depthMax) throw malformed(`is nested more than ${depthMax} deep`);
  }
  if (at !== bytes.length) throw malformed("goes on after its end");
}

/** Takes note of the names of one map after the other. */
function createNames(): (map: Container) => void {
  const known = new Set<number>();
  let members = 0;
  return (map) => {
    if (known.has(map.names)) return;
    known.add(map.names);
    members += map.members;
    if (members > limits.headerNamesMax) throw malformed(`has maps of more than ${limits.headerNamesMax} names`);
  };
}

/** What names come to with one more, the text at `at`. */
function addName(names: number, bytes: Uint8Array, at: number, token: Token): number {
  const tag = bytes[at]!;
  if ((tag < 0xa0 || tag >= 0xc0) && (tag < 0xd9 || tag > 0xdb)) throw malformed("has a map with a name that is no text");
  const end = Math.min(bytes.length, at + token.bytes);
  let sum = names;
  for (let place = at; place < end; place++) sum = Math.imul(sum ^ bytes[place]!, 0x01000193);
  return sum;
}

function readToken(view: DataView, at: number): Token {
  try {
    return decodeToken(view, at);
  } catch (cause) {
    if (cause instanceof RangeError) throw malformed("ends too early", cause);
    throw cause;
  }
}

function decodeToken(view: DataView, at: number): Token {
  const tag = view.getUint8(at);
  if (tag < 0x80 || tag >= 0xe0) return leaf(1);
  if (tag < 0x90) return map(1, tag & 0x0f);
  if (tag < 0xa0) return list(1, tag & 0x0f);
  if (tag < 0xc0) return leaf(1 + (tag & 0x1f));
  switch (tag) {
    case 0xc0: case 0xc2: case 0xc3: return leaf(1);
    case 0xcc: case 0xd0: return leaf(2);
    case 0xcd: case 0xd1: return leaf(3);
    case 0xca: case 0xce: case 0xd2: return leaf(5);
    case 0xcb: case 0xcf: case 0xd3: return leaf(9);
    case 0xc4: case 0xd9: return leaf(2 + view.getUint8(at + 1));
    case 0xc5: case 0xda: return leaf(3 + view.getUint16(at + 1));
    case 0xc6: case 0xdb: return leaf(5 + view.getUint32(at + 1));
    case 0xdc: return list(3, view.getUint16(at + 1));
    case 0xdd: return list(5, view.getUint32(at + 1));
    case 0xde: return map(3, view.getUint16(at + 1));
    case 0xdf: return map(5, view.getUint32(at + 1));
    case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: return extension(view.getUint8(at + 1), 2, 1 << (tag - 0xd4));
    case 0xc7: return extension(view.getUint8(at + 2), 3, view.getUint8(at + 1));
    case 0xc8: return extension(view.getUint8(at + 3), 4, view.getUint16(at + 1));
    case 0xc9: return extension(view.getUint8(at + 5), 6, view.getUint32(at + 1));
    default: throw malformed(`has the unused byte 0x${tag.toString(16)}`);
  }
}

function map(bytes: number, members: number): Token {
  return { bytes, children: 2 * members, isMap: true };
}

function list(bytes: number, children: number): Token {
  return { bytes, children, isMap: false };
}

function leaf(bytes: number): Token {
  return { bytes, children: 0, isMap: false };
}

function extension(type: number, headBytes: number, payloadBytes: number): Token {
  const isKnown = type === undefinedExtension || type === timestampExtension ||
    (type === bigIntegerExtension && payloadBytes > 0 && payloadBytes <= bigIntegerBytesMax);
  if (!isKnown) throw malformed(`has the extension 0x${type.toString(16)} of ${payloadBytes} bytes`);
  return leaf(headBytes + payloadBytes);
}

function malformed(problem: string, cause?: unknown): BquerydError {
  return new BquerydError("BAD_MESSAGE", `the header of a message ${problem}; it is one MessagePack map of plain values`, { cause });
}
