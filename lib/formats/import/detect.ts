/** Finding out what format an input is of: by its name, else by how it begins. */
import { existsSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError } from "../../base/files.js";
import { openBytes } from "../input/byte-input.js";

/** The formats that an import can read; bcolz stands for tables of any kind, bcolz 1.x and our own. */
export const importFormats = ["csv", "tsv", "parquet", "ndjson", "arrow", "bcolz"] as const;

/** One of the formats that an import can read. */
export type ImportFormat = (typeof importFormats)[number];

const byExtension: ReadonlyMap<string, ImportFormat> = new Map([
  [".csv", "csv"], [".txt", "csv"], [".tsv", "tsv"], [".tab", "tsv"],
  [".parquet", "parquet"], [".pq", "parquet"],
  [".ndjson", "ndjson"], [".jsonl", "ndjson"], [".json", "ndjson"],
  [".arrow", "arrow"], [".arrows", "arrow"], [".feather", "arrow"], [".ipc", "arrow"],
]);

const byMagic: readonly (readonly [ImportFormat, Buffer])[] = [
  ["parquet", Buffer.from("PAR1")], ["arrow", Buffer.from("ARROW1")], ["arrow", Buffer.from("FEA1")], ["arrow", Buffer.from([0xff, 0xff, 0xff, 0xff])],
];

/** Text formats may be compressed; the others bring their own. */
const textFormats: ReadonlySet<ImportFormat> = new Set(["csv", "tsv", "ndjson"]);

/** Tells whether the lines of a format have no dtypes of their own. */
export function isTextFormat(format: ImportFormat): boolean {
  return textFormats.has(format);
}

/**
 * The format of the file or table directory at `path`, which may be named otherwise than it is opened. Throws NOT_FOUND,
 * and BAD_INPUT for a directory that is no table and for content that is none of the formats.
 */
export async function detectFormat(path: string, name = path): Promise<ImportFormat> {
  if (isDirectory(path)) return requireTable(path);
  const bare = name.replace(/\.gz$/i, "");
  const format = byExtension.get(extname(bare).toLowerCase());
  if (format !== undefined && bare !== name && !isTextFormat(format)) {
    throw new BquerydError("BAD_INPUT", `${name} is a compressed ${format} file; decompress it first`, { details: { path: name } });
  }
  return format ?? sniffFormat(path, name);
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    if (!isSystemError(cause, "ENOENT") && !isSystemError(cause, "ENOTDIR")) throw toBquerydError(cause, `look at ${path}`);
    throw new BquerydError("NOT_FOUND", `${path} does not exist; check the path`, { details: { path }, cause });
  }
}

function requireTable(path: string): ImportFormat {
  if (existsSync(join(path, "CURRENT")) || existsSync(join(path, "__rootdirs__"))) return "bcolz";
  throw new BquerydError("BAD_INPUT", `${path} is a directory and not a table; name the files in it, ${basename(path)}/* for instance`, { details: { path } });
}

async function sniffFormat(path: string, name: string): Promise<ImportFormat> {
  const start = await readStart(path);
  const magic = byMagic.find(([, bytes]) => start.subarray(0, bytes.length).equals(bytes));
  if (magic !== undefined) return magic[0];
  if (start.includes(0)) throw new BquerydError("BAD_INPUT", `${name} is in none of the formats ${importFormats.join(", ")}, as far as can be seen; say which with --format`, { details: { path: name } });
  return /^\s*(?:\{\s*(?:["}]|$)|\[\s*(?:[{\]]|$))/.test(start.toString("latin1")) ? "ndjson" : "csv";
}

/** The first bytes, decompressed. */
async function readStart(path: string): Promise<Buffer> {
  const input = await openBytes(path, { blockBytes: 4_096 });
  try {
    const raw = Buffer.from(await input.readRange(0, 8));
    // A binary format may begin as text in UTF-16 does.
    if (byMagic.some(([, bytes]) => raw.subarray(0, bytes.length).equals(bytes))) return raw;
    for await (const { block } of input.blocks(undefined)) return Buffer.from(block);
    return raw;
  } finally {
    await input.close();
  }
}
