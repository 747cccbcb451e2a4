/** Dense groups: when the product of the key ranges is small, the group is a place in an array. */
import { chunkRows } from "../../columns/dtypes.js";
import type { Arena } from "../memory.js";
import type { ChunkInput } from "../scan-column.js";
import { widthNames } from "../states/slab.js";
import type { Fields, Grouper } from "./grouper.js";
import { fieldsOf, fieldTerms, type KeyColumn } from "./keys.js";

/** A grouper whose slot is the mixed-radix number of the fields; `slotCount` is the product of their counts. */
export function createDenseGrouper(keys: readonly KeyColumn[], slotCount: number, arena: Arena): Grouper {
  const { kernels } = arena;
  const slots = arena.allocate(chunkRows * 4);
  const strides = stridesOf(keys);

  function addKey(input: ChunkInput, key: KeyColumn, place: number): void {
    const run = input.run(key.column);
    const terms = fieldTerms(key, run, BigInt(strides[place]!));
    const verb = place === 0 ? "slotsSet" : "slotsAdd";
    if (run.width === 8) kernels[`${verb}I64`](run.values, run.rows, BigInt.asIntN(64, terms.multiplier), BigInt.asIntN(64, terms.offset), slots);
    else kernels[`${verb}${widthNames[run.width]}`](run.values, run.rows, wrap(terms.multiplier), wrap(terms.offset), slots);
    if (run.nulls !== 0) kernels.slotsNulls(run.nulls, run.rows, wrap(terms.nullDelta), slots);
  }

  return {
    slotCount,
    assign(input) {
      keys.forEach((key, place) => addKey(input, key, place));
      return slots;
    },
    capacity: () => slotCount,
    groups(rows) {
      const used = rows.usedSlots(slotCount);
      return { slots: used, fields: keys.map((key, place) => fieldsOfSlots(key, used, strides[place]!, keys.length === 1)) };
    },
  };
}

function stridesOf(keys: readonly KeyColumn[]): number[] {
  let stride = 1;
  return keys.map((key) => {
    const own = stride;
    stride *= Number(fieldsOf(key) ?? 1n) || 1;
    return own;
  });
}

function fieldsOfSlots(key: KeyColumn, slots: Uint32Array, stride: number, isOnly: boolean): Fields {
  const size = Number(key.size ?? 0n);
  const count = Number(fieldsOf(key) ?? 1n) || 1;
  const low = new Uint32Array(slots.length);
  const isNull = key.hasNulls ? new Uint8Array(slots.length) : null;
  // Of one key without nulls a slot is the field.
  if (isNull === null && isOnly) return { low: slots, high: new Uint32Array(slots.length), isNull };
  for (let g = 0; g < slots.length; g++) {
    const field = Math.floor(slots[g]! / stride) % count;
    low[g] = field;
    if (isNull !== null && field === size) isNull[g] = 1;
  }
  return { low, high: new Uint32Array(slots.length), isNull };
}

/** A number modulo 2^32, as kernels add it. */
function wrap(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}
