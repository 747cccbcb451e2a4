/** The files that make up a table of bcolz: what a copy of it has to have, and nothing else that lies in its directory. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { toBquerydError } from "../../base/errors.js";
import { chunkName, rootsName, type BcolzDirectory } from "./directory.js";
import { findInside, findRoot, findStamp, type Root } from "./paths.js";

/** A file of a table of bcolz. */
export interface BcolzFile {
  /** Its path below the table's directory, with slashes. */
  readonly name: string;
  readonly bytes: number;
  /** When it was changed, whole ms since 1970, rounded down. */
  readonly modifiedMs: number;
}

const attributesName = "__attrs__";
const fileGrammar = /^(?:__rootdirs__|__attrs__|[^/\0]{1,255}\/(?:__attrs__|meta\/(?:sizes|storage)|data\/__(?:0|[1-9][0-9]{0,8})\.blp))$/;

/** The time to be set where a file is to have a time of change in whole ms: what a system cuts off of it does not matter then. */
export function timeOfCopyMs(modifiedMs: number): number {
  return modifiedMs + 0.5;
}

/** Tells whether a text is the name of a file as a table of bcolz has it: a path that leads nowhere else. */
export function isBcolzFileName(name: string): boolean {
  const [column] = name.split("/");
  return fileGrammar.test(name) && column !== "." && column !== ".." && (column === name || (column !== rootsName && column !== attributesName));
}

/** The files of a table, by column; also of columns that no dtype holds. Blocks shortly. Throws CORRUPT_FOOTER, IO. */
export function listBcolzFiles(table: BcolzDirectory): BcolzFile[] {
  const root = findRoot(table.path, table.name);
  const ofReadable = table.columns.flatMap(({ name, chunks }) => columnFiles(root, name, chunks.map((_, chunk) => chunkName(chunk))));
  const ofRefused = table.refused.flatMap(({ name }) => columnFiles(root, name, listChunks(root, name)));
  return [...findFiles(root, "", [rootsName, attributesName]), ...ofReadable, ...ofRefused];
}

function columnFiles(root: Root, column: string, chunks: readonly string[]): BcolzFile[] {
  return [
    ...findFiles(root, column, [attributesName]),
    ...findFiles(root, `${column}/meta`, ["sizes", "storage"]),
    ...findFiles(root, `${column}/data`, chunks),
  ];
}

/** Those that are there. */
function findFiles(root: Root, directory: string, names: readonly string[]): BcolzFile[] {
  const inside = findInside(root, directory);
  if (inside === undefined) return [];
  return names.flatMap((name) => {
    const stamp = findStamp(root, inside, name);
    return stamp === undefined ? [] : [{ name: join(directory, name), bytes: stamp.bytes, modifiedMs: Number(stamp.modifiedNs / 1_000_000n) }];
  });
}

/** Of a column that cannot be read nobody knows how many chunks it has: those that are there. */
function listChunks(root: Root, column: string): string[] {
  const directory = findInside(root, `${column}/data`);
  if (directory === undefined) return [];
  try {
    return readdirSync(directory).filter((name) => isBcolzFileName(`${column}/data/${name}`));
  } catch (cause) {
    throw toBquerydError(cause, `read ${root.table}`);
  }
}
