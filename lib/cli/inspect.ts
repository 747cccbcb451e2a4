/** `bqueryd inspect`: what is in a table or a set of shards, and how it is stored. */
import { basename, resolve } from "node:path";
import type { Command } from "commander";
import { inspectTable } from "../columns/read/inspect.js";
import { takeOneSet } from "../columns/read/one-set.js";
import { findSetTables } from "../columns/find-tables.js";
import { formatInspection, inspectionToJson, joinInspections } from "./inspection.js";

/** Adds `inspect` to the program. */
export function addInspectCommand(program: Command): void {
  program
    .command("inspect")
    .description("show the columns of a table DIR/NAME.bcolz or of a set of shards DIR/NAME, and how they are stored")
    .usage("[options] TABLE")
    .argument("<table>", "a table directory, or DIR/NAME for all shards of NAME")
    .option("--json", "print one JSON object")
    .action(runInspect);
}

async function runInspect(table: string, flags: { readonly json?: boolean }): Promise<void> {
  const path = resolve(table);
  const tables = await takeOneSet(() => findSetTables(path), { take: inspectTable, setOf: ({ set }) => set, drop: () => undefined });
  const inspection = joinInspections(basename(path), tables);
  process.stdout.write(flags.json === true ? `${JSON.stringify(inspectionToJson(inspection))}\n` : formatInspection(inspection, process.stdout.columns ?? 80));
}
