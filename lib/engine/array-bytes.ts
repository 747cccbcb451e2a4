/** What values made of arrays take of memory. */

/** Bytes of all arrays that values are made of; memory that several of them are views of counts once, and as a whole. */
export function bytesOfArrays(...values: readonly unknown[]): number {
  const counted = new Set<ArrayBufferLike>();
  return values.reduce((sum: number, value) => sum + arrayBytes(value, counted), 0);
}

function arrayBytes(value: unknown, counted: Set<ArrayBufferLike>): number {
  if (ArrayBuffer.isView(value)) {
    if (counted.has(value.buffer)) return 0;
    counted.add(value.buffer);
    return value.buffer.byteLength;
  }
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce((sum: number, part: unknown) => sum + arrayBytes(part, counted), 0);
}
