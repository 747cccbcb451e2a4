/**
 * Rows that cannot be stored: counted, the first of them kept to be shown, all of them in a file where one was asked for.
 * The file is CSV (RFC 4180) with the header `input,line,reason,text`; it appears whole, after the tables.
 */
import { copyFile, lstat, open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { randomId } from "../../base/clock.js";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError, realFiles } from "../../base/files.js";
import { asidePath, placeAside, removeLeftovers } from "../export/aside.js";
import { notUtf8, type Reject } from "../source.js";
import { createSpool } from "../input/spool.js";
import type { Spool } from "../input/spool.js";

/** A row that was not stored, and the input it is from. */
export interface InputReject extends Reject {
  readonly input: string;
  /** What `line` counts: lines of text, or rows of a format that has no lines. */
  readonly place: "line" | "row";
}

/** Collects rejects; whoever opened it closes it. */
export interface Rejects {
  /** Rejects since the start or the last reset. */
  readonly count: number;
  /** The first ten of them. */
  readonly first: readonly InputReject[];
  /** Throws BAD_INPUT for the first where none is to be tolerated, DISK_FULL, IO. */
  add(input: Pick<InputReject, "input" | "place">, rejects: readonly Reject[]): Promise<void>;
  /** Forgets all, for the next pass over the inputs. */
  reset(): Promise<void>;
  /** Writes the file aside, durably. Throws DISK_FULL, IO. */
  stage(): Promise<void>;
  /** Makes the file visible, after `stage`. Throws EXISTS, IO naming the place where the rejects are instead. */
  publish(): Promise<void>;
  /** Lets go of what was not published. */
  close(): Promise<void>;
}

/** Where rejects go. */
export interface RejectsSpec {
  /** The CSV file for all of them; undefined: none. */
  readonly file: string | undefined;
  readonly replace: boolean;
  /** Whether the first reject fails the import. */
  readonly strict: boolean;
}

/** What to do about a text in another encoding than UTF-8. */
export const encodingAdvice = "convert the file if it is latin-1: iconv -f latin1 -t utf-8";

/** Tells whether rows were rejected since their bytes are not UTF-8. */
export function isEncodingAtFault(rejects: readonly Pick<Reject, "reason">[]): boolean {
  return rejects.some(({ reason }) => reason.endsWith(notUtf8));
}

const shownMax = 10;
const bufferedBytesMax = 256 * 1024;
const header = "input,line,reason,text\n";

/** An empty collection. Throws EXISTS for a file that is there and not to be replaced, NOT_FOUND for a folder that is not. */
export async function openRejects(spec: RejectsSpec): Promise<Rejects> {
  const file = spec.file === undefined ? undefined : await openRejectsFile(resolve(spec.file), spec.replace);
  let count = 0;
  let first: InputReject[] = [];
  return {
    get count() { return count; },
    get first() { return first; },
    async add(input, rejects) {
      const [reject] = rejects;
      if (spec.strict && reject !== undefined) throw strictFailure({ ...reject, ...input });
      count += rejects.length;
      for (const each of rejects.slice(0, shownMax - first.length)) first.push({ ...each, ...input });
      if (file !== undefined) for (const each of rejects) await file.add(`${[input.input, String(each.line), each.reason, each.text].map(quoteField).join(",")}\n`);
    },
    async reset() {
      count = 0;
      first = [];
      await file?.reset();
    },
    stage: async () => file?.stage(),
    publish: async () => file?.publish(),
    close: async () => file?.close(),
  };
}

interface RejectsFile {
  add(line: string): Promise<void>;
  reset(): Promise<void>;
  stage(): Promise<void>;
  publish(): Promise<void>;
  close(): Promise<void>;
}

async function openRejectsFile(path: string, replace: boolean): Promise<RejectsFile> {
  await requireFree(path, replace);
  await removeLeftovers(path);
  const aside = asidePath(path);
  let spool: Spool | undefined;
  let lines = header;
  async function flush(): Promise<Spool> {
    spool ??= createSpool(path);
    await spool.append(Buffer.from(lines));
    lines = "";
    return spool;
  }
  async function reset(): Promise<void> {
    lines = header;
    await spool?.close();
    spool = undefined;
  }
  return {
    async add(line) {
      lines += line;
      if (lines.length > bufferedBytesMax) await flush();
    },
    reset,
    async stage() {
      const { path: from } = await flush();
      await writeAside(from, aside).catch((cause: unknown) => { throw toBquerydError(cause, `write ${path}`); });
    },
    async publish() {
      try {
        await requireFree(path, replace);
        await placeAside(aside, path, replace);
        await realFiles.syncDirectory(dirname(path));
      } catch (cause) {
        throw await keepElsewhere(aside, path, toBquerydError(cause));
      }
    },
    async close() {
      await reset();
      await rm(aside, { force: true });
    },
  };
}

/** The error for rejects that cannot be where they were to be: no import gives them again once its tables are there. */
async function keepElsewhere(aside: string, path: string, cause: BquerydError): Promise<BquerydError> {
  const elsewhere = `${path}.${randomId()}`;
  try {
    await rename(aside, elsewhere);
    return new BquerydError(cause.code, `the tables are stored, and the rejects in ${elsewhere}: they could not be put into ${path}, where something came into being meanwhile or cannot be replaced; look at both`, { details: { path, elsewhere }, cause });
  } catch {
    return new BquerydError(cause.code, `the tables are stored, but the rejects could not be written to ${path}; import the inputs once more if you need them`, { details: { path }, cause });
  }
}

async function requireFree(path: string, replace: boolean): Promise<void> {
  try {
    const found = await lstat(path);
    if (found.isDirectory()) throw new BquerydError("USAGE", `--rejects ${path} is a directory; name a file in it`, { details: { path } });
    if (!replace) throw new BquerydError("EXISTS", `${path} exists; use --replace to replace it, or name another file for the rejects`, { details: { path } });
    if (!await holdsRejects(path)) throw new BquerydError("EXISTS", `${path} holds something else than the rejects of an import; name another file for them`, { details: { path } });
  } catch (cause) {
    if (!isSystemError(cause, "ENOENT")) throw toBquerydError(cause, `write ${path}`);
  }
  const folder = await lstat(dirname(path)).catch(() => undefined);
  if (folder === undefined) throw new BquerydError("NOT_FOUND", `folder ${dirname(path)} for the rejects does not exist; create it`, { details: { path: dirname(path) } });
}

/** Tells whether a file begins as one of rejects does: no other is ever replaced, an input by another name least of all. */
async function holdsRejects(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const start = Buffer.alloc(header.length);
    const { bytesRead } = await file.read(start, 0, start.length, 0);
    return start.toString("latin1", 0, bytesRead) === header;
  } finally {
    await file.close();
  }
}

async function writeAside(from: string, aside: string): Promise<void> {
  try {
    await copyFile(from, aside);
    const file = await open(aside);
    await file.sync().finally(() => file.close());
  } catch (cause) {
    await rm(aside, { force: true });
    throw cause;
  }
}

function strictFailure({ input, place, line, reason, text }: InputReject): BquerydError {
  return new BquerydError("BAD_INPUT", `${input}, ${place} ${line}: ${reason}; ${isEncodingAtFault([{ reason }]) ? encodingAdvice : "correct it"}, or leave out --strict to import the other rows`, {
    details: { path: input, line, reason, text },
  });
}

function quoteField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
