/** The only file that reads clocks and draws random numbers; everything else is handed them. */
import { randomBytes } from "node:crypto";

/** Milliseconds from a steady clock with an arbitrary start: for durations and deadlines, never for dates. */
export function monotonicMs(): number {
  return performance.now();
}

/** Milliseconds since 1970-01-01 UTC from the wall clock: for dates in records, never for durations. */
export function wallMs(): number {
  return Date.now();
}

const idBytes = 16;
/** Drawn for many ids at once: each draw costs more than what it gives. */
let drawn = new Uint8Array(0);
let taken = 0;

/** A new random id of 128 bits, as 32 hexadecimal digits. */
export function randomId(): string {
  if (taken === drawn.length) [drawn, taken] = [randomBytes(256 * idBytes), 0];
  taken += idBytes;
  return Buffer.from(drawn.buffer, drawn.byteOffset + taken - idBytes, idBytes).toString("hex");
}

/** 32 new random bytes, for a key. */
export function randomSecret(): Uint8Array {
  return new Uint8Array(randomBytes(32));
}

/** A source of numbers in [0, 1). */
export type Random = () => number;

/** Numbers in [0, 1) that replay from a 32-bit seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** A fresh 32-bit seed, to be printed by whoever draws it. */
export function freshSeed(): number {
  return randomBytes(4).readUInt32LE(0);
}
