/** The thread that reads blocks of JSON objects. */
import { buffersOf, readBlock } from "./block.js";
import type { BlockResult, BlockTask } from "./block.js";
import { servePool } from "../input/pool.js";

servePool<BlockTask, readonly BlockResult[]>((task) => {
  const result = [...readBlock(task)];
  return { result, transfer: buffersOf(result) };
});
