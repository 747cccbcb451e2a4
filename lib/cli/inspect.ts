/** `bqueryd inspect`: what is in a table or a set of shards, and how it is stored. */
import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { BquerydError, toBquerydError } from "../base/errors.js";
import { isSystemError } from "../base/files.js";
import { describeTable } from "../columns/describe.js";
import { inspectTable } from "../columns/inspect.js";
import { findTableName, isTableName, parseTableName, resolveTables } from "../columns/names.js";
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
  const tables = (await findTables(path)).map(inspectTable);
  const inspection = joinInspections(basename(path), tables);
  process.stdout.write(flags.json === true ? `${JSON.stringify(inspectionToJson(inspection))}\n` : formatInspection(inspection));
}

/** The directories that a path stands for: itself when it names a table, else the table or shards of that name. */
async function findTables(path: string): Promise<string[]> {
  const name = basename(path);
  const folder = dirname(path);
  if (isTableName(name)) return [path];
  parseTableName(`${name}.bcolz`);
  const entries = await readdir(folder).catch((cause: unknown) => {
    if (!isSystemError(cause, "ENOENT")) throw toBquerydError(cause, `look for ${name}`);
    throw new BquerydError("NOT_FOUND", `folder ${folder} does not exist; check the path`, { details: { path: folder }, cause });
  });
  const available = entries.filter(isTableName).map((entry) => {
    // Other names are there to be suggested; whether they can be read does not matter.
    const set = findTableName(entry)?.base === name ? describeTable(join(folder, entry)).set : null;
    return { name: entry, set };
  });
  return resolveTables([name], available).map((entry) => join(folder, entry));
}
