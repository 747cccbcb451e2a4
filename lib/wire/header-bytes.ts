/**
 * Walks the MessagePack of a header before anything is built from it. The decoder behind it reserves memory by the
 * counts a sender claims and knows extensions that define records or regular expressions; both are refused here, and so are
 * more values than a process can hold: an empty map is one byte here and many there.
 */
import { BquerydError } from "../base/errors.js";
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
}

/**
 * Accepts exactly one whole MessagePack value of nil, booleans, numbers, text, binary, arrays, maps, timestamps,
 * undefined and large integers, nested at most 64 deep, and `limits.headerValuesMax` in all.
 * Throws BAD_MESSAGE for anything else.
 */
export function checkHeaderBytes(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const expected = [1];
  let at = 0;
  let values = 1;
  while (expected.length > 0) {
    const depth = expected.length - 1;
    if (expected[depth] === 0) {
      expected.pop();
      continue;
    }
    expected[depth]! -= 1;
    const token = readToken(view, at);
    at += token.bytes;
    // Every value takes a byte at least, so a count beyond the bytes left is a lie.
    if (at > bytes.length || token.children > bytes.length - at) throw malformed("ends too early");
    values += token.children;
    if (values > limits.headerValuesMax) throw malformed(`has more than ${limits.headerValuesMax} values`);
    if (token.children > 0) expected.push(token.children);
    if (expected.length > depthMax) throw malformed(`is nested more than ${depthMax} deep`);
  }
  if (at !== bytes.length) throw malformed("goes on after its end");
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
  if (tag < 0x90) return { bytes: 1, children: 2 * (tag & 0x0f) };
  if (tag < 0xa0) return { bytes: 1, children: tag & 0x0f };
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
    case 0xdc: return { bytes: 3, children: view.getUint16(at + 1) };
    case 0xdd: return { bytes: 5, children: view.getUint32(at + 1) };
    case 0xde: return { bytes: 3, children: 2 * view.getUint16(at + 1) };
    case 0xdf: return { bytes: 5, children: 2 * view.getUint32(at + 1) };
    case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: return extension(view.getUint8(at + 1), 2, 1 << (tag - 0xd4));
    case 0xc7: return extension(view.getUint8(at + 2), 3, view.getUint8(at + 1));
    case 0xc8: return extension(view.getUint8(at + 3), 4, view.getUint16(at + 1));
    case 0xc9: return extension(view.getUint8(at + 5), 6, view.getUint32(at + 1));
    default: throw malformed(`has the unused byte 0x${tag.toString(16)}`);
  }
}

function leaf(bytes: number): Token {
  return { bytes, children: 0 };
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
