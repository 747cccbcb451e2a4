/**
 * Has the system write files to the disk while they come. It would keep gigabytes in memory otherwise, and all would wait for
 * the disk when they are whole.
 */
import type { Files } from "../../base/files.js";

/** A file that is coming. */
export interface WrittenBack {
  /** So many bytes more are in it. Throws what writing it failed with. */
  add(bytes: number): void;
  /** Resolves when nothing is done with it any more. Rejects with what writing it failed with. */
  close(): Promise<void>;
}

/** Writes files back, one at a time: each has a thread of the system's waiting. */
export interface WriteBack {
  open(files: Files, path: string): WrittenBack;
}

/** Bytes that a file has more before it is written back again. */
const writeBytes = 16 * 2 ** 20;

/** Writes back the files of one process. */
export function createWriteBack(): WriteBack {
  let running: Promise<void> | undefined;
  return {
    open(files, path) {
      let bytes = 0;
      let own: Promise<void> | undefined;
      let failure: { readonly cause: unknown } | undefined;
      const requireNone = (): void => {
        // The system tells of it once.
        if (failure !== undefined) throw failure.cause;
      };
      return {
        add(more) {
          requireNone();
          bytes += more;
          if (bytes < writeBytes || running !== undefined) return;
          bytes = 0;
          running = own = files.sync(path).catch((cause: unknown) => { failure = { cause }; }).finally(() => { running = own = undefined; });
        },
        async close() {
          await own;
          requireNone();
        },
      };
    },
  };
}
