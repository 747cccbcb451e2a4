/** The inputs of an import: found, opened, and seen to be the same at each look. */
import { statSync } from "node:fs";
import type { Readable } from "node:stream";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError } from "../../base/files.js";
import { describeTable } from "../../columns/read/describe.js";
import { throwIfAborted } from "../abort.js";
import { detectFormat } from "./detect.js";
import type { ImportFormat } from "./detect.js";
import type { Schema } from "./schema.js";
import type { Source, SourceColumn, SourceOptions } from "../source.js";
import { openPipe } from "../input/pipe.js";
import { spoolStream } from "../input/spool.js";
import type { Spool } from "../input/spool.js";

/** Where an input is and how it is read. */
interface InputPlace {
  /** As it is named in messages. */
  readonly name: string;
  /** By which it is opened. */
  readonly path: string;
  readonly format: ImportFormat;
  /** What changes when the input does; empty for a copy that nobody else has. */
  readonly mark: string;
}

/** An input as it was when the import was planned. */
export interface PlannedInput extends InputPlace {
  readonly nature: Schema["nature"];
  readonly columns: readonly SourceColumn[];
  readonly rows: number | null;
  readonly bytes: number;
  /** A sentence of the reader, where the input may not be read as it is meant. */
  readonly hint: string | undefined;
}

/** The inputs of an import; close() removes what was copied of them. */
export interface Inputs {
  readonly planned: readonly PlannedInput[];
  close(): Promise<void>;
}

/** How inputs are found and opened. */
export interface InputRequest {
  /** Paths; `-` is the standard input. */
  readonly paths: readonly string[];
  /** Undefined: found out for each. */
  readonly format: ImportFormat | undefined;
  readonly source: SourceOptions;
  /** A path on the disk that takes copies of what can be read only once. */
  readonly near: string;
  readonly standardInput: Readable;
  /** Told of the bytes copied so far. */
  readonly onCopied: (bytes: number) => void;
}

const natures: Readonly<Record<ImportFormat, Schema["nature"]>> = {
  csv: "inferred", tsv: "inferred", ndjson: "open", parquet: "described", arrow: "described", bcolz: "described",
};

/** Readers are loaded when the first input of their format is opened. */
const openers: Readonly<Record<ImportFormat, (path: string, options: SourceOptions) => Promise<Source>>> = {
  csv: async (path, options) => (await import("../csv/read.js")).openCsv(path, options),
  tsv: async (path, options) => (await import("../csv/read.js")).openCsv(path, { ...options, delimiter: options.delimiter ?? "\t" }),
  parquet: async (path, options) => (await import("../parquet/read.js")).openParquet(path, options),
  ndjson: async (path, options) => (await import("../ndjson/read.js")).openNdjson(path, options),
  arrow: async (path, options) => (await import("../arrow/read.js")).openArrow(path, options),
  bcolz: async (path, options) => (await import("./table-source.js")).openTableSource(path, options),
};

/**
 * Looks at every input: its format and columns. What can be read only once is copied first. Throws NOT_FOUND, BAD_INPUT,
 * DISK_FULL, CANCELLED, and what opening the formats throws; then no copy is left.
 */
export async function planInputs(request: InputRequest): Promise<Inputs> {
  const copies: Spool[] = [];
  const close = async (): Promise<void> => {
    for (const copy of copies.splice(0)) await copy.close();
  };
  try {
    const planned: PlannedInput[] = [];
    for (const given of request.paths) {
      throwIfAborted(request.source.signal, "import");
      const place = await findInput(request, given, copies);
      planned.push(await withInput(place, request.source, async ({ columns, rows, bytes, hint }) => ({ ...place, nature: natures[place.format], columns, rows, bytes, hint: hint?.replaceAll(place.path, place.name) })));
    }
    return { planned, close };
  } catch (cause) {
    await close();
    throw cause;
  }
}

/**
 * Opens an input, hands it out and closes it. Throws BAD_INPUT when it is not what it was or changes meanwhile, and what
 * opening and `use` throw, with the name of the input in the sentence.
 */
export async function withInput<T>(input: InputPlace, options: SourceOptions, use: (source: Source) => Promise<T>): Promise<T> {
  try {
    requireSame(input);
    const source = await openers[input.format](input.path, options);
    try {
      const result = await use(source);
      requireSame(input);
      return result;
    } finally {
      await source.close();
    }
  } catch (cause) {
    throw nameInput(input, cause);
  }
}

async function findInput(request: InputRequest, given: string, copies: Spool[]): Promise<InputPlace> {
  const stream = given === "-" ? request.standardInput : openPipe(given);
  if (stream === undefined) return { name: given, path: given, format: request.format ?? await detectFormat(given), mark: markOf(given) };
  const copy = await spoolStream(stream, request.near, { signal: request.source.signal, onProgress: request.onCopied });
  copies.push(copy);
  const name = given === "-" ? "standard input" : given;
  const place = { name, path: copy.path, mark: "" };
  return { ...place, format: request.format ?? await detectFormat(copy.path, name).catch((cause: unknown) => { throw nameInput(place, cause); }) };
}

function requireSame({ path, name, mark }: InputPlace): void {
  if (mark === "" || markOf(path) === mark) return;
  throw new BquerydError("BAD_INPUT", `${name} changed during the import; import it once it is still`, { details: { path: name } });
}

/** Of a table, its generation: reading one of bcolz may leave something in its directory. */
function markOf(path: string): string {
  try {
    const found = statSync(path, { bigint: true });
    if (found.isDirectory()) return describeTable(path).generation;
    const { dev, ino, size, mtimeNs } = found;
    return [dev, ino, size, mtimeNs].join(" ");
  } catch (cause) {
    if (isSystemError(cause, "ENOENT")) return "missing";
    throw toBquerydError(cause, `look at ${path}`);
  }
}

/** A copy goes by the name of what it is a copy of. */
function nameInput({ name, path }: Pick<InputPlace, "name" | "path">, cause: unknown): unknown {
  if (!(cause instanceof BquerydError) || path === name || !cause.message.includes(path)) return cause;
  return new BquerydError(cause.code, cause.message.replaceAll(path, name), { details: { ...cause.details, path: name }, cause });
}
