/** Plain decoders of what Blosc chunks are made of, written from the formats for reading, not for speed. */

/** The bytes of a BloscLZ stream that must decode to exactly `targetBytes`, or undefined when it is malformed. */
export function referenceBlosclz(stream: Uint8Array, targetBytes: number): Uint8Array | undefined {
  const out: number[] = [];
  for (let at = 0; at < stream.length;) {
    const control = at === 0 ? stream[at++]! & 31 : stream[at++]!;
    if (control < 32) {
      if (at + control >= stream.length) return undefined;
      for (let i = 0; i <= control; i++) out.push(stream[at++]!);
    } else {
      let length = (control >> 5) - 1;
      if (length === 6) {
        let more: number | undefined;
        do length += more = stream[at++] ?? NaN; while (more === 255);
      }
      const code = stream[at++] ?? NaN;
      let distance = (control & 31) * 256 + code + 1;
      if (code === 255 && control % 32 === 31) {
        distance = (stream[at] ?? NaN) * 256 + (stream[at + 1] ?? NaN) + 8_192;
        at += 2;
      }
      if (Number.isNaN(length + distance) || !repeat(out, distance, length + 3, targetBytes)) return undefined;
    }
    if (out.length > targetBytes) return undefined;
  }
  return stream.length > 0 && out.length === targetBytes ? Uint8Array.from(out) : undefined;
}

/** The bytes of a raw Snappy block that must decode to exactly `targetBytes`, or undefined when it is malformed. */
export function referenceSnappy(block: Uint8Array, targetBytes: number): Uint8Array | undefined {
  let at = 0;
  let declared = 0n;
  for (let more = true; more; at++) {
    const byte = block[at];
    if (byte === undefined || at === 5) return undefined;
    declared |= BigInt(byte & 127) << BigInt(7 * at);
    more = byte > 127;
  }
  if (declared !== BigInt(targetBytes)) return undefined;
  const out: number[] = [];
  while (at < block.length) {
    const tag = block[at++]!;
    const kind = tag & 3;
    if (kind === 0) {
      const length = 1 + (tag < 60 << 2 ? tag >> 2 : number((tag >> 2) - 59));
      if (!(at + length <= block.length && out.length + length <= targetBytes)) return undefined;
      for (let i = 0; i < length; i++) out.push(block[at++]!);
    } else {
      const distance = kind === 1 ? (tag >> 5) * 256 + number(1) : number(2 * kind - 2);
      const length = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
      if (Number.isNaN(distance) || !repeat(out, distance, length, targetBytes)) return undefined;
    }
  }
  return out.length === targetBytes ? Uint8Array.from(out) : undefined;

  function number(bytes: number): number {
    let value = 0;
    for (let i = 0; i < bytes; i++) value += (block[at++] ?? NaN) * 256 ** i;
    return value;
  }
}

function repeat(out: number[], distance: number, length: number, targetBytes: number): boolean {
  if (distance === 0 || distance > out.length || out.length + length > targetBytes) return false;
  for (let i = 0; i < length; i++) out.push(out[out.length - distance]!);
  return true;
}

/** Byte planes of values of `width` bytes, one after another. */
export function referenceShuffle(values: Uint8Array, width: number): Uint8Array {
  const n = values.length / width;
  return Uint8Array.from(values, (_, at) => values[(at % n) * width + Math.floor(at / n)]!);
}

/** Bit planes of a multiple of eight values of `width` bytes. */
export function referenceBitShuffle(values: Uint8Array, width: number): Uint8Array {
  const n = values.length / width;
  const planes = new Uint8Array(values.length);
  for (let row = 0; row < n; row++) {
    for (let bit = 0; bit < 8 * width; bit++) {
      const isSet = (values[row * width + (bit >> 3)]! >> (bit & 7)) & 1;
      planes[(bit * n) / 8 + (row >> 3)]! |= isSet << (row & 7);
    }
  }
  return planes;
}
