/**
 * What was derived from a column of bcolz, kept beside the data. It is worth nothing if deleted, and taken for absent
 * when anything about it is not as it should be.
 *
 *   .bqueryd/GENERATION/N.json    of column N: the SHA-256, as 64 hexadecimal digits, of what follows the line feed after
 *                                 them: JSON with the extremes of each chunk, the fingerprint of the data, and sizes
 *                                 and SHA-256 of the other files
 *   .bqueryd/GENERATION/N.dict    of a text column with a dictionary: the dictionary file of the table format
 *   .bqueryd/GENERATION/N.codes   beside it: the packed codes of one chunk after another
 */
import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readdirSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Type, Value, type Static, type TSchema } from "../../base/typebox.js";
import { randomId } from "../../base/clock.js";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError } from "../../base/files.js";
import { canonicalJson } from "../../base/json.js";
import { sha256Hex } from "../files/footer.js";

/** The files of what was derived from one column, and the JSON that describes them. */
export interface DerivedFiles<T> {
  readonly facts: T;
  /** The dictionary and the codes, verified; none for a column that has none. */
  readonly dictionary: Uint8Array<ArrayBuffer> | undefined;
  readonly codes: OpenCodes | undefined;
}

/** A file of codes that stays open, so that it may be deleted meanwhile. */
export interface OpenCodes {
  /** Fills the target from a place in the file; false when it is too short. */
  readInto(offset: number, target: Uint8Array): boolean;
  close(): void;
}

/** Where the files of a column lie. */
export interface DerivedPlace {
  /** The table's directory. */
  readonly table: string;
  readonly generation: string;
  /** Number of the column. */
  readonly ordinal: number;
  /** Of the files that it is derived from. */
  readonly fingerprint: string;
}

const folderName = ".bqueryd";
const descriptionBytesMax = 64 * 1024 * 1024;
const generationGrammar = /^[0-9a-f]{64}$/;
const blockBytes = 1024 * 1024;

const File = Type.Object({ bytes: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }) });
const Description = Type.Object({ fingerprint: Type.String(), facts: Type.Unknown(), dictionary: Type.Union([File, Type.Null()]), codes: Type.Union([File, Type.Null()]) });

/** What was kept for a column, with facts of the given shape; undefined where there is nothing that can be trusted. */
export function findDerived<T extends TSchema>(place: DerivedPlace, shape: T): DerivedFiles<Static<T>> | undefined {
  try {
    const described = readDescription(pathOf(place, "json"));
    if (described?.fingerprint !== place.fingerprint || !Value.Check(shape, described.facts)) return undefined;
    const dictionary = described.dictionary === null ? undefined : readVerified(pathOf(place, "dict"), described.dictionary);
    if (described.dictionary !== null && dictionary === undefined) return undefined;
    const codes = described.codes === null ? undefined : openVerified(pathOf(place, "codes"), described.codes);
    if (described.codes !== null && codes === undefined) return undefined;
    return { facts: described.facts, dictionary, codes };
  } catch (cause) {
    if (isOfFiles(cause)) return undefined;
    throw cause;
  }
}

/**
 * Keeps what was derived, and removes what was kept of earlier generations; false where nothing can be written: a
 * read-only directory, or a full disk. Facts are JSON of safe integers, texts, lists and objects.
 */
export function keepDerived(place: DerivedPlace, derived: { facts: unknown; dictionary: Uint8Array | undefined; codes: readonly Uint8Array[] | undefined }): boolean {
  try {
    makeFolders(place);
    const dictionary = derived.dictionary === undefined ? null : writeAside(pathOf(place, "dict"), [derived.dictionary]);
    const codes = derived.codes === undefined ? null : writeAside(pathOf(place, "codes"), derived.codes);
    // Last, as it vouches for the others.
    const description = Buffer.from(canonicalJson({ fingerprint: place.fingerprint, facts: derived.facts, dictionary, codes }));
    writeAside(pathOf(place, "json"), [Buffer.from(`${sha256Hex(description)}\n`), description]);
    removeEarlier(place);
    return true;
  } catch (cause) {
    if (isOfFiles(cause)) return false;
    throw cause;
  }
}

/** Removes what was kept for a column, so that it is derived again. */
export function dropDerived(place: DerivedPlace): void {
  try {
    rmSync(pathOf(place, "json"), { force: true });
  } catch (cause) {
    if (!isOfFiles(cause)) throw cause;
  }
}

function pathOf({ table, generation, ordinal }: DerivedPlace, extension: "json" | "dict" | "codes"): string {
  return join(table, folderName, generation, `${ordinal}.${extension}`);
}

