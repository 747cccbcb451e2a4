/** int64 in the bytes of a partial: less a base, in as few bytes each as hold them all; beyond 2^32 as they are. */
import type { ArrayReader, Description, StateWriter } from "./bytes.js";
import { readNarrow, type NumberWidth } from "./numbers.js";

const range = 0x1_0000_0000;

/** Writes them; what it gives is JSON that readInt64s gets back. */
export function writeInt64s(array: BigInt64Array, writer: StateWriter): { readonly base: string; readonly width: NumberWidth } {
  const halves = new Int32Array(array.buffer, array.byteOffset, array.length * 2);
  let [least, greatest] = [0, 0];
  for (let at = 2; at < halves.length; at += 2) {
    if (distance(halves, least, at) < 0) least = at;
    else if (distance(halves, greatest, at) > 0) greatest = at;
  }
  const span = array.length === 0 ? 0 : distance(halves, least, greatest);
  if (span >= range) {
    writer.array(array);
    return { base: "0", width: "wide" };
  }
  const width = span < 0x100 ? 1 : span < 0x1_0000 ? 2 : 4;
  const codes = width === 1 ? new Uint8Array(array.length) : width === 2 ? new Uint16Array(array.length) : new Uint32Array(array.length);
  const low = halves[least] ?? 0;
  for (let k = 0; k < codes.length; k++) codes[k] = halves[2 * k]! - low;
  writer.array(codes);
  return { base: String(array[least / 2] ?? 0n), width };
}

/** How far the number whose halves are at `b` is above that at `a`; exact below 2^53, whatever its sign. */
function distance(halves: Int32Array, a: number, b: number): number {
  return (halves[b + 1]! - halves[a + 1]!) * range + ((halves[b]! >>> 0) - (halves[a]! >>> 0));
}

/** Reads what writeInt64s wrote; throws on what is none. */
export function readInt64s({ base, width }: Description, count: number, reader: ArrayReader): BigInt64Array {
  if (width === "wide") return reader.int64(count);
  const codes = readNarrow(width, count, reader);
  if (typeof base !== "string" || !/^-?\d{1,19}$/.test(base)) throw new RangeError("a base is none");
  const least = BigInt(base);
  const [low, high] = [Number(BigInt.asUintN(32, least)), Number(BigInt.asIntN(32, least >> 32n))];
  reader.grow(8 * count);
  const halves = new Int32Array(count * 2);
  for (let k = 0; k < count; k++) {
    const sum = low + codes[k]!;
    halves[2 * k] = sum;
    halves[2 * k + 1] = high + Number(sum >= range);
  }
  return new BigInt64Array(halves.buffer);
}
