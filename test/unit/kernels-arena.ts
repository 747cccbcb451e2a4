/** Memory for kernel tests: every array lies between guard bytes, once low and once at the very end of 4 GB. */
import { expect } from "chai";
import { freshSeed, seededRandom, type Random } from "../../lib/base/clock.js";
import { loadKernels, type Kernels } from "../../lib/kernels/kernels.js";
import { oneOf } from "../support/random/draw.js";

export type NumberArray = Int8Array | Int16Array | Int32Array | Uint8Array | Uint16Array | Uint32Array | BigInt64Array | BigUint64Array | Float32Array | Float64Array;

export interface Arena {
  readonly kernels: Kernels;
  /** Copies values in; gives their pointer. */
  put(values: NumberArray): number;
  /** Room for so many bytes, all of one value. */
  reserve(bytes: number, fill?: number): number;
  /** The values at a pointer, copied out. */
  read<T>(type: { new (buffer: ArrayBuffer): T; readonly BYTES_PER_ELEMENT: number }, pointer: number, count: number): T;
  /** Fails when a byte between the arrays has changed. */
  check(): void;
}

export type CodeArray = Uint8Array | Uint16Array | Uint32Array;

interface CodeArrayType {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer): CodeArray;
  from(source: { length: number }, make: (nothing: unknown, row: number) => number): CodeArray;
}

/** The widths of unsigned codes, as they are named in kernels. */
export const codeKinds: readonly { readonly width: "U8" | "U16" | "U32"; readonly type: CodeArrayType; readonly end: number }[] = [
  { width: "U8", type: Uint8Array, end: 2 ** 8 },
  { width: "U16", type: Uint16Array, end: 2 ** 16 },
  { width: "U32", type: Uint32Array, end: 2 ** 32 },
];

export type Place = "low" | "top";
export const places: readonly Place[] = ["low", "top"];

/** Row counts around the edges of vectors, bitmap words and chunks. */
const rowCounts = [0, 1, 15, 16, 17, 63, 64, 65, 1_000, 1_500];
/** Those of which a case takes long. */
const longCounts = [65_535, 65_536];

const guardBytes = 64;
const guardByte = 0xa5;
let shared: Kernels | undefined;

/** Runs a test body at each place for each row count, of those that take long for one that is drawn at a place that is drawn, and checks the guards after each. */
export function eachCase(body: (arena: Arena, n: number, random: Random) => void): () => void {
  return () => {
    const random = seededRandom(freshSeed());
    for (const n of rowCounts) {
      for (const place of places) runCase(body, n, place);
    }
    runCase(body, oneOf(random, longCounts), oneOf(random, places));
  };
}

function runCase(body: (arena: Arena, n: number, random: Random) => void, n: number, place: Place): void {
  try {
    const arena = openArena(place);
    body(arena, n, seededRandom(n + 1));
    arena.check();
  } catch (cause) {
    throw new Error(`${n} rows, ${place}: ${String(cause)}`, { cause });
  }
}

/** An empty arena: it grows up from the start of the memory, or down from its end. One may be in use at a time. */
export function openArena(place: Place): Arena {
  shared ??= loadKernels(2 ** 32);
  const kernels = shared;
  const guards: number[] = [];
  let edge = place === "low" ? Math.ceil(kernels.heapStart / 64) * 64 : 2 ** 32;

  function reserve(bytes: number, fill = 0x5a): number {
    if (place === "low") putGuard();
    const pointer = place === "low" ? edge : Math.floor((edge - bytes) / 16) * 16;
    kernels.bytes.fill(fill, pointer, pointer + bytes);
    kernels.bytes.fill(guardByte, pointer + bytes, Math.ceil((pointer + bytes) / 16) * 16);
    edge = place === "low" ? Math.ceil((pointer + bytes) / 16) * 16 : pointer;
    putGuard();
    return pointer;
  }

  function putGuard(): void {
    if (place === "top") edge -= guardBytes;
    guards.push(edge);
    kernels.bytes.fill(guardByte, edge, edge + guardBytes);
    if (place === "low") edge += guardBytes;
  }

  function put(values: NumberArray): number {
    const pointer = reserve(values.byteLength);
    kernels.bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), pointer);
    return pointer;
  }

  return {
    kernels,
    put,
    reserve,
    read: (type, pointer, count) => new type(kernels.bytes.slice(pointer, pointer + count * type.BYTES_PER_ELEMENT).buffer),
    check() {
      for (const guard of guards) {
        expect(kernels.bytes.subarray(guard, guard + guardBytes).every((byte) => byte === guardByte), `guard at ${guard}`).to.equal(true);
      }
    },
  };
}

/** An array of n entries made by a function of the row. */
export function generate<T, V>(type: { from(source: { length: number }, make: (nothing: unknown, row: number) => V): T }, n: number, make: (row: number) => V): T {
  return type.from({ length: n }, (_, row) => make(row));
}

/** Fails unless two arrays hold the same bytes; the values are compared one by one only to say where they differ. */
export function expectSame(actual: NumberArray, expected: NumberArray): void {
  if (bytesOf(actual).equals(bytesOf(expected))) return;
  expect(actual).to.deep.equal(expected);
  expect.fail("equal values with other bytes: a zero of the other sign, or another NaN");
}

function bytesOf(values: NumberArray): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

/** A whole number in [0, end). */
export function below(random: Random, end: number): number {
  return Math.floor(random() * end);
}

/** An int64 with every bit random. */
export function anyInt64(random: Random): bigint {
  return BigInt.asIntN(64, (BigInt(below(random, 2 ** 32)) << 32n) | BigInt(below(random, 2 ** 32)));
}

/** A bitmap over n rows with about `share` of its bits set; bits past the last row are set, as nothing says they are not. */
export function randomBitmap(random: Random, n: number, share: number): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(n / 8)).fill(0xff);
  for (let row = 0; row < n; row++) if (random() >= share) bitmap[row >> 3]! &= ~(1 << (row & 7));
  return bitmap;
}
