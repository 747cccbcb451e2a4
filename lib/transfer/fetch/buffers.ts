/** Memory for the ranges that are under way in transfers. */
export { createBuffers, type Buffers } from "../../base/buffers.js";

/** Bytes of a range that is asked for at once, and how many may be under way in a process: what of its memory transfers take. */
export const [rangeBytes, rangesAtOnce] = [2 * 1024 * 1024, 8];
