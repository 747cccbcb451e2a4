/** Memory for what is under way: so many buffers and no more, handed out in the order in which they are asked for. */

/** Buffers of one size, lent. */
export interface Buffers {
  readonly bufferBytes: number;
  /** A buffer with anything in it, once there is one that nobody has. */
  take(): Promise<Buffer>;
  give(buffer: Buffer): void;
}

/** At most `count` buffers, made when they are first needed. */
export function createBuffers(count: number, bufferBytes: number): Buffers {
  const free: Buffer[] = [];
  const waiting: ((buffer: Buffer) => void)[] = [];
  let made = 0;
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
      const next = waiting.shift();
      if (next === undefined) free.push(buffer);
      else next(buffer);
    },
  };
}
