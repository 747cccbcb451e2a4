/** Memory for the ranges that are under way in transfers. */
import { createBuffers, type Buffers } from "../../base/buffers.js";

export { createBuffers, type Buffers };

/** Bytes of a buffer, and how many a process has: what of its memory transfers take. */
export const [bufferBytes, buffersMax] = [2 * 1024 * 1024, 9];

/** What a process fetches with. */
export function createRangeBuffers(): Buffers {
  return createBuffers(buffersMax, bufferBytes);
}
