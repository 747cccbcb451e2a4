/**
 * Has the system write files to the disk while they come. It would keep gigabytes in memory otherwise, and all would wait for
 * the disk when they are whole.
 */
import type { Files } from "../../base/files.js";

/** A file that is coming. */
export interface WrittenBack {
  /** So many bytes more are in it. Throws what writing it has failed with. */
  add(bytes: number): void;
  /** Makes the whole file durable. Rejects with what writing it failed with, now or before. */
  finish(): Promise<void>;
  /** Resolves when nothing is done with it any more; gives what writing it failed with. The system says so once, and what of the file is on the disk nobody knows then. */
  close(): Promise<Failure | undefined>;
}

/** Writes files back, one at a time: each has a thread of the system's waiting. */
export interface WriteBack {
  open(files: Files, path: string): WrittenBack;
}

interface Failure {
  readonly cause: unknown;
}

/** Bytes that a file has more before it is written back again. */
const writeBytes = 16 * 2 ** 20;

/** Writes back the files of one process, each when it has so many bytes more. */
export function createWriteBack(bytesMin = writeBytes): WriteBack {
  let running: Promise<void> | undefined;
  return {
    open(files, path) {
      let bytes = 0;
      let own: Promise<void> | undefined;
      let failure: Failure | undefined;
      const sync = (): Promise<void> => files.sync(path).catch((cause: unknown) => { failure ??= { cause }; });
      const requireNone = (): void => {
        if (failure !== undefined) throw failure.cause;
      };
      return {
        add(more) {
          requireNone();
          bytes += more;
          if (bytes < bytesMin || running !== undefined) return;
          bytes = 0;
          running = own = sync().finally(() => { running = own = undefined; });
        },
        async finish() {
          await own;
          requireNone();
          await (own = sync());
          requireNone();
        },
        async close() {
          await own;
          return failure;
        },
      };
    },
  };
}
