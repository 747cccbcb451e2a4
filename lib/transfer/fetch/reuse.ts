/** What need not be fetched, as this node has it already. */
import { join } from "node:path";
import { BquerydError } from "../../base/errors.js";
import { isSystemError, type Files } from "../../base/files.js";
import { copyFile, isLinkRefused } from "../../columns/directory/copy.js";
import { digestFile } from "../digest.js";
import type { WantedFile } from "./fetch-file.js";

/** Where a file may be already. */
export interface KnownPlaces {
  readonly stage: string;
  /** The table's directory, in which files are named by content. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

/**
 * Tells whether the stage has a file whole, after taking it over from the table's directory where that has it. What is
 * taken over is hashed: a file that was damaged on this disk is fetched anew. Throws CANCELLED, the system's error.
 */
export async function findWhole(files: Files, wanted: WantedFile, { stage, directory, signal }: KnownPlaces): Promise<boolean> {
  const staged = join(stage, wanted.name);
  if (await isContent(files, staged, wanted, signal)) return true;
  if (await files.find(staged) !== undefined) await files.remove(staged);
  const isNamedByContent = wanted.sha256 !== null && wanted.name.startsWith(`${wanted.sha256}.`);
  if (!isNamedByContent || !await isContent(files, join(directory, wanted.name), wanted, signal)) return false;
  try {
    await takeOver(files, join(directory, wanted.name), staged);
    return true;
  } catch (cause) {
    // It may be collected meanwhile.
    if (isSystemError(cause, "ENOENT")) return false;
    throw cause;
  }
}

async function isContent(files: Files, path: string, { bytes, sha256 }: WantedFile, signal: AbortSignal): Promise<boolean> {
  const found = await files.find(path).catch((cause: unknown) => {
    if (isSystemError(cause, "ENOTDIR")) return undefined;
    throw cause;
  });
  if (sha256 === null || found === undefined || found.isDirectory || found.bytes !== bytes) return false;
  try {
    return (await digestFile(path, signal)).sha256 === sha256;
  } catch (cause) {
    // A file that is gone or cannot be read is no file to use.
    if (cause instanceof BquerydError && (cause.code === "NOT_FOUND" || cause.code === "IO")) return false;
    throw cause;
  }
}

async function takeOver(files: Files, from: string, to: string): Promise<void> {
  try {
    await files.link(from, to);
  } catch (cause) {
    if (!isLinkRefused(cause)) throw cause;
    await copyFile(files, from, `${to}.part`);
    await files.rename(`${to}.part`, to);
  }
}
