/** Storing an object in a directory: written beside its place under another name, synced, renamed; and removing one. */
import { dirname, join } from "node:path";
import { randomId } from "../../base/clock.js";
import { BquerydError } from "../../base/errors.js";
import { isSystemError, type Files } from "../../base/files.js";
import { isTemporaryName, temporaryName } from "../keys.js";
import type { ObjectSource, Writing } from "../objects.js";
import { changedSource } from "../sources.js";
import { findFacts, isNothing, isReachable, type Directory } from "./place.js";
import { sweep } from "./sweep.js";

/** Stores an object, as `ObjectStore.write` says. */
export async function writeObject(directory: Directory, key: string, source: ObjectSource, options: Writing): Promise<"written" | "exists"> {
  const { root, files } = directory;
  const { onlyNew = false, signal } = options;
  signal?.throwIfAborted();
  if (onlyNew && await findFacts(directory, key) !== undefined) return "exists";
  const path = join(root, key);
  const folder = dirname(path);
  await makeFolder(directory, folder);
  if (!await isReachable(directory, key)) throw new BquerydError("IO", `cannot store ${key} in ${directory.place}: a link is on the way to it; remove the link, or use another name`, { details: { place: directory.place, key } });
  const temporary = join(folder, temporaryName(randomId()));
  try {
    await writeBytes(files, temporary, source, options);
    source.confirm?.();
    await files.sync(temporary);
    const outcome = await appear(directory, key, { temporary, onlyNew });
    await files.syncDirectory(folder);
    return outcome;
  } catch (cause) {
    // The failure that led here is the one to tell; what cannot be removed now is collected later.
    await files.remove(temporary).catch(() => {});
    throw cause;
  }
}

/** Makes the folder durable, down from the first that was not there, and looks once for what others left in it. */
async function makeFolder(directory: Directory, folder: string): Promise<void> {
  const { files, root, swept } = directory;
  const first = await files.makeDirectory(folder);
  for (let made = folder; first !== undefined && made.length >= first.length; made = dirname(made)) await files.syncDirectory(dirname(made));
  const name = folder === root ? "" : `${folder.slice(root.length + 1)}/`;
  if (!swept.has(name)) await sweep(directory, name, (await files.list(folder)).filter(isTemporaryName));
}

async function writeBytes(files: Files, path: string, source: ObjectSource, { onProgress, signal }: Writing): Promise<void> {
  await files.create(path, new Uint8Array());
  let done = 0;
  for await (const piece of source.open(0, source.bytes)) {
    signal?.throwIfAborted();
    if (done + piece.length > source.bytes) break;
    await files.append(path, piece);
    done += piece.length;
    onProgress?.(done);
  }
  if (done !== source.bytes) throw changedSource(source.bytes);
}

async function appear({ root, files, place }: Directory, key: string, { temporary, onlyNew }: { readonly temporary: string; readonly onlyNew: boolean }): Promise<"written" | "exists"> {
  const path = join(root, key);
  if ((await files.find(path))?.isDirectory === true) {
    throw new BquerydError("IO", `cannot store ${key} in ${place}: a folder has that name; use another name`, { details: { place, key } });
  }
  if (!onlyNew) {
    await files.rename(temporary, path);
    return "written";
  }
  try {
    await files.link(temporary, path);
  } catch (cause) {
    if (!isSystemError(cause, "EEXIST")) throw cause;
    await files.remove(temporary);
    return "exists";
  }
  await files.remove(temporary);
  return "written";
}

/** Removes an object durably; nothing where there is none. */
export async function removeObject(directory: Directory, key: string): Promise<void> {
  if (await findFacts(directory, key) === undefined) return;
  const path = join(directory.root, key);
  try {
    await directory.files.remove(path);
  } catch (cause) {
    if (!isNothing(cause)) throw cause;
  }
  await directory.files.syncDirectory(dirname(path));
}
