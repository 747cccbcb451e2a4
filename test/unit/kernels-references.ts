/** Plain implementations, after the specifications, of what the kernels do fast. */

const mask64 = 2n ** 64n - 1n;
const prime1 = 0x9e3779b185ebca87n;
const prime2 = 0xc2b2ae3d27d4eb4fn;
const prime3 = 0x165667b19e3779f9n;
const prime4 = 0x85ebca77c2b2ae63n;
const prime5 = 0x27d4eb2f165667c5n;

/** XXH64 with seed 0. */
export function referenceXxh64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let hash = prime5;
  if (bytes.length >= 32) {
    const lanes = [prime1 + prime2, prime2, 0n, -prime1];
    for (; at + 32 <= bytes.length; at += 32) {
      for (const lane of [0, 1, 2, 3]) lanes[lane] = round(lanes[lane]! & mask64, view.getBigUint64(at + lane * 8, true));
    }
    hash = rotate(lanes[0]!, 1n) + rotate(lanes[1]!, 7n) + rotate(lanes[2]!, 12n) + rotate(lanes[3]!, 18n);
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * prime1 + prime4) & mask64;
  }
  hash = (hash + BigInt(bytes.length)) & mask64;
  for (; at + 8 <= bytes.length; at += 8) hash = (rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * prime1 + prime4) & mask64;
  if (at + 4 <= bytes.length) {
    hash = (rotate(hash ^ ((BigInt(view.getUint32(at, true)) * prime1) & mask64), 23n) * prime2 + prime3) & mask64;
    at += 4;
  }
  for (; at < bytes.length; at++) hash = (rotate(hash ^ ((BigInt(bytes[at]!) * prime5) & mask64), 11n) * prime1) & mask64;
  hash = ((hash ^ (hash >> 33n)) * prime2) & mask64;
  hash = ((hash ^ (hash >> 29n)) * prime3) & mask64;
  return hash ^ (hash >> 32n);
}

function rotate(word: bigint, bits: bigint): bigint {
  return ((word << bits) | (word >> (64n - bits))) & mask64;
}

function round(lane: bigint, input: bigint): bigint {
  return (rotate((lane + input * prime2) & mask64, 31n) * prime1) & mask64;
}

/** The bytes of an LZ4 block that must decode to exactly `targetBytes`, or undefined when it is malformed. */
export function referenceLz4Decode(block: Uint8Array, targetBytes: number): Uint8Array | undefined {
  const out: number[] = [];
  let at = 0;
  while (at < block.length) {
    const token = block[at++]!;
    const literals = readLength(token >> 4);
    if (literals === undefined || at + literals > block.length || out.length + literals > targetBytes) return undefined;
    for (let i = 0; i < literals; i++) out.push(block[at++]!);
    if (at === block.length) return out.length === targetBytes ? Uint8Array.from(out) : undefined;
    if (at + 2 > block.length) return undefined;
    const offset = block[at]! | (block[at + 1]! << 8);
    at += 2;
    if (offset === 0 || offset > out.length) return undefined;
    const length = readLength(token & 15);
    if (length === undefined || out.length + length + 4 > targetBytes) return undefined;
    for (let i = 0; i < length + 4; i++) out.push(out[out.length - offset]!);
  }
  return undefined;

  function readLength(short: number): number | undefined {
    let length = short;
    if (short < 15) return length;
    for (;;) {
      const more = block[at++];
      if (more === undefined) return undefined;
      length += more;
      if (more < 255) return length;
    }
  }
}
