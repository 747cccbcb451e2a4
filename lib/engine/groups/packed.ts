/** Groups by hash of one 64-bit number that holds all keys, each in bits of its own: the number is the full key. */
import { chunkRows } from "../../columns/dtypes.js";
import type { Arena } from "../memory.js";
import type { ChunkInput } from "../scan-column.js";
import { widthNames } from "../states/slab.js";
import { limitOf } from "../strings.js";
import { upTo } from "../values.js";
import { bitsFor, roomFor, type Fields, type Grouper } from "./grouper.js";
import { fieldsOf, fieldTerms, type KeyColumn } from "./keys.js";

const entryBytes = 16;

/** A grouper for keys whose fields fit 64 bits together. */
export function createPackedGrouper(keys: readonly KeyColumn[], arena: Arena): Grouper {
  const { kernels } = arena;
  const slots = arena.allocate(chunkRows * 4);
  const packed = arena.allocate(chunkRows * 8);
  const state = arena.allocateZeroed(4);
  const count = new Uint32Array(kernels.memory.buffer, state, 1);
  const layout = layoutOf(keys);
  let capacity = 8_192;
  let table = arena.allocateZeroed(capacity * entryBytes);
  let groupKeys = arena.allocate(capacity * 8);

  function addKey(input: ChunkInput, key: KeyColumn, place: number): void {
    const run = input.run(key.column);
    const terms = fieldTerms(key, run, 1n << BigInt(layout[place]!.shift));
    const verb = place === 0 ? "packSet" : "packAdd";
    const name = key.kind === "float" ? "I64" : widthNames[run.width];
    kernels[`${verb}${name}`](run.values, run.rows, wrap(terms.multiplier), wrap(terms.offset), packed);
    if (run.nulls !== 0) kernels.packNulls(run.nulls, run.rows, wrap(terms.nullDelta), packed);
  }

  function grow(): void {
    arena.free(table);
    capacity *= 2;
    table = arena.allocateZeroed(capacity * entryBytes);
    groupKeys = arena.enlarge(groupKeys, count[0]! * 8, capacity * 8);
    kernels.hashRebuild1(groupKeys, count[0]!, table, capacity);
  }

  return {
    assign(input) {
      keys.forEach((key, place) => addKey(input, key, place));
      let row = 0;
      while ((row = kernels.hashGroup1(packed, input.rows, row, table, capacity, groupKeys, limitOf(capacity), state, slots)) < input.rows) grow();
      return slots;
    },
    capacity: () => roomFor(count[0]!),
    groups() {
      const halves = new Uint32Array(kernels.memory.buffer, groupKeys, count[0]! * 2);
      const numbers = upTo(count[0]!);
      return { slots: numbers, fields: keys.map((key, place) => unpack(key, halves, layout[place]!)) };
    },
  };
}

interface Place {
  readonly shift: number;
  readonly bits: number;
}

function layoutOf(keys: readonly KeyColumn[]): Place[] {
  let shift = 0;
  return keys.map((key) => {
    const fields = fieldsOf(key);
    const place = { shift, bits: fields === undefined ? 64 : bitsFor(fields) };
    shift += place.bits;
    return place;
  });
}

function unpack(key: KeyColumn, halves: Uint32Array, { shift, bits }: Place): Fields {
  const groups = halves.length / 2;
  const low = new Uint32Array(groups);
  const high = new Uint32Array(groups);
  const lowMask = bits >= 32 ? 0xffff_ffff : 2 ** bits - 1;
  const highMask = bits >= 64 ? 0xffff_ffff : bits > 32 ? 2 ** (bits - 32) - 1 : 0;
  for (let g = 0; g < groups; g++) {
    const lower = halves[2 * g]!;
    const upper = halves[2 * g + 1]!;
    low[g] = (shift >= 32 ? upper >>> (shift - 32) : shift === 0 ? lower : (lower >>> shift) | (upper << (32 - shift))) & lowMask;
    high[g] = (shift >= 32 ? 0 : upper >>> shift) & highMask;
  }
  return { low, high, isNull: key.hasNulls ? nullFlags(key, low, high) : null };
}

function nullFlags(key: KeyColumn, low: Uint32Array, high: Uint32Array): Uint8Array {
  const size = key.size ?? 0n;
  const [sizeLow, sizeHigh] = [Number(size & 0xffff_ffffn), Number(size >> 32n)];
  const flags = new Uint8Array(low.length);
  for (let g = 0; g < low.length; g++) flags[g] = low[g] === sizeLow && high[g] === sizeHigh ? 1 : 0;
  return flags;
}

function wrap(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}
