/**
 * One writer at a time, with a bound on the wait. LMDB's own lock blocks the whole thread for as long as its holder
 * is stopped, so writers first take this one: the kernel lets one process listen on an abstract socket name, and frees
 * it when that process ends, however it ends. Writers that cannot see each other's (other network namespaces) are
 * still kept apart by LMDB, without the bound.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";

/** What is written, and how long to wait for a turn. */
export interface WriterLockOptions {
  /** The folder, for the error. */
  readonly registryDir: string;
  /** Any text that is the same for the same folder in every process, and for no other. */
  readonly name: string;
  readonly waitMs: number;
  /** Gives up the wait with its reason. */
  readonly signal: AbortSignal;
}

const retryMs = 5;
/** The whole of sun_path: shorter names are padded by some versions of libuv and not by others. */
const nameBytes = 108;

/** Holds the lock while `work` runs, and yields its result. Throws REGISTRY_UNAVAILABLE after `waitMs` without a turn. */
export async function withWriterLock<T>(options: WriterLockOptions, work: () => T | Promise<T>): Promise<T> {
  const release = await acquire(options);
  try {
    return await work();
  } finally {
    await release();
  }
}

async function acquire({ registryDir, name, waitMs, signal }: WriterLockOptions): Promise<() => Promise<void>> {
  const path = `\0bqueryd-registry-${createHash("sha512").update(name).digest("hex")}`.slice(0, nameBytes).padEnd(nameBytes, "-");
  const deadlineMs = monotonicMs() + waitMs;
  for (;;) {
    signal.throwIfAborted();
    const release = await tryListen(path);
    if (release !== undefined) return release;
    if (monotonicMs() >= deadlineMs) throw blocked(registryDir, waitMs);
    await delay(retryMs);
  }
}

/** Listens on the name; undefined while another process does. */
function tryListen(path: string): Promise<(() => Promise<void>) | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((stranger) => { stranger.destroy(); });
    server.once("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "EADDRINUSE") resolve(undefined);
      else reject(cause);
    });
    server.listen({ path }, () => {
      resolve(() => new Promise((released) => { server.close(() => { released(); }); }));
    });
  });
}

function blocked(registryDir: string, waitMs: number): BquerydError {
  return new BquerydError("REGISTRY_UNAVAILABLE",
    `another process has been writing to the registry folder ${registryDir} for ${waitMs} ms; look for a stopped bqueryd process and continue or kill it`,
    { details: { registryDir, waitMs } });
}
