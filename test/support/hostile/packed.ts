/** Headers that no packer makes: bytes of MessagePack that lie, nest, or cost more than they weigh. */
import type { Random } from "../../../lib/base/clock.js";
import { oneOf, whole } from "../random/draw.js";

/** So many random bytes. */
export function drawBytes(random: Random, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => Math.floor(random() * 256));
}

/** Small bytes of MessagePack, hardly any of which are a header. */
export function drawPacked(random: Random): Uint8Array {
  switch (whole(random, 0, 7)) {
    case 0: return nested(whole(random, 1, 3_000), 0x91);
    case 1: return nested(whole(random, 1, 3_000), 0x81);
    // Arrays, maps, texts, binaries and extensions that claim up to four billion of what they hold.
    case 2: return Uint8Array.of(oneOf(random, [0xdd, 0xdf, 0xdb, 0xc6, 0xc9]), ...drawBytes(random, 4), ...drawBytes(random, whole(random, 0, 20)));
    case 3: return Uint8Array.of(oneOf(random, [0xdc, 0xde, 0xda, 0xc5, 0xc8]), 0xff, 0xff, ...drawBytes(random, whole(random, 0, 20)));
    case 4: return extension(random);
    // A map with a type, and then whatever there is.
    case 5: return Uint8Array.of(0x82, 0xa4, ...Buffer.from("type"), 0xa4, ...Buffer.from(oneOf(random, ["call", "done", "task", "slic"])), 0xa1, 0x61, ...drawBytes(random, whole(random, 0, 40)));
    case 6: return Uint8Array.of(0x81, 0xa9, ...Buffer.from("__proto__"), 0x81, 0xa4, ...Buffer.from("type"), 0xa3, ...Buffer.from("bye"));
    default: return drawBytes(random, whole(random, 0, 200));
  }
}

/** Megabytes of MessagePack that would be many times as much as values: empty maps, empty arrays, very many members. */
export function drawBomb(random: Random): Uint8Array {
  const count = oneOf(random, [1_000_000, 4_000_000]);
  const kind = whole(random, 0, 3);
  if (kind === 3) return nested(count, 0x91);
  if (kind === 2) return manyMembers(count / 4);
  const bytes = new Uint8Array(count + 5).fill(kind === 0 ? 0x80 : 0x90);
  bytes[0] = 0xdd;
  new DataView(bytes.buffer).setUint32(1, count);
  return bytes;
}

/** A map of so many members, each with a name of its own, of four letters. */
function manyMembers(count: number): Uint8Array {
  const bytes = Buffer.alloc(5 + 6 * count);
  bytes[0] = 0xdf;
  bytes.writeUInt32BE(count, 1);
  for (let k = 0; k < count; k++) {
    bytes[5 + 6 * k] = 0xa4;
    bytes.write(k.toString(36).padStart(4, "-"), 6 + 6 * k, "latin1");
    bytes[10 + 6 * k] = 0xc0;
  }
  return bytes;
}

function nested(depth: number, opening: number): Uint8Array {
  return new Uint8Array(depth + 1).fill(opening, 0, depth);
}

function extension(random: Random): Uint8Array {
  const types = [0x00, 0x01, 0x42, 0x52, 0x65, 0x69, 0x70, 0x72, 0x73, 0x74, 0x78, 0xff];
  const payload = drawBytes(random, oneOf(random, [0, 1, 2, 3, 4, 5, 8, 12, 16, 64, 65, 200]));
  return Uint8Array.of(0xc7, payload.length, oneOf(random, types), ...payload);
}
