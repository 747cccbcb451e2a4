/** Mutated tables of bcolz: each gives its values or an error of ours, soon, within the memory that reading takes. */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { monotonicMs, seededRandom, type Random } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { openTable } from "../../lib/columns/read/open.js";
import { readChunk } from "../../lib/columns/read/batches.js";
import { createDecoder, type Decoder } from "../../lib/columns/read/decoder.js";
import type { Batch } from "../../lib/columns/dtypes.js";
import { readExpected, unpackBcolz } from "./bcolz-fixtures.js";

/** What a run found. */
export interface FuzzReport {
  readonly mutations: number;
  /** Mutated tables that were read to their end, and that were refused with an error of ours. */
  readonly read: number;
  readonly refused: number;
  readonly slowestMs: number;
  /** Memory outside the heap of JavaScript at its highest, above that at the start, bytes. */
  readonly outsideBytes: number;
  readonly failure: string | undefined;
}

interface Target {
  readonly table: string;
  readonly file: string;
  readonly bytes: Buffer;
  /** The column of a chunk; undefined for metadata. */
  readonly column: string | undefined;
}

/** The tables with more rows take most of the time, and have nothing in their files that the others have not. */
const rowsMax = 5_000;
const slowMs = 5_000;
/** A chunk of 256 MB, its copies, and the kernels' memory around them. */
const outsideBytesMax = 2 ** 31;
/** Operating failures that say something about the table; the disk is not to fail here. */
const expectedCodes: ReadonlySet<string> = new Set(["CORRUPT_FOOTER", "CORRUPT_CHUNK", "CORRUPT_DICTIONARY", "UNSUPPORTED_FORMAT", "UNSUPPORTED_DTYPE", "OVERFLOW", "MEMORY_LIMIT"]);
/** One mutation in so many is of what is kept beside a large table, which must not change what is read. */
const keptEvery = 200;

