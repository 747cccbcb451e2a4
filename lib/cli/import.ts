/** `bqueryd import IN... OUT`: files into a table or a set of shards. */
import { basename, dirname, join } from "node:path";
import { Option } from "commander";
import type { Command } from "commander";
import { BquerydError } from "../base/errors.js";
import { formatBytes, formatCount, formatCounted, formatSeconds } from "../base/quantities.js";
import { escapeUnprintable, truncateToWidth } from "../base/text-width.js";
import { importFormats } from "../formats/import/detect.js";
import type { ImportFormat } from "../formats/import/detect.js";
import { importFiles } from "../formats/import/import.js";
import type { ImportSummary } from "../formats/import/import.js";
import type { Namesakes } from "../formats/import/namesake.js";
import type { ImportOptions, ImportProgress } from "../formats/import/options.js";
import { encodingAdvice, isEncodingAtFault } from "../formats/import/rejects.js";
import { parseNames, parseTypes } from "./column-flags.js";
import { whileUninterrupted } from "./interruption.js";
import { readConfig } from "./options.js";
import { startProgress } from "./progress.js";
import type { ProgressState } from "./progress.js";
import { reportWarning } from "./report.js";

/** The flags as commander gives them. */
type ImportFlags = Omit<ImportOptions, "inputs" | "output" | "nulls" | "format" | "codec" | "keepGenerations" | "timeoutMs"> & {
  readonly null?: readonly string[];
  readonly format?: ImportFormat;
  readonly codec?: "lz4" | "zstd";
  readonly json?: boolean;
};

/** Cells of a terminal that the text of a rejected row may take. */
const rejectedTextCells = 60;

/** Adds `import` to the program. */
export function addImportCommand(program: Command): void {
  program
    .command("import")
    .description("import files into a table DIR/NAME.bcolz, or with --shards into a set of shards DIR/NAME")
    .usage("[options] IN... OUT")
    .argument("<paths...>", "the files or tables to read in their order, - for standard input, and last the table to write")
    .option("--append", "add the rows to the table, which is created when absent")
    .option("--replace", "take the place of tables of the same name")
    .addOption(new Option("--format <FORMAT>", "the format of the inputs (default: by name, else by content)").choices(importFormats))
    .option("--shards <N>", "cut the rows into N shards of equal size", (text) => parseCount("--shards", text))
    .option("--shard-rows <N>", "cut the rows into equal shards of at most N rows", (text) => parseCount("--shard-rows", text))
    .option("--sort <COLUMN>", "sort all rows by a column, ascending, nulls last")
    .option("--types <TYPES>", "dtypes of columns, c=dtype,... or a JSON object; a row with a value that does not fit is rejected", parseTypes)
    .option("--columns <NAMES>", "store only these columns, separated by commas or as a JSON list, in this order; names for text without a header", parseNames)
    .option("--delimiter <CHARACTER>", "what separates the fields of CSV, \\t for a tab (default: found out)", parseDelimiter)
    .option("--null <TEXT>", "a text that stands for a missing value, besides an unquoted empty field; may be repeated", (text, before: readonly string[] = []) => [...before, text])
    .addOption(new Option("--codec <CODEC>", "compress with lz4, which is faster, or zstd, which is smaller (default: lz4)").choices(["lz4", "zstd"]))
    .option("--rejects <FILE>", "write all rows that cannot be stored into a CSV file: input, line, reason, text")
    .option("--strict", "fail at the first row that cannot be stored")
    .option("--json", "print one JSON object when done, and no progress")
    .action(runImport);
}

async function runImport(paths: readonly string[], { null: nulls, json, ...flags }: ImportFlags, command: Command): Promise<void> {
  const config = readConfig(command);
  if (config === undefined) return;
  const output = paths.at(-1);
  if (output === undefined || paths.length < 2) {
    throw new BquerydError("USAGE", "import needs files to read and a table to write; see bqueryd import --help");
  }
  const options: ImportOptions = { ...flags, nulls, inputs: paths.slice(0, -1), output, keepGenerations: config.keepGenerations, timeoutMs: config.timeoutMs };
  const summary = await (json === true ? whileUninterrupted((signal) => importFiles({ ...options, signal })) : withProgress(options));
  process.stdout.write(json === true ? `${JSON.stringify(toJson(summary))}\n` : formatSummary(options, summary));
  if (json !== true) process.stderr.write(formatRejects(options, summary));
  for (const hint of summary.hints) reportWarning(escapeUnprintable(hint));
  if (summary.namesakes !== null) reportWarning(describeNamesakes(summary.namesakes));
  if (summary.endedOrder !== null) reportWarning(escapeUnprintable(`${output} is no longer sorted by '${summary.endedOrder}', as rows added to it do not follow that order; import all of it anew with --sort to have it sorted`));
}

