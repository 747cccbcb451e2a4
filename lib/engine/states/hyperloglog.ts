/** The hyperloglog state: registers from which the number of distinct values is estimated. */
import { biasOf, chunkRows, isFloatDtype, isTextDtype, type Dtype } from "../../columns/dtypes.js";
import type { Arena } from "../memory.js";
import type { Run, ScanColumn } from "../scan-column.js";
import { requireDtype } from "./bytes.js";
import { createPairSet, type PairSet } from "./lists/pair-set.js";
import { namingMemory } from "./memory-naming.js";
import { createRegistersWriter, denseWords, mergeRegisters, registerCount, requireRegisters, type Registers } from "./registers.js";
import { createSlab, slotsOr, zeroFill, type Accumulator, type AccumulatorContext } from "./slab.js";
import type { StateDefinition } from "./state.js";
import { createValidRows, type ValidRows } from "./valid-rows.js";

/** Registers of the non-null values of a group. */
export interface HyperloglogState extends Registers {
  readonly kind: "hyperloglog";
  readonly dtype: Dtype;
}

/** Of one input of any dtype. Equal values hash alike in every dtype that widens to another. */
export const hyperloglogState: StateDefinition<HyperloglogState> = {
  accumulate: (_params, [column], context) => namingMemory("approx_count_distinct", column!.name, createHyperloglog(column!, context)),
  merge: (left, right, plan) => ({ kind: "hyperloglog", dtype: left.dtype, ...mergeRegisters(left, right, plan) }),
  empty: ({ dtype }, groups) => ({ kind: "hyperloglog", dtype, offsets: new Uint32Array(groups + 1), words: new Uint32Array(0) }),
  dtypes: ({ dtype }) => [dtype],
  widen: (state, [dtype]) => ({ ...state, dtype: dtype! }),
  write({ dtype, offsets, words }, writer) {
    writer.array(offsets);
    writer.array(words);
    return { dtype };
  },
  read({ dtype }, groups, reader) {
    const offsets = reader.offsets(groups);
    return { kind: "hyperloglog", dtype: requireDtype(dtype), ...requireRegisters({ offsets, words: reader.uint32(offsets[groups]) }) };
  },
};

/** Most groups that get all their registers at once; the hashes of more are sorted out by a hash table. */
const denseGroupsMax = 2_048;
const codeBits = 20;

function createHyperloglog(column: ScanColumn, context: AccumulatorContext): Accumulator<HyperloglogState> {
  const { arena } = context;
  const { kernels } = arena;
  const hasher = createHasher(column, context);
  const slab = createSlab(arena, registerCount, zeroFill(arena, registerCount));
  const codes = arena.allocate(chunkRows * 4);
  let groups = 0;
  let pairs: PairSet | undefined;

  function grow(wanted: number): void {
    if (wanted <= groups) return;
    if (pairs === undefined && wanted > denseGroupsMax) {
      pairs = createPairSet({ codeBits, isCounted: false, cellBytesMax: 0 }, arena);
      pairs.grow(wanted);
      if (groups > 0) moveRegisters(slab.pointer(), groups, pairs, codes, arena);
    }
    if (pairs === undefined) slab.grow(wanted);
    else pairs.grow(wanted);
    groups = wanted;
  }

  return {
    grow,
    add(input, slots) {
      const { rows, slots: validSlots, values } = hasher(input.run(column), slotsOr(slots, context));
      if (pairs === undefined) kernels.raiseRegisters(validSlots, values, rows, slab.pointer());
      else {
        kernels.registerCodes(values, rows, codes);
        pairs.add({ rows, slots: validSlots, values: codes });
      }
    },
    take: (order) => ({ kind: "hyperloglog", dtype: column.dtype, ...(pairs === undefined ? takeRegisters(kernels.bytes, slab.pointer(), order) : takePairs(pairs, order)) }),
  };
}

