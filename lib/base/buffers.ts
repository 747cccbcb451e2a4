/** Memory for what is under way: so many buffers and no more, handed out in the order in which they are asked for. */
import { createCollector, taskGarbageBytesMax, type Collect } from "./garbage.js";

/** Buffers of one size, lent. */
export interface Buffers {
  readonly bufferBytes: number;
  /** A buffer with anything in it, once there is one that nobody has. */
  take(): Promise<Buffer>;
  give(buffer: Buffer): void;
}

/**
 * At most `count` buffers, made when they are first needed. What filled one came in pieces that are garbage when it is given
 * back: then it is collected, if there is much, as V8 alone would let tens of megabytes of them lie.
 */
export function createBuffers(count: number, bufferBytes: number): Buffers {
  const free: Buffer[] = [];
  const waiting: ((buffer: Buffer) => void)[] = [];
  let made = 0;
  let collect: Collect | undefined;
  return {
    bufferBytes,
    async take() {
      const buffer = free.pop();
      if (buffer !== undefined) return buffer;
      if (made === count) return new Promise((resolve) => { waiting.push(resolve); });
      made++;
      return Buffer.allocUnsafeSlow(bufferBytes);
    },
    give(buffer) {
      collect ??= createCollector(taskGarbageBytesMax);
      collect();
      const next = waiting.shift();
      if (next === undefined) free.push(buffer);
      else next(buffer);
    },
  };
}