function describeNamesakes({ name, table, set }: Namesakes): string {
  return `${name} is both the table ${table} and the set ${set} now, so that asking for ${name} is AMBIGUOUS_TABLE; ask for ${table} or '${set}', or remove one of them`;
}

async function withProgress(options: ImportOptions): Promise<ImportSummary> {
  const progress = startProgress(process.stderr);
  try {
    return await whileUninterrupted((signal) => importFiles({ ...options, signal, onProgress: (state) => progress.update(stateOf(state)) }));
  } finally {
    progress.stop();
  }
}

/** Where rows are not known, the bytes of the inputs tell how far it is. */
function stateOf({ phase, rows, totalRows, bytes, totalBytes }: ImportProgress): ProgressState {
  const label = phase === "reading" ? undefined : phase;
  if (phase === "copying") return { label, unit: "bytes", done: bytes, total: null };
  const fraction = totalRows !== null || totalBytes === null ? undefined : totalBytes === 0 ? 1 : bytes / totalBytes;
  return { label, unit: "rows", done: rows, total: totalRows, fraction };
}

function formatSummary({ inputs, output, shards, shardRows }: ImportOptions, summary: ImportSummary): string {
  const { rowsStored, rowsRead, rowsRejected, tables, seconds } = summary;
  const files = inputs.length === 1 ? nameOf(inputs[0]!) : formatCounted(inputs.length, "input");
  const sharded = shards !== undefined || shardRows !== undefined;
  const place = sharded ? `${formatCounted(tables.length, "shard")} of ${output}` : join(dirname(output), tables[0]!.name);
  const rate = `${formatSeconds(seconds)}, ${formatCounted(rowsStored / seconds, "row")}/s`;
  const lost = rowsRejected === 0 ? "" : ` of ${formatCount(rowsRead)} read, ${formatCount(rowsRejected)} rejected,`;
  return `${formatCounted(rowsStored, "row")}${lost} from ${files} into ${place}: ${formatBytes(totalBytes(summary))} (${rate})\n`;
}

/** What was not stored, and why; nothing when all was. */
function formatRejects({ rejects: file, inputs, append }: ImportOptions, { rowsRejected, rejects, mostlyRejected }: ImportSummary): string {
  if (rowsRejected === 0) return "";
  const lines = rejects.map(({ input, place, line, reason, text }) => `  ${escapeUnprintable(`${shortName(input, inputs)}, ${place} ${line}: ${reason}`)}: ${truncateToWidth(escapeUnprintable(text), rejectedTextCells)}`);
  const rest = rowsRejected - rejects.length;
  if (rest > 0) lines.push(`  and ${formatCount(rest)} more${file === undefined ? "; --rejects FILE writes them all" : ""}`);
  if (file !== undefined) lines.push(`  all of them are in ${file}`);
  if (isEncodingAtFault(rejects)) lines.push(`  ${encodingAdvice}`);
  if (append === true) lines.push("  a table that grows keeps its dtypes; to have others, import everything anew with --types");
  for (const input of mostlyRejected) lines.push(`  warning: most of the first rows of ${input} were rejected; check --format, --delimiter, --columns and --types`);
  return `rejected rows:\n${lines.join("\n")}\n`;
}

/** Without the folder, where no other input is called the same. */
function shortName(input: string, inputs: readonly string[]): string {
  const name = basename(input);
  return new Set(inputs.filter((other) => basename(other) === name)).size > 1 ? input : name;
}

function toJson(summary: ImportSummary): object {
  const { rowsRead, rowsStored, rowsRejected, rejects, mostlyRejected, hints, tables, seconds } = summary;
  return {
    rows_read: rowsRead, rows_stored: rowsStored, rows_rejected: rowsRejected, rows_per_second: seconds > 0 ? Math.round(rowsStored / seconds) : null,
    bytes: totalBytes(summary), seconds, tables, rejects, mostly_rejected: mostlyRejected, hints,
  };
}

function totalBytes({ tables }: ImportSummary): number {
  return tables.reduce((sum, table) => sum + table.bytes, 0);
}

function nameOf(input: string): string {
  return input === "-" ? "standard input" : input;
}

function parseCount(flag: string, text: string): number {
  const count = Number(text);
  if (/^[0-9]+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count;
  throw new BquerydError("USAGE", `${flag} takes a whole number above 0, not '${text}'; correct it`);
}

function parseDelimiter(text: string): string {
  return text === "\\t" ? "\t" : text;
}
