/**
 * The stage of a table: a folder beside the tables in which its files come together before any of them is part of a table.
 *
 *   STAGE/NAME                a file that is whole, compared with its hash and durable
 *   STAGE/NAME.part           the beginning of one that is coming
 *   STAGE.manifest.json       written last: all files that it names are there
 */
import { createHash, type Hash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { randomId } from "../base/clock.js";
import { isSystemError, type Files } from "../base/files.js";
import { removeIfThere } from "../columns/directory/remove.js";
import { decodeManifest, encodeManifest, manifestBytesMax, type Manifest } from "./manifest.js";

const pieceBytes = 4 * 1024 * 1024;

/** Path of the beginning of a file that is coming. */
export function partPath(stage: string, name: string): string {
  return join(stage, `${name}.part`);
}

/** Bytes of the beginning of a file that is there; 0 for none. Throws the system's error. */
export async function partBytes(files: Files, stage: string, name: string): Promise<number> {
  return (await files.find(partPath(stage, name)))?.bytes ?? 0;
}

/** The beginning of a file that is there, hashed, so that the rest can follow. One that is too long is removed. Throws the system's error. */
export async function resumePart(files: Files, stage: string, name: string, bytesMax: number): Promise<{ readonly hash: Hash; readonly bytes: number }> {
  const path = partPath(stage, name);
  const bytes = await partBytes(files, stage, name);
  const hash = createHash("sha256");
  if (bytes > bytesMax) {
    await files.remove(path);
    return { hash, bytes: 0 };
  }
  for (let offset = 0; offset < bytes; offset += pieceBytes) {
    hash.update(await files.read(path, { offset, length: Math.min(pieceBytes, bytes - offset) }));
  }
  return { hash, bytes };
}

/** Says durably that a stage is whole. Its files are durable already, their folders are made so here. */
export async function sealStage(files: Files, stage: string, manifest: Manifest): Promise<void> {
  const folders = new Set(manifest.files.flatMap(({ name }) => foldersOf(stage, name)));
  for (const folder of [...folders].sort().toReversed()) await files.syncDirectory(folder);
  const aside = `${stage}.${randomId()}.tmp`;
  await files.createSynced(aside, encodeManifest(manifest));
  await files.rename(aside, sealPath(stage));
  await files.syncDirectory(dirname(stage));
}

/** What a whole stage holds; undefined for one that is not whole, or not there. Throws BAD_INPUT, IO. */
export async function readSeal(files: Files, stage: string): Promise<Manifest | undefined> {
  try {
    return decodeManifest(await files.read(sealPath(stage), { bytesMax: manifestBytesMax + 1 }), basename(stage));
  } catch (cause) {
    if (isSystemError(cause, "ENOENT") || isSystemError(cause, "ENOTDIR")) return undefined;
    throw cause;
  }
}

/** Removes a stage with all that is in it; nothing where there is none. Throws the system's error. */
export async function clearStage(files: Files, stage: string): Promise<void> {
  // The seal goes first: what is left of a stage must not look whole.
  await unsealStage(files, stage);
  await removeTree(files, stage);
}

/** Takes away what says that a stage is whole; what is in it stays. Throws the system's error. */
export async function unsealStage(files: Files, stage: string): Promise<void> {
  const folder = dirname(stage);
  const table = basename(stage);
  for (const name of await listIfThere(files, folder)) {
    const isSeal = name === basename(sealPath(stage)) || (name.startsWith(`${table}.`) && /^\.[0-9a-f]{32}\.tmp$/.test(name.slice(table.length)));
    if (isSeal) await removeIfThere(files, join(folder, name));
  }
}

function sealPath(stage: string): string {
  return `${stage}.manifest.json`;
}

function foldersOf(stage: string, name: string): string[] {
  const folder = dirname(join(stage, name));
  const found: string[] = [];
  for (let at = folder; at.length >= stage.length; at = dirname(at)) found.push(at);
  return found;
}

async function removeTree(files: Files, path: string): Promise<void> {
  const found = await files.find(path);
  if (found === undefined) return;
  if (!found.isDirectory) {
    await files.remove(path);
    return;
  }
  for (const name of await files.list(path)) await removeTree(files, join(path, name));
  await files.removeDirectory(path);
}

async function listIfThere(files: Files, path: string): Promise<string[]> {
  try {
    return await files.list(path);
  } catch (cause) {
    if (isSystemError(cause, "ENOENT")) return [];
    throw cause;
  }
}