/** A link in the place of a folder would lead out of the table: then nothing is kept. */
function makeFolders({ table, generation }: DerivedPlace): void {
  for (const folder of [join(table, folderName), join(table, folderName, generation)]) {
    try {
      mkdirSync(folder);
    } catch (cause) {
      if (!isSystemError(cause, "EEXIST")) throw cause;
      if (!lstatSync(folder).isDirectory()) throw new BquerydError("IO", `${folder} is not a directory; remove it`);
    }
  }
}

function writeAside(path: string, parts: readonly Uint8Array[]): Static<typeof File> {
  const aside = `${path}.${randomId()}.tmp`;
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    const descriptor = openSync(aside, "wx");
    try {
      for (const part of parts) {
        for (let done = 0; done < part.length;) done += writeSync(descriptor, part, done);
        hash.update(part);
        bytes += part.length;
      }
    } finally {
      closeSync(descriptor);
    }
    renameSync(aside, path);
  } catch (cause) {
    rmSync(aside, { force: true });
    throw cause;
  }
  return { bytes, sha256: hash.digest("hex") };
}

function removeEarlier({ table, generation }: DerivedPlace): void {
  for (const name of readdirSync(join(table, folderName))) {
    if (generationGrammar.test(name) && name !== generation) rmSync(join(table, folderName, name), { recursive: true, force: true });
  }
}

function readDescription(path: string): Static<typeof Description> | undefined {
  const descriptor = openRegular(path);
  if (descriptor === undefined) return undefined;
  try {
    const bytes = Buffer.alloc(Math.min(fstatSync(descriptor).size, descriptionBytesMax));
    if (!fill(descriptor, 0, bytes)) return undefined;
    const end = bytes.indexOf("\n") + 1;
    const body = bytes.subarray(end);
    if (bytes.toString("latin1", 0, Math.max(0, end - 1)) !== sha256Hex(body)) return undefined;
    const parsed: unknown = JSON.parse(body.toString());
    return Value.Check(Description, parsed) ? parsed : undefined;
  } finally {
    closeSync(descriptor);
  }
}

function readVerified(path: string, { bytes, sha256 }: Static<typeof File>): Uint8Array<ArrayBuffer> | undefined {
  const descriptor = openRegular(path);
  if (descriptor === undefined) return undefined;
  try {
    if (fstatSync(descriptor).size !== bytes) return undefined;
    const content = new Uint8Array(bytes);
    return fill(descriptor, 0, content) && sha256Hex(content) === sha256 ? content : undefined;
  } finally {
    closeSync(descriptor);
  }
}

/** The file opened, once all of it has been read and found right. */
function openVerified(path: string, { bytes, sha256 }: Static<typeof File>): OpenCodes | undefined {
  const descriptor = openRegular(path);
  if (descriptor === undefined) return undefined;
  try {
    if (fstatSync(descriptor).size === bytes && hashOf(descriptor, bytes) === sha256) {
      return { readInto: (offset, target) => readInto(descriptor, offset, target), close: () => { closeSync(descriptor); } };
    }
  } catch (cause) {
    closeSync(descriptor);
    throw cause;
  }
  closeSync(descriptor);
  return undefined;
}

function hashOf(descriptor: number, bytes: number): string | undefined {
  const hash = createHash("sha256");
  const block = new Uint8Array(blockBytes);
  for (let offset = 0; offset < bytes; offset += block.length) {
    const part = block.subarray(0, bytes - offset);
    if (!fill(descriptor, offset, part)) return undefined;
    hash.update(part);
  }
  return hash.digest("hex");
}

function readInto(descriptor: number, offset: number, target: Uint8Array): boolean {
  try {
    return fill(descriptor, offset, target);
  } catch (cause) {
    throw toBquerydError(cause, "read the codes derived from a column");
  }
}

function fill(descriptor: number, offset: number, target: Uint8Array): boolean {
  for (let done = 0; done < target.length;) {
    const read = readSync(descriptor, target, done, target.length - done, offset + done);
    if (read === 0) return false;
    done += read;
  }
  return true;
}

/** The descriptor of a file; undefined for what is none. Opening never waits for the other end of a pipe. */
function openRegular(path: string): number | undefined {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  return undefined;
}

/** Tells whether a failure comes from the files, or from what is in them. */
function isOfFiles(cause: unknown): boolean {
  return cause instanceof SyntaxError || cause instanceof BquerydError || (cause instanceof Error && "syscall" in cause);
}
