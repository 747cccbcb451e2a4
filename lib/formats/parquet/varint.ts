/** Numbers of any length as Parquet writes them: 7 bits a byte, the lowest first, the top bit set on all but the last. */

/** Where reading stands in bytes; moved along. */
export interface Place {
  readonly bytes: Uint8Array;
  at: number;
  /** Bytes from here on are not read. */
  readonly end: number;
}

/** The next unsigned number of at most 32 bits. */
export function readVarint(place: Place): number {
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = nextByte(place);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value >>> 0;
  }
  throw damaged("a number of more than 32 bits");
}

/** The next signed number of at most 64 bits, which alternate in sign: 0, -1, 1, -2. */
export function readZigzag64(place: Place): bigint {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = nextByte(place);
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
  }
  throw damaged("a number of more than 64 bits");
}

function nextByte(place: Place): number {
  if (place.at >= place.end) throw damaged("numbers cut short");
  return place.bytes[place.at++]!;
}

/** The failure of bytes that hold something they cannot; whoever knows file and column makes it a BAD_INPUT. */
export function damaged(what: string): Error {
  return new Error(`it holds ${what}`);
}
