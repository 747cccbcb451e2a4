/** Small tables of which every byte is damaged: verifying has to name the place, and reading must not answer wrongly. */
import { createHash } from "node:crypto";
import { readFile, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom, type Random } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { chunkRows, dtypes, type Batch, type Dtype } from "../../lib/columns/dtypes.js";
import { openOwnTable } from "../../lib/columns/read/open.js";
import { readChunk } from "../../lib/columns/read/batches.js";
import { createDecoder, type Decoder } from "../../lib/columns/read/decoder.js";
import type { Finding } from "../../lib/columns/verify/verification.js";
import { verifyTable } from "../../lib/columns/verify/verify.js";
import { appendRows } from "./append-rows.js";
import { valuesOf } from "./typed-values.js";
import { writeTable, type PlainColumn } from "./write-table.js";

/** What became of a table. */
export interface FlipOutcome {
  readonly flips: number;
  readonly cuts: number;
  /** The first thing that does not hold; undefined when all does. */
  readonly problem: string | undefined;
}

interface Damaged {
  readonly path: string;
  /** Hash of all its values. */
  readonly values: string;
  readonly decoder: Decoder;
}

/** A column of one whole chunk that takes few bytes, and then rows of all sorts. */
function columnOf(name: string, dtype: Dtype, rows: number, isLong: boolean): PlainColumn {
  const values = valuesOf(dtype, rows);
  const same = values[3]!;
  return { name, dtype, values: isLong ? [...Array.from({ length: chunkRows }, () => same), ...values] : values };
}

/** Writes a random table: a few dtypes, either codec, one generation or two, plain texts or coded ones, one segment or two. */
async function writeRandom(path: string, random: Random, tag: string): Promise<void> {
  const isLong = random() < 0.5;
  const count = 2 + Math.floor(random() * 3);
  const start = Math.floor(random() * dtypes.length);
  const chosen = Array.from({ length: count }, (_, at) => dtypes[(start + at * 4) % dtypes.length]!);
  const codec = random() < 0.5 ? "lz4" : "zstd";
  const dictionaryValuesMax = random() < 0.3 ? 3 : 1_000;
  const rows = 1 + Math.floor(random() * 60);
  const columns = chosen.map((dtype, at) => columnOf(`${dtype} ${at}${tag}`, dtype, rows, isLong));
  await writeTable(path, columns, { codec, dictionaryValuesMax });
  if (random() < 0.6) await appendRows(path, columns.map((column) => ({ ...column, values: column.values.slice(-3) })), { codec, dictionaryValuesMax });
}

/**
 * Flips a bit of every byte of every file of a random table, and cuts every file at every length; with `every` above 1, at
 * one place in so many, which the seed chooses, and the same bits.
 */
export async function runFlips(seed: number, every = 1): Promise<FlipOutcome> {
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-flip-"));
  const path = join(folder, "t.bcolz");
  const random = seededRandom(seed);
  const outcome = { flips: 0, cuts: 0 };
  try {
    await writeRandom(path, random, ` ${seed}`);
    const decoder = createDecoder();
    const damaged: Damaged = { path, decoder, values: hashValues(path, decoder) };
    for (const name of await readdir(path)) {
      const bytes = await readFile(join(path, name));
      for (let at = 0; at < bytes.length; at++) {
        const bit = 1 << Math.floor(random() * 8);
        if (at % every !== seed % every) continue;
        const flipped = Uint8Array.from(bytes);
        flipped[at]! ^= bit;
        outcome.flips++;
        const problem = await tryDamage(damaged, name, flipped);
        if (problem !== undefined) return { ...outcome, problem: `byte ${at} of ${name} flipped: ${problem}` };
      }
      for (let length = seed % every; length < bytes.length; length += every, outcome.cuts++) {
        if (name === "CURRENT" && isWholeList(length)) continue;
        const problem = await tryDamage(damaged, name, bytes.subarray(0, length));
        if (problem !== undefined) return { ...outcome, problem: `${name} cut to ${length} bytes: ${problem}` };
      }
      await writeFile(join(path, name), bytes);
    }
    const { findings } = await verifyTable(path);
    return { ...outcome, problem: findings.length === 0 && hashValues(path, decoder) === damaged.values ? undefined : "the table is not what it was" };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** CURRENT cut after its first line is that of a table with one generation, and right. */
function isWholeList(length: number): boolean {
  return length === 65;
}

async function tryDamage({ path, values, decoder }: Damaged, name: string, bytes: Uint8Array): Promise<string | undefined> {
  await writeFile(join(path, name), bytes);
  const { findings } = await verifyTable(path);
  if (!findings.some((finding) => isAbout(finding, name))) return `verify says ${JSON.stringify(findings)}`;
  const chunks = findings.filter((finding) => finding.file === name && finding.chunk !== null);
  const wrong = chunks.find((finding) => !isPlace(path, finding));
  if (wrong !== undefined) return `verify names the wrong place: ${JSON.stringify(wrong)}`;
  try {
    return hashValues(path, decoder) === values ? undefined : "reading gives other values";
  } catch (cause) {
    if (cause instanceof BquerydError && cause.code !== "INTERNAL") return undefined;
    return `reading fails with ${String(cause)}`;
  }
}

function hashValues(path: string, decoder: Decoder): string {
  const hash = createHash("sha1");
  const table = openOwnTable(path);
  try {
    for (const column of table.columns) {
      for (let chunk = 0; chunk < column.chunkCount; chunk++) for (const part of partsOf(readChunk(column, chunk, decoder))) hash.update(part);
    }
    return hash.digest("hex");
  } finally {
    table.close();
  }
}

function partsOf(batch: Batch): readonly NodeJS.ArrayBufferView[] {
  const nulls = batch.nulls ?? Uint8Array.of();
  if (batch.dtype !== "string" && batch.dtype !== "bytes") return [nulls, batch.values];
  const { offsets, bytes, codes } = batch.values;
  return [nulls, offsets, bytes, codes ?? Uint8Array.of()];
}

/** A flipped digit of CURRENT names a generation that is not there. */
function isAbout({ file }: Finding, name: string): boolean {
  return file === name || (name === "CURRENT" && file.endsWith(".json"));
}

function isPlace(path: string, { file, column, chunk, offset }: Finding): boolean {
  const { columns } = openOwnTable(path);
  const { record, segment } = columns.find(({ name }) => name === column)!.place(chunk!);
  // What only the generation before uses is not looked up here.
  return segment.data !== file || record.offset === offset;
}
