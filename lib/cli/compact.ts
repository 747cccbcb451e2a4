/** `bqueryd compact TABLE...`: many small files of tables joined into few. */
import { basename, resolve } from "node:path";
import type { Command } from "commander";
import { formatBytes, formatCount, formatCounted } from "../base/quantities.js";
import { compactTable, type Compaction } from "../columns/write/compact.js";
import { findTables } from "../columns/find-tables.js";
import { whileUninterrupted } from "./interruption.js";
import { readConfig } from "./options.js";
import { startProgress } from "./progress.js";

/** Adds `compact` to the program. */
export function addCompactCommand(program: Command): void {
  program
    .command("compact")
    .description("join what appends have written into one file a column, for tables DIR/NAME.bcolz or sets DIR/NAME")
    .usage("[options] TABLE...")
    .argument("<tables...>", "table directories, or DIR/NAME for all shards of NAME")
    .option("--json", "print one JSON object, and no progress")
    .action(runCompact);
}

async function runCompact(tables: readonly string[], { json = false }: { readonly json?: boolean }, command: Command): Promise<void> {
  const config = readConfig(command);
  if (config === undefined) return;
  const { keepGenerations, timeoutMs } = config;
  const compactions = await whileUninterrupted(async (signal) => {
    const paths = await Promise.all(tables.map((table) => findTables(resolve(table))));
    return compactAll(paths.flat(), { json, keepGenerations, timeoutMs, signal });
  });
  if (json) process.stdout.write(`${JSON.stringify({ tables: compactions.map(toJson) })}\n`);
}

async function compactAll(paths: readonly string[], { json, signal, ...kept }: { json: boolean; keepGenerations: number; timeoutMs: number; signal: AbortSignal }): Promise<Compaction[]> {
  const compactions: Compaction[] = [];
  for (const path of paths) {
    const progress = json ? undefined : startProgress(process.stderr);
    try {
      const compaction = await compactTable(path, { ...kept, signal, onProgress: (done, total) => progress?.update({ label: basename(path), unit: "bytes", done, total }) });
      // A path that is a link leads to a table that may be called otherwise.
      compactions.push({ ...compaction, name: basename(path) });
    } finally {
      progress?.stop();
    }
    if (!json) process.stdout.write(formatCompaction(compactions.at(-1)!));
  }
  return compactions;
}

function formatCompaction({ name, isNew, filesBefore, files, rows, bytes }: Compaction): string {
  if (!isNew) return `${name}: nothing to join, ${formatCounted(files, "file")}\n`;
  return `${name}: ${formatCounted(filesBefore, "file")} became ${formatCount(files)}, ${formatCounted(rows, "row")}, ${formatBytes(bytes)}\n`;
}

function toJson({ name, generation, isNew, rows, filesBefore, files, bytes }: Compaction): object {
  return { name, generation, compacted: isNew, rows, files_before: filesBefore, files, bytes };
}
