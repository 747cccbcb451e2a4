/** `bqueryd import IN... OUT`: files into a table or a set of shards. */
import { dirname, join } from "node:path";
import { Option } from "commander";
import type { Command } from "commander";
import { BquerydError } from "../base/errors.js";
import { formatBytes, formatCount, formatSeconds } from "../base/quantities.js";
import { importFiles, importFormats } from "../formats/import.js";
import type { ImportFormat, ImportOptions, ImportSummary } from "../formats/import.js";
import { startProgress } from "./progress.js";

/** The flags as commander gives them. */
interface ImportFlags {
  readonly shards?: number;
  readonly shardRows?: number;
  readonly columns?: string[];
  readonly replace?: boolean;
  readonly format?: ImportFormat;
  readonly json?: boolean;
}

/** Adds `import` to the program. */
export function addImportCommand(program: Command): void {
  program
    .command("import")
    .description("import files into a table DIR/NAME.bcolz, or with --shards into a set of shards DIR/NAME")
    .usage("[options] IN... OUT")
    .argument("<paths...>", "the files to read in their order, and last the table to write")
    .option("--shards <N>", "cut the rows into N shards of equal size", (text) => parseCount("--shards", text))
    .option("--shard-rows <N>", "cut the rows into equal shards of at most N rows", (text) => parseCount("--shard-rows", text))
    .option("--columns <NAMES>", "store only these columns, separated by commas, in this order", (text) => text.split(","))
    .option("--replace", "take the place of tables of the same name")
    .addOption(new Option("--format <FORMAT>", "the format of the files").choices(importFormats))
    .option("--json", "print one JSON object when done, and no progress")
    .action(runImport);
}

async function runImport(paths: readonly string[], flags: ImportFlags): Promise<void> {
  const output = paths.at(-1);
  if (output === undefined || paths.length < 2) {
    throw new BquerydError("USAGE", "import needs files to read and a table to write; see bqueryd import --help");
  }
  const options = { ...flags, inputs: paths.slice(0, -1), output };
  const summary = await (flags.json === true ? whileUninterrupted(options) : withProgress(options));
  process.stdout.write(flags.json === true ? `${JSON.stringify(toJson(summary))}\n` : `${formatSummary(options, summary)}\n`);
}

async function withProgress(options: ImportOptions): Promise<ImportSummary> {
  const progress = startProgress(process.stderr);
  try {
    return await whileUninterrupted({ ...options, onProgress: (rows, totalRows) => progress.update(rows, totalRows) });
  } finally {
    progress.stop();
  }
}

/** Ctrl-C and SIGTERM end the import cleanly; a second one ends the process at once. */
async function whileUninterrupted(options: ImportOptions): Promise<ImportSummary> {
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    return await importFiles({ ...options, signal: interruption.signal });
  } finally {
    process.removeListener("SIGINT", interrupt).removeListener("SIGTERM", interrupt);
  }
}

function formatSummary({ inputs, output, shards, shardRows }: ImportOptions, summary: ImportSummary): string {
  const { rowsStored, tables, seconds } = summary;
  const files = inputs.length === 1 ? inputs[0]! : `${formatCount(inputs.length)} files`;
  const sharded = shards !== undefined || shardRows !== undefined;
  const place = sharded ? `${formatCount(tables.length)} shard${tables.length === 1 ? "" : "s"} of ${output}` : join(dirname(output), tables[0]!.name);
  const rate = `${formatSeconds(seconds)}, ${formatCount(rowsStored / seconds)} rows/s`;
  return `${formatCount(rowsStored)} rows from ${files} into ${place}: ${formatBytes(totalBytes(summary))} (${rate})`;
}

function toJson(summary: ImportSummary): object {
  const { rowsRead, rowsStored, tables, seconds } = summary;
  return { rows_read: rowsRead, rows_stored: rowsStored, bytes: totalBytes(summary), seconds, tables };
}

function totalBytes({ tables }: ImportSummary): number {
  return tables.reduce((sum, table) => sum + table.bytes, 0);
}

function parseCount(flag: string, text: string): number {
  const count = Number(text);
  if (/^[0-9]+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count;
  throw new BquerydError("USAGE", `${flag} takes a whole number above 0, not '${text}'; correct it`);
}