/** Mutates files of every fixture `count` times. The failure, if any, names seed and mutation. */
export function fuzzBcolz({ count, seed }: { count: number; seed: number }): FuzzReport {
  const random = seededRandom(seed);
  // In memory where the system has a place for that: every mutation writes a file twice.
  const folder = mkdtempSync(join(existsSync("/dev/shm") && process.env["TMPDIR"] === undefined ? "/dev/shm" : tmpdir(), "bqueryd-fuzz-"));
  const state = { read: 0, refused: 0, slowestMs: 0, outsideBytes: 0 };
  // Of whatever this process did before, some may still be there.
  const startBytes = process.memoryUsage().external;
  try {
    const fixtures = unpackBcolz(folder);
    const targets = findTargets(fixtures);
    const kept = count < keptEvery ? undefined : openKept(fixtures);
    const decoder = createDecoder();
    for (let mutation = 1; mutation <= count; mutation++) {
      const failure = mutation % keptEvery === 0 && kept !== undefined ? mutateKept(kept, random, decoder) : mutateTarget(draw(random, targets), { random, decoder, startBytes, state });
      if (failure !== undefined) return { ...state, mutations: mutation, failure: `seed ${seed}, mutation ${mutation}: ${failure}` };
    }
    return { ...state, mutations: count, failure: undefined };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function findTargets(fixtures: string): Target[] {
  return readExpected(fixtures).filter(({ nrows }) => nrows <= rowsMax).flatMap(({ name }) => {
    const table = join(fixtures, name);
    const files = readdirSync(table, { recursive: true, encoding: "utf8" }).filter((file) => statSync(join(table, file)).isFile() && !file.endsWith("__attrs__"));
    return files.map((file) => ({ table, file: join(table, file), bytes: readFileSync(join(table, file)), column: file.endsWith(".blp") ? file.split("/")[0] : undefined }));
  });
}

interface Run {
  readonly random: Random;
  readonly decoder: Decoder;
  readonly startBytes: number;
  /** Updated in place. */
  readonly state: { read: number; refused: number; slowestMs: number; outsideBytes: number };
}

function mutateTarget(target: Target, { random, decoder, startBytes, state }: Run): string | undefined {
  const mutated = target.column === undefined && random() < 0.7 ? mutateText(target.bytes, random) : mutateBytes(target.bytes, random);
  const what = () => `${relative(join(target.table, ".."), target.file)} as ${JSON.stringify(mutated.toString("latin1", 0, 200))} (${mutated.length} bytes)`;
  writeFileSync(target.file, mutated);
  const startMs = monotonicMs();
  try {
    readAll(target, decoder);
    state.read++;
  } catch (cause) {
    if (!(cause instanceof BquerydError) || !expectedCodes.has(cause.code)) return `${what()}: ${cause instanceof Error ? cause.stack : String(cause)}`;
    state.refused++;
  } finally {
    writeFileSync(target.file, target.bytes);
  }
  const tookMs = monotonicMs() - startMs;
  // Asking takes as long as some mutations do; what was taken is not given back at once.
  const outsideBytes = random() < 0.05 || tookMs > 100 ? process.memoryUsage().external - startBytes : 0;
  state.slowestMs = Math.max(state.slowestMs, Math.round(tookMs));
  state.outsideBytes = Math.max(state.outsideBytes, outsideBytes);
  if (tookMs > slowMs) return `${what()}: took ${Math.round(tookMs)} ms`;
  return outsideBytes > outsideBytesMax ? `${what()}: took ${outsideBytes} bytes` : undefined;
}

/** Reads the column whose chunk was mutated, or after other mutations the whole table, and what a query asks besides. */
function readAll({ table: path, column: mutated }: Target, decoder: Decoder): void {
  const table = openTable(path);
  try {
    for (const column of table.columns) {
      if (mutated !== undefined && column.name !== mutated) continue;
      column.dictionary();
      for (let chunk = 0; chunk < column.chunkCount; chunk++) {
        column.statistics(chunk);
        readChunk(column, chunk, decoder);
      }
    }
  } finally {
    table.close();
  }
}

/** Some bytes, a range, a number of a header, or the length is another. */
function mutateBytes(bytes: Buffer, random: Random): Buffer {
  const mutated = Buffer.from(bytes);
  const at = whole(random, Math.max(1, random() < 0.5 ? Math.min(80, bytes.length) : bytes.length));
  switch (whole(random, 6)) {
    case 0: return mutated.subarray(0, at);
    case 1: return Buffer.concat([mutated.subarray(0, at), mutated.subarray(whole(random, bytes.length + 1))]);
    case 2: return mutated.fill(whole(random, 256), at, Math.min(mutated.length, at + whole(random, 40)));
    case 3: {
      const place = 4 * (at >> 2);
      if (place + 4 <= mutated.length) mutated.writeInt32LE(draw(random, [0, -1, 1, 2 ** 31 - 1, -(2 ** 31), mutated.length, mutated.length - 16, 65_536, whole(random, 2 ** 31)]), place);
      return mutated;
    }
    default: {
      for (let flips = 1 + whole(random, 4); flips > 0; flips--) {
        const place = flips === 1 ? at : whole(random, Math.max(1, bytes.length));
        if (place < mutated.length) mutated[place] = random() < 0.5 ? mutated[place]! ^ (1 << whole(random, 8)) : whole(random, 256);
      }
      return mutated;
    }
  }
}

const strangeValues = [
  "0", "-1", "1", "1e308", "1.5", "9007199254740991", "9007199254740993", "65536", "1099511627776", "null", "true", "[]", "{}", '""', '"a/../b"', '"\\u0000"', '"__proto__"', "NaN", "-Infinity",
  '"int8"', '"<i8"', '">f8"', '"|S1"', '"|S70000"', '"|S2000000000"', '"<U1"', '"<U500000000"', '"datetime64[ns]"', '"datetime64[as]"', '"datetime64[Y]"', '"timedelta64[s]"', '"float16"', '"bool"', '"object"', '"M8[9999999999s]"',
];

/** A value or name in JSON is another, twice there, or gone. */
function mutateText(bytes: Buffer, random: Random): Buffer {
  const tokens = bytes.toString("latin1").split(/("(?:[^"\\]|\\.)*"|-?[0-9.]+)/);
  const at = Math.min(tokens.length - 1, 1 + 2 * whole(random, tokens.length >> 1));
  const value = draw(random, strangeValues);
  switch (whole(random, 4)) {
    case 0: tokens[at] = ""; break;
    case 1: tokens[at] = `${tokens[at]}, ${random() < 0.5 ? tokens[at] : value}`; break;
    default: tokens[at] = value;
  }
  return Buffer.from(tokens.join(""), "latin1");
}

interface Kept {
  readonly table: string;
  readonly column: string;
  /** What is read of the column as it should be. */
  readonly batches: readonly Batch[];
  readonly files: readonly { readonly path: string; readonly bytes: Buffer }[];
}

/** A column that is large enough for what is derived from it to be kept, with that. */
function openKept(fixtures: string): Kept {
  const table = join(fixtures, "multiblock_lz4.bcolz");
  const past = new Date("2020-01-01T00:00:00Z");
  for (const entry of readdirSync(table, { recursive: true, encoding: "utf8" })) utimesSync(join(table, entry), past, past);
  const open = openTable(table);
  const column = open.columns.find(({ dtype }) => dtype === "string")!.name;
  open.close();
  const batches = readColumn(table, column, createDecoder());
  const files = readdirSync(join(table, ".bqueryd"), { recursive: true, encoding: "utf8" }).map((name) => join(table, ".bqueryd", name)).filter((path) => statSync(path).isFile());
  return { table, column, batches, files: files.map((path) => ({ path, bytes: readFileSync(path) })) };
}

function mutateKept({ table, column, batches, files }: Kept, random: Random, decoder: Decoder): string | undefined {
  for (const { path, bytes } of files) writeFileSync(path, bytes);
  const { path, bytes } = draw(random, files);
  writeFileSync(path, mutateBytes(bytes, random));
  return isDeepStrictEqual(readColumn(table, column, decoder), batches) ? undefined : `${path} mutated changes the values of '${column}'`;
}

function readColumn(path: string, name: string, decoder: Decoder): Batch[] {
  const table = openTable(path);
  try {
    const column = table.column(name);
    return Array.from({ length: column.chunkCount }, (_, chunk) => readChunk(column, chunk, decoder));
  } finally {
    table.close();
  }
}

function whole(random: Random, below: number): number {
  return Math.floor(random() * below);
}

function draw<T>(random: Random, from: readonly T[]): T {
  return from[whole(random, from.length)]!;
}
