/** Memory for the ranges that are under way in transfers. */
import { createBuffers, type Buffers } from "../../base/buffers.js";

export { createBuffers, type Buffers };

/** Bytes of a range that is asked for at once, and how many may be under way in a process: what of its memory transfers take. */
export const [rangeBytes, rangesAtOnce] = [2 * 1024 * 1024, 8];

/** What a process fetches with. */
export function createRangeBuffers(): Buffers {
  return createBuffers(rangesAtOnce, rangeBytes);
}
