/** `bqueryd verify TABLE...`: whether every byte of tables is as it was written, and what is wrong. */
import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { BquerydError } from "../base/errors.js";
import { formatBytes, formatCounted } from "../base/quantities.js";
import { escapeUnprintable } from "../base/text-width.js";
import { holdsTable } from "../columns/directory/current.js";
import { findTableName, shardOrder } from "../columns/names.js";
import type { Finding, Verification } from "../columns/verify/verification.js";
import { verifyTable } from "../columns/verify/verify.js";
import { findTables } from "../columns/find-tables.js";
import { whileUninterrupted } from "./interruption.js";
import { outliveReader } from "./output.js";
import { startProgress } from "./progress.js";

/** Exit code for a table that is damaged. */
const damagedExitCode = 65;

/** Adds `verify` to the program. */
export function addVerifyCommand(program: Command): void {
  program
    .command("verify")
    .description("read every byte of tables DIR/NAME.bcolz or sets DIR/NAME, and tell what is damaged; changes nothing")
    .usage("[options] TABLE...")
    .argument("<tables...>", "table directories, or DIR/NAME for all shards of NAME")
    .option("--json", "print one JSON object, and no progress")
    .action(runVerify);
}

async function runVerify(tables: readonly string[], { json = false }: { readonly json?: boolean }): Promise<void> {
  outliveReader();
  const verifications = await whileUninterrupted(async (signal) => {
    const paths = await Promise.all(tables.map((table) => findEvenDamaged(resolve(table))));
    return verifyAll(paths.flat(), { json, signal });
  });
  const isWhole = verifications.every(({ findings }) => findings.length === 0);
  if (json) process.stdout.write(`${JSON.stringify({ whole: isWhole, tables: verifications })}\n`);
  if (!isWhole) process.exitCode = damagedExitCode;
}

async function verifyAll(paths: readonly string[], { json, signal }: { json: boolean; signal: AbortSignal }): Promise<Verification[]> {
  const verifications: Verification[] = [];
  for (const path of paths) {
    const progress = json ? undefined : startProgress(process.stderr);
    try {
      const verification = await verifyTable(path, { signal, onProgress: (done, total) => progress?.update({ label: basename(path), unit: "bytes", done, total }) });
      verifications.push(verification);
    } finally {
      progress?.stop();
    }
    if (!json) process.stdout.write(formatVerification(verifications.at(-1)!));
  }
  return verifications;
}

/** A line for each finding, or one that says that all is well. */
function formatVerification({ name, findings, files, bytes, generations, hasChecksums, refused }: Verification): string {
  const lines = [...findings.map(formatFinding), ...refused.map((column) => escapeUnprintable(`column '${column.name}' is ${column.reason}, and was not looked at`))];
  const left = lines.map((line) => `${name}: ${line}\n`).join("");
  if (findings.length > 0) return left;
  if (!hasChecksums) return `${name}: every chunk can be decoded, ${formatCounted(files, "file")}, ${formatBytes(bytes)}; bcolz keeps no checksums, which would tell whether values were changed\n${left}`;
  return `${name}: whole, ${formatCounted(files, "file")} of ${formatCounted(generations, "generation")}, ${formatBytes(bytes)}\n`;
}

function formatFinding({ file, column, chunk, offset, problem }: Finding): string {
  const place = [file, ...(column === null ? [] : [`column '${column}'`]), ...(chunk === null ? [] : [`chunk ${chunk}`]), ...(offset === null ? [] : [`byte ${offset}`])];
  return escapeUnprintable(`${place.join(", ")}: ${problem}`);
}

/** As `findTables`; where a table of that name is too damaged to say what set it is of, all of the name. */
async function findEvenDamaged(path: string): Promise<string[]> {
  try {
    return await findTables(path);
  } catch (cause) {
    if (!(cause instanceof BquerydError) || cause.code !== "CORRUPT_FOOTER") throw cause;
    const folder = dirname(path);
    const found = (await readdir(folder)).filter((entry) => findTableName(entry)?.base === basename(path) && holdsTable(join(folder, entry))).sort(shardOrder);
    if (found.length === 0) throw cause;
    return found.map((entry) => join(folder, entry));
  }
}