/** Puts what registers hold into pairs instead, group by group. */
function moveRegisters(registers: number, groups: number, pairs: PairSet, codes: number, arena: Arena): void {
  const { kernels } = arena;
  const slots = arena.allocate(registerCount * 4);
  for (let group = 0; group < groups; group++) {
    const ranks = kernels.bytes.subarray(registers + group * registerCount, registers + (group + 1) * registerCount);
    const found = new Uint32Array(kernels.memory.buffer, codes, registerCount);
    let rows = 0;
    ranks.forEach((rank, register) => {
      if (rank > 0) found[rows++] = (register << 6) | rank;
    });
    new Uint32Array(kernels.memory.buffer, slots, rows).fill(group);
    pairs.add({ rows, slots, values: codes });
  }
  arena.free(slots);
  arena.free(registers);
}

function takeRegisters(bytes: Uint8Array, registers: number, order: Uint32Array): Registers {
  const writer = createRegistersWriter(order.length, order.length * denseWords);
  for (const slot of order) writer.addRanks(bytes.subarray(registers + slot * registerCount, registers + (slot + 1) * registerCount));
  return writer.finish();
}

function takePairs(pairs: PairSet, order: Uint32Array): Registers {
  const { offsets, codes } = pairs.take(order);
  const writer = createRegistersWriter(order.length, codes.length);
  for (let group = 0; group < order.length; group++) writer.addCodes(codes.subarray(offsets[group], offsets[group + 1]));
  return writer.finish();
}

type Hasher = (run: Run, slots: number) => ValidRows;

/** What turns the values of runs into hashes of 64 bits. */
function createHasher(column: ScanColumn, context: AccumulatorContext): Hasher {
  const { arena } = context;
  const { kernels } = arena;
  const { dtype } = column;
  if (isTextDtype(dtype)) return createTextHasher(column, context);
  const valid = createValidRows(arena);
  const hashes = arena.allocate(chunkRows * 8);
  const isFloat = isFloatDtype(dtype);
  // A date hashes as the timestamp of its midnight, a uint64 as itself.
  const factor = dtype === "date" ? 86_400_000_000_000n : 1n;
  const flip = BigInt.asIntN(64, biasOf(dtype));
  return (run, slots) => {
    const found = valid.wide(run, slots);
    if (isFloat) kernels.hashFloats(found.values, found.rows, hashes);
    else kernels.hashWords(found.values, found.rows, factor, flip, hashes);
    return { ...found, values: hashes };
  };
}

/** Hashes each text of a dictionary or pool once. */
function createTextHasher(column: ScanColumn, { arena, strings }: AccumulatorContext): Hasher {
  const { kernels } = arena;
  const valid = createValidRows(arena);
  const hashes = arena.allocate(chunkRows * 8);
  const dictionary = column.dictionary();
  const table = createSlab(arena, 8, () => undefined);
  let hashed = 0;
  let room = 0;

  function hashPool(): void {
    const { count, offsets, bytes } = strings.pool(column);
    if (count === hashed) return;
    if (count > room) room = Math.max(count, 2 * room, 4_096);
    table.grow(room);
    kernels.hashTexts(offsets + hashed * 4, bytes, count - hashed, table.pointer() + hashed * 8);
    hashed = count;
  }

  function hashDictionary(): void {
    if (dictionary === null || hashed === dictionary.count) return;
    const { count, offsets, bytes } = dictionary;
    const [offsetsAside, bytesAside] = [arena.allocate(offsets.byteLength), arena.allocate(Math.max(bytes.length, 1))];
    new Uint32Array(kernels.memory.buffer, offsetsAside, count + 1).set(offsets.subarray(0, count + 1));
    kernels.bytes.set(bytes.subarray(0, offsets[count]), bytesAside);
    table.grow(count);
    kernels.hashTexts(offsetsAside, bytesAside, count, table.pointer());
    arena.free(offsetsAside);
    arena.free(bytesAside);
    hashed = count;
  }

  return (run, slots) => {
    if (dictionary === null) hashPool();
    else hashDictionary();
    const found = valid.narrow(run, slots, 1n, 0n);
    kernels.translateWords(found.values, found.rows, table.pointer(), hashes);
    return { ...found, values: hashes };
  };
}
