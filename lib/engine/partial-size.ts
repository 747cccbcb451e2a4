/** What partials take of memory. */
import type { Partial } from "./partial.js";

/** Bytes of all arrays that partials are made of; memory that several of them are views of counts once, and as a whole. */
export function bytesOfPartials(...partials: readonly Partial[]): number {
  const counted = new Set<ArrayBufferLike>();
  return partials.reduce((sum, partial) => sum + arrayBytes(partial, counted), 0);
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
