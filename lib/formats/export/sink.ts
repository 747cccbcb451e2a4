/** Where the bytes of an export go: a file that appears when it is whole, or a stream that takes them as they come. */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { link, open, rename, stat, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Writable } from "node:stream";
import { randomId } from "../../base/clock.js";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError, realFiles } from "../../base/files.js";

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
}

/** Opens a sink. Throws EXISTS for a file that is there and not to be replaced, and for a directory, NOT_FOUND for a folder that is not. */
export async function openSink({ output, replace = false, standardOutput = process.stdout }: SinkOptions): Promise<Sink> {
  if (output === "-") return createStreamSink(standardOutput, { isOwn: false });
  const path = resolve(output);
  const found = await stat(path).catch((cause: unknown) => {
    if (isSystemError(cause, "ENOENT")) return undefined;
    throw toBquerydError(cause, `write ${output}`);
  });
  if (found?.isDirectory() === true) throw exists(output, "is a directory; name a file in it");
  // Pipes and devices take bytes as they come.
  if (found !== undefined && !found.isFile()) return createStreamSink(createWriteStream(path), { isOwn: true });
  if (found !== undefined && !replace) throw exists(output, "exists; use --replace to replace it, or another name");
  return openFileSink(path, replace);
}

async function openFileSink(path: string, replace: boolean): Promise<Sink> {
  const folder = dirname(path);
  const aside = join(folder, `.${basename(path).slice(0, 100)}.${randomId()}.tmp`);
  const handle = await open(aside, "wx").catch((cause: unknown) => {
    if (!isSystemError(cause, "ENOENT")) throw toBquerydError(cause, `write ${path}`);
    throw new BquerydError("NOT_FOUND", `folder ${folder} does not exist; create it first`, { details: { path: folder }, cause });
  });
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
      await place(aside, path, replace);
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

async function writeWhole(handle: FileHandle, block: Uint8Array): Promise<void> {
  for (let done = 0; done < block.length;) done += (await handle.write(block, done, block.length - done)).bytesWritten;
}

/** A link fails where a rename would replace. */
async function place(aside: string, path: string, replace: boolean): Promise<void> {
  if (replace) {
    await rename(aside, path);
    return;
  }
  await link(aside, path).catch((cause: unknown) => {
    if (isSystemError(cause, "EEXIST")) throw exists(path, "has come into being meanwhile; use another name");
    throw cause;
  });
  await unlink(aside);
}

function createStreamSink(stream: Writable, { isOwn }: { readonly isOwn: boolean }): Sink {
  let bytes = 0;
  let failure: Error | undefined;
  const fail = (error: Error): void => { failure = error; };
  stream.once("error", fail);
  const end = (): void => void stream.removeListener("error", fail);
  return {
    get bytes() { return bytes; },
    write: (block) => orFail("the output", async () => {
      if (failure !== undefined) throw failure;
      bytes += block.length;
      // Writing goes on after this call, and the caller may use the memory again.
      if (!stream.write(Buffer.from(block))) await once(stream, "drain");
    }),
    commit: () => orFail("the output", async () => {
      if (isOwn) stream.end();
      if (isOwn) await once(stream, "finish");
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

function exists(path: string, wrong: string): BquerydError {
  return new BquerydError("EXISTS", `${path} ${wrong}`, { details: { path } });
}
