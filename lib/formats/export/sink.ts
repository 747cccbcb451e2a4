/** Where the bytes of an export go: a file that appears when it is whole, or a stream that takes them as they come. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { open, stat, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Writable } from "node:stream";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError, realFiles } from "../../base/files.js";
import { holdsTable } from "../../columns/directory/current.js";
import { throwIfAborted } from "../abort.js";
import { asidePath, placeAside, removeLeftovers } from "./aside.js";
import { openOutputStream } from "./pipe.js";

/** Takes bytes in order; exactly one of commit and abort ends it. */
export interface Sink {
  /** Bytes so far. */
  readonly bytes: number;
  /** Adds bytes, which are not kept. Throws DISK_FULL, IO. */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the file visible. Throws EXISTS when another has come meanwhile and is not to be replaced. */
  commit(): Promise<void>;
  /** Leaves everything as it was, as far as it has not gone into a stream. */
  abort(): Promise<void>;
}

/** Where to. */
export interface SinkOptions {
  readonly output: string;
  readonly replace?: boolean | undefined;
  readonly standardOutput?: Writable | undefined;
  /** Aborting it ends what waits for a stream with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
}

/** Opens a sink. Throws EXISTS for a file that is there and not to be replaced, and for a directory, NOT_FOUND for a folder that is not, CANCELLED. */
export async function openSink({ output, replace = false, standardOutput = process.stdout, signal }: SinkOptions): Promise<Sink> {
  if (output === "-") return createStreamSink(standardOutput, { isOwn: false, signal });
  const path = resolve(output);
  const found = await stat(path).catch((cause: unknown) => {
    if (isSystemError(cause, "ENOENT")) return undefined;
    throw toBquerydError(cause, `write ${output}`);
  });
  if (found?.isDirectory() === true) throw exists(output, holdsTable(path) ? "is a table; use another name" : "is a directory; name a file in it");
  // Pipes and devices take bytes as they come.
  if (found !== undefined && !found.isFile()) return createStreamSink(await openOutputStream(path, { isPipe: found.isFIFO(), signal }), { isOwn: true, signal });
  if (found !== undefined && !replace) throw exists(output, "exists; use --replace to replace it, or another name");
  return openFileSink(path, replace);
}

async function openFileSink(path: string, replace: boolean): Promise<Sink> {
  const folder = dirname(path);
  const aside = asidePath(path);
  const handle = await openAside(path, aside);
  let bytes = 0;
  return {
    get bytes() { return bytes; },
    async write(block) {
      await orFail(path, () => writeWhole(handle, block));
      bytes += block.length;
    },
    commit: () => orFail(path, async () => {
      await handle.sync();
      await handle.close();
      await placeAside(aside, path, replace);
      await realFiles.syncDirectory(folder);
    }),
    async abort() {
      await handle.close().catch(() => undefined);
      await unlink(aside).catch((cause: unknown) => {
        if (!isSystemError(cause, "ENOENT")) throw cause;
      });
    },
  };
}

async function openAside(path: string, aside: string): Promise<FileHandle> {
  try {
    await removeLeftovers(path);
    return await open(aside, "wx");
  } catch (cause) {
    throw existsSync(dirname(path)) ? toBquerydError(cause, `write ${path}`) : noFolder(dirname(path), cause);
  }
}

async function writeWhole(handle: FileHandle, block: Uint8Array): Promise<void> {
  for (let done = 0; done < block.length;) done += (await handle.write(block, done, block.length - done)).bytesWritten;
}

function createStreamSink(stream: Writable, { isOwn, signal }: { readonly isOwn: boolean; readonly signal: AbortSignal | undefined }): Sink {
  let bytes = 0;
  let failure: Error | undefined;
  const fail = (error: Error): void => { failure = error; };
  stream.once("error", fail);
  const end = (): void => void stream.removeListener("error", fail);
  // Whoever reads may stop for ever.
  const wait = (event: "drain" | "finish"): Promise<unknown> => once(stream, event, { signal }).catch((cause: unknown) => {
    throwIfAborted(signal, "export");
    throw cause;
  });
  return {
    get bytes() { return bytes; },
    write: (block) => orFail("the output", async () => {
      if (failure !== undefined) throw failure;
      bytes += block.length;
      // Writing goes on after this call, and the caller may use the memory again.
      if (!stream.write(Buffer.from(block))) await wait("drain");
    }),
    commit: () => orFail("the output", async () => {
      if (isOwn) stream.end();
      if (isOwn) await wait("finish");
      end();
    }),
    async abort() {
      end();
      if (isOwn) stream.destroy();
    },
  };
}

async function orFail(path: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (cause) {
    throw toBquerydError(cause, `write ${path}`);
  }
}

/** A NOT_FOUND error about the folder that a file is to be in. */
export function noFolder(folder: string, cause?: unknown): BquerydError {
  return new BquerydError("NOT_FOUND", `folder ${folder} does not exist; create it first`, { details: { path: folder }, cause });
}

function exists(path: string, wrong: string): BquerydError {
  return new BquerydError("EXISTS", `${path} ${wrong}`, { details: { path } });
}
