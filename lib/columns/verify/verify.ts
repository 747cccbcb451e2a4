/** Verifying a table: every byte that a kept generation names is read, hashed and decoded, and what is wrong is located. */
import { basename, join, resolve } from "node:path";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError, readAtMost } from "../../base/files.js";
import { limits } from "../../base/limits.js";
import { isBcolz } from "../bcolz/directory.js";
import { footerName } from "../directory/collect.js";
import { readCurrent } from "../directory/current.js";
import { chunkRows } from "../dtypes.js";
import { currentName, decodeFooter, type Footer, type FooterColumn } from "../files/footer.js";
import { pinGeneration, type Pin } from "../directory/pins.js";
import { verifyBcolz } from "./bcolz.js";
import type { VerifyJob } from "./jobs.js";
import { runJobs } from "./pool.js";
import type { Finding, Verification, VerifyOptions } from "./verification.js";

/** A generation whose footer is whole. */
interface Kept {
  readonly generation: string;
  readonly footer: Footer;
}

/** Chunks of one job, so that threads end at about the same time. */
const jobChunksMax = 128;

/**
 * Verifies the table in a directory: CURRENT, the footers of all kept generations, length and SHA-256 of every file, and
 * every index, dictionary and chunk; of a table of bcolz every chunk. Changes nothing. Throws NOT_FOUND where there is no
 * table, CANCELLED, UNSUPPORTED_FORMAT for a table of a newer release and for a bare array of bcolz, IO.
 */
export async function verifyTable(path: string, options: VerifyOptions = {}): Promise<Verification> {
  const directory = resolve(path);
  return isBcolz(directory) ? verifyBcolz(directory, options) : verifyOwn(directory, options);
}

async function verifyOwn(directory: string, { onProgress, signal }: VerifyOptions): Promise<Verification> {
  const name = basename(directory);
  const pins: Pin[] = [];
  try {
    const findings: Finding[] = [];
    const generations = findGenerations(directory, name, findings);
    for (const generation of generations) pins.push(pinGeneration(directory, generation));
    const kept = generations.flatMap((generation) => findKept(directory, name, generation, findings));
    const jobs = planJobs(kept);
    const totalBytes = jobs.reduce((sum, job) => sum + job.bytes, 0);
    let bytesDone = 0;
    findings.push(...await runJobs(jobs, {
      directory, signal,
      onBytes(bytes) {
        bytesDone += bytes;
        onProgress?.(bytesDone, totalBytes);
      },
    }));
    const files = jobs.filter((job) => job.kind === "hash");
    return { name, generations: generations.length, files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), hasChecksums: true, refused: [], findings: mergeFindings(findings) };
  } finally {
    for (const pin of pins) pin.release();
  }
}

/** The generations that CURRENT names; none, and a finding, when it is damaged. */
function findGenerations(directory: string, name: string, findings: Finding[]): string[] {
  try {
    return readCurrent(directory, name);
  } catch (cause) {
    if (!(cause instanceof BquerydError) || cause.code !== "CORRUPT_FOOTER") throw cause;
    findings.push(ofTable(currentName, "is not a list of generations"));
    return [];
  }
}

function findKept(directory: string, name: string, generation: string, findings: Finding[]): Kept[] {
  const file = footerName(generation);
  try {
    return [{ generation, footer: decodeFooter(readAtMost(join(directory, file), limits.footerBytesMax), generation, name) }];
  } catch (cause) {
    if (isSystemError(cause, "ENOENT")) {
      findings.push(ofTable(file, "is missing, though CURRENT names it"));
      return [];
    }
    const failure = toBquerydError(cause, `read the footer of ${name}`);
    if (failure.code !== "CORRUPT_FOOTER") throw failure;
    findings.push(ofTable(file, "its SHA-256 differs"));
    return [];
  }
}

function ofTable(file: string, problem: string): Finding {
  return { file, column: null, chunk: null, offset: null, problem };
}

/** Every file is hashed once, and every chunk decoded once, in however many generations it is. */
function planJobs(kept: readonly Kept[]): VerifyJob[] {
  const jobs = new Map<string, VerifyJob>();
  for (const { footer } of kept) {
    const columnOf = columnsByFile(footer);
    for (const { name, bytes, sha256 } of footer.files) jobs.set(name, { kind: "hash", file: name, bytes, sha256, column: columnOf.get(name) ?? null });
  }
  return [...jobs.values(), ...planDecodes(kept)];
}

/** The column of each file that only one has. */
function columnsByFile(footer: Footer): Map<string, string | null> {
  const columns = new Map<string, string | null>();
  for (const column of footer.columns) {
    for (const file of filesOf(footer, column)) columns.set(file, columns.has(file) ? null : column.name);
  }
  return columns;
}

function filesOf(footer: Footer, { segments, dictionary }: FooterColumn): Set<string> {
  const files = new Set(segments.flatMap(({ data, index }) => [data, index]));
  return dictionary === null ? files : files.add(footer.dictionaries[dictionary]!.file);
}

/** A segment as the generation has it that uses most of it. */
interface UsedSegment {
  readonly generation: string;
  readonly column: number;
  readonly firstChunk: number;
  readonly rows: number;
  readonly bytes: number;
}

function planDecodes(kept: readonly Kept[]): VerifyJob[] {
  const segments = new Map<string, UsedSegment>();
  for (const { generation, footer } of kept) {
    const sizes = new Map(footer.files.map(({ name, bytes }) => [name, bytes]));
    for (const [column, { dtype, dictionary, segments: all }] of footer.columns.entries()) {
      let firstChunk = 0;
      for (const { data, index, rows } of all) {
        const key = `${dtype} ${dictionary === null ? "" : footer.dictionaries[dictionary]!.file} ${data} ${index}`;
        if (rows > (segments.get(key)?.rows ?? 0)) segments.set(key, { generation, column, firstChunk, rows, bytes: sizes.get(data)! });
        firstChunk += Math.ceil(rows / chunkRows);
      }
    }
  }
  return [...segments.values()].flatMap(cutSegment);
}

function cutSegment({ generation, column, firstChunk, rows, bytes }: UsedSegment): VerifyJob[] {
  const chunks = Math.ceil(rows / chunkRows);
  const jobs: VerifyJob[] = [];
  for (let from = 0; from < chunks; from += jobChunksMax) {
    const to = Math.min(chunks, from + jobChunksMax);
    jobs.push({ kind: "decode", generation, column, from: firstChunk + from, to: firstChunk + to, bytes: Math.round(bytes * (to - from) / chunks) });
  }
  return jobs;
}

/** Of a file, the chunks that are damaged say more than that its hash differs; and each thing is told once. */
function mergeFindings(findings: readonly Finding[]): Finding[] {
  const byFile = new Map<string, Finding[]>();
  for (const finding of findings) byFile.set(finding.file, [...(byFile.get(finding.file) ?? []), finding]);
  return [...byFile.values()].flatMap((ofFile) => {
    const chunks = ofFile.filter(({ chunk }) => chunk !== null);
    if (chunks.length === 0) return ofFile.slice(0, 1);
    const unique = new Map(chunks.map((finding) => [`${finding.column} ${finding.chunk}`, finding]));
    return [...unique.values()].sort((a, b) => a.chunk! - b.chunk!);
  });
}
