/**
 * Where what is written for others is until it is whole, an export or a file of rejects: beside NAME under
 * `.NAME.<mark>.tmp`, the mark of its process with dots for spaces and 32 random digits as its subject. With `.old` behind
 * it, it is a directory that was to be replaced.
 */
import { createHash } from "node:crypto";
import { link, rename, rm, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { randomId } from "../../base/clock.js";
import { BquerydError } from "../../base/errors.js";
import { isSystemError, realFiles } from "../../base/files.js";
import { formatMark, parseMark } from "../../columns/directory/marks.js";

/** Bytes of a name that fit with all the rest into what a file system takes. */
const nameBytesMax = 100;
const restGrammar = /^([0-9]+\.[0-9]+\.[0-9a-f]{32}(?:\.pid:\[[0-9]+\])?)\.tmp(\.old)?$/;

/** A new path for what is to be at `path` once it is whole. */
export function asidePath(path: string): string {
  return join(dirname(path), `${prefixOf(path)}${formatMark(randomId()).trimEnd().replaceAll(" ", ".")}.tmp`);
}

/** Where what is at `path` goes for the moment in which that of an aside path takes its place. */
export function oldPath(aside: string): string {
  return `${aside}.old`;
}

/**
 * Makes what was written to an aside path the file at `path`, in one step. Throws EXISTS for one that has come into being
 * meanwhile and is not to be replaced, and what the system says.
 */
export async function placeAside(aside: string, path: string, replace: boolean): Promise<void> {
  if (replace) {
    await rename(aside, path);
    return;
  }
  // A link fails where a rename would replace.
  await link(aside, path).catch((cause: unknown) => {
    if (isSystemError(cause, "EEXIST")) throw new BquerydError("EXISTS", `${path} has come into being meanwhile; use another name`, { details: { path }, cause });
    throw cause;
  });
  await unlink(aside);
}

/**
 * Removes what exports to a path left there when they were killed. A directory that one of them had moved away, and put
 * nothing in its place, comes back. Throws NOT_FOUND, IO.
 */
export async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = prefixOf(path);
  for (const name of await realFiles.list(folder)) {
    const [, mark, old] = name.startsWith(prefix) ? restGrammar.exec(name.slice(prefix.length)) ?? [] : [];
    if (mark === undefined || parseMark(`${mark.replaceAll(".", " ")}\n`).state !== "gone") continue;
    const left = join(folder, name);
    if (old !== undefined && await realFiles.find(path) === undefined) await rename(left, path);
    else await rm(left, { recursive: true, force: true });
  }
}

function prefixOf(path: string): string {
  const name = basename(path);
  const short = Buffer.byteLength(name) <= nameBytesMax ? name : createHash("sha256").update(name).digest("hex").slice(0, 32);
  return `.${short}.`;
}
