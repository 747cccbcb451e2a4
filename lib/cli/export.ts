/** `bqueryd export TABLE OUT`: a table or a set of shards into a file of another format. */
import { resolve } from "node:path";
import { Option } from "commander";
import type { Command } from "commander";
import { formatBytes, formatCounted, formatSeconds } from "../base/quantities.js";
import type { FoundTable } from "../columns/read/one-set.js";
import { openTable } from "../columns/read/open.js";
import { parseWhere } from "../engine/query/where.js";
import { createSelector } from "../engine/where/select.js";
import { exportFormats } from "../formats/export/formats.js";
import type { ExportFormat } from "../formats/export/formats.js";
import { exportTables } from "../formats/export/export.js";
import type { ExportOptions, ExportSummary } from "../formats/export/export.js";
import { parseNames } from "./column-flags.js";
import { findSetTables } from "../columns/find-tables.js";
import { whileUninterrupted } from "./interruption.js";
import { startProgress } from "./progress.js";
import { parseWhereFlag } from "./where-flags.js";

/** The flags as commander gives them. */
interface ExportFlags {
  readonly format?: ExportFormat;
  readonly columns?: readonly string[];
  readonly where?: readonly string[];
  readonly replace?: boolean;
  readonly json?: boolean;
}

/** Adds `export` to the program. */
export function addExportCommand(program: Command): void {
  program
    .command("export")
    .description("export a table DIR/NAME.bcolz, or a set of shards DIR/NAME, to a file; its extension tells the format")
    .usage("[options] TABLE OUT")
    .argument("<table>", "a table directory, or DIR/NAME for all shards of NAME")
    .argument("<out>", "the file to write, or a directory NAME.bcolz for bcolz; - for standard output")
    .addOption(new Option("--format <FORMAT>", "the format of the file (default: by its extension)").choices(exportFormats))
    .option("--columns <NAMES>", "export only these columns, separated by commas or as a JSON list, in this order", parseNames)
    .option("--where <TERMS>", "export only rows for which this is true: 'a > 5', 'a is null', or JSON as groupby takes it; may be repeated", (text, before: readonly string[] = []) => [...before, text])
    .option("--replace", "take the place of a file of that name")
    .option("--json", "print one JSON object when done, and no progress")
    .action(runExport);
}

async function runExport(table: string, output: string, { where = [], json, ...flags }: ExportFlags): Promise<void> {
  const summary = await whileUninterrupted(async (signal) => {
    const find = (): Promise<FoundTable[]> => findSetTables(resolve(table));
    const options: ExportOptions = { ...flags, tables: find, output, select: await selectorOf(where, find), signal };
    return json === true ? exportTables(options) : withProgress(options);
  });
  // Standard output belongs to the rows when they go there.
  const report = output === "-" ? process.stderr : process.stdout;
  report.write(json === true ? `${JSON.stringify(summary)}\n` : formatSummary(table, output, summary));
}

/** Conditions are read with the columns of the first table, which all shards of a set have. */
async function selectorOf(where: readonly string[], find: () => Promise<FoundTable[]>): Promise<ExportOptions["select"]> {
  const [first] = where.length === 0 ? [] : await find();
  if (first === undefined) return undefined;
  const table = openTable(first.path);
  try {
    const condition = parseWhere(where.flatMap((text) => parseWhereFlag(text, table.columns)));
    return condition === null ? undefined : createSelector(condition);
  } finally {
    table.close();
  }
}

async function withProgress(options: ExportOptions): Promise<ExportSummary> {
  const progress = startProgress(process.stderr);
  try {
    return await exportTables({ ...options, onProgress: (done, total) => progress.update({ unit: "rows", done, total }) });
  } finally {
    progress.stop();
  }
}

function formatSummary(table: string, output: string, { rows, bytes, seconds }: ExportSummary): string {
  const place = output === "-" ? "standard output" : output;
  return `${formatCounted(rows, "row")} from ${table} into ${place}: ${formatBytes(bytes)} (${formatSeconds(seconds)}, ${formatCounted(rows / seconds, "row")}/s)\n`;
}
