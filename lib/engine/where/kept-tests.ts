/** What tests need of memory, made once for all shards of a task: a list may have a million values. */
import type { Arena } from "../memory.js";
import type { ValueTest } from "./literals.js";
import { createTextMasker, type TextMasker, type TextTest } from "./text-tests.js";

/** A hash set of int64 values in kernel memory. */
export interface IntSet {
  readonly pointer: number;
  readonly capacity: number;
}

/** Tests made ready, each at its first use. */
export interface KeptTests {
  /** The set of a test's values; float64 values by their bits. */
  set(test: Extract<ValueTest, { kind: "int-set" | "float-set" }>): IntSet;
  masker(test: TextTest): TextMasker;
}

/** Tests kept as long as an arena; those that may take long call `stop`, which may throw, now and then. */
export function createKeptTests(arena: Arena, stop: () => void = () => undefined): KeptTests {
  const sets = new Map<ValueTest, IntSet>();
  const maskers = new Map<TextTest, TextMasker>();
  return {
    set(test) {
      const set = sets.get(test) ?? buildSet(new BigInt64Array(test.values.buffer), arena);
      sets.set(test, set);
      return set;
    },
    masker(test) {
      const masker = maskers.get(test) ?? createTextMasker(test, arena, stop);
      maskers.set(test, masker);
      return masker;
    },
  };
}

function buildSet(values: BigInt64Array, arena: Arena): IntSet {
  const capacity = 2 ** Math.ceil(Math.log2(Math.max(16, values.length * 2)));
  const pointer = arena.allocateZeroed(capacity * 16);
  const list = arena.allocate(Math.max(8, values.byteLength));
  new BigInt64Array(arena.kernels.memory.buffer, list, values.length).set(values);
  arena.kernels.setBuild(list, values.length, pointer, capacity);
  arena.free(list);
  return { pointer, capacity };
}
