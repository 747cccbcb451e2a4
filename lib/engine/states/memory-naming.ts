/** Whose memory it was that did not suffice. */
import { BquerydError } from "../../base/errors.js";
import type { Accumulator } from "./slab.js";

/** The accumulator with MEMORY_LIMIT naming what it keeps values for: `ops` of a column. */
export function namingMemory<S>(ops: string, column: string, accumulator: Accumulator<S>): Accumulator<S> {
  function named<R>(work: () => R): R {
    try {
      return work();
    } catch (cause) {
      if (!(cause instanceof BquerydError) || cause.code !== "MEMORY_LIMIT") throw cause;
      throw new BquerydError("MEMORY_LIMIT", `the values kept for ${ops} of '${column}' do not fit: ${cause.message}`, { details: { ...cause.details, column }, cause });
    }
  }
  return {
    grow: (groups) => named(() => accumulator.grow(groups)),
    add: (input, slots) => named(() => accumulator.add(input, slots)),
    take: (order) => named(() => accumulator.take(order)),
  };
}
