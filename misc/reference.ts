/** Writes what documents the tables in the code: misc/bqueryd.cfg, and the tables between markers in README.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { configKeys } from "../lib/base/config-keys.js";
import { flagOf } from "../lib/base/config.js";
import { errorCodes } from "../lib/base/errors.js";
import { arityOf, functionNames } from "../lib/engine/expressions/functions.js";

/** The sample configuration: every key with what it means, commented out. */
export function sampleConfig(): string {
  const keys = Object.values(configKeys).map(({ name, description, defaultText }) => `; ${description}\n; default: ${defaultText}\n; ${name} =\n`);
  return `; A configuration of bqueryd. Copy it to /etc/bqueryd.cfg, or name it with --config, and take away the ';' before
; the keys you set. Variables BQUERYD_<KEY> win over files, flags over variables. Sizes have a unit (512MB, 1GB),
; durations are in seconds. See what is in force with: bqueryd --print-config

${keys.join("\n")}`;
}

/** A README with its generated tables as the code has them now. */
export function withTables(readme: string): string {
  const tables = { configuration: configTable(), functions: functionTable(), errors: errorTable() };
  return Object.entries(tables).reduce((text, [name, table]) => replaceSection(text, name, table), readme);
}

function configTable(): string {
  const rows = Object.values(configKeys).map(({ name, description, defaultText }) => `| \`${name}\` | \`${flagOf(name)}\` | ${description} | ${defaultText} |`);
  return ["| key | flag | meaning | default |", "|---|---|---|---|", ...rows].join("\n");
}

/** Functions that take the same share a row. */
function functionTable(): string {
  const kinds = [...new Set(functionNames.map((name) => arityOf(name).takes))];
  const rows = kinds.map((takes) => `| ${functionNames.filter((name) => arityOf(name).takes === takes).map((name) => `\`${name}\``).join(", ")} | ${takes} |`);
  return ["| function | takes |", "|---|---|", ...rows].join("\n");
}

function errorTable(): string {
  const rows = Object.entries(errorCodes).map(([code, { retry, exitCode }]) => `| \`${code}\` | ${exitCode} | ${retry} |`);
  return ["| code | exit code | ask again |", "|---|---|---|", ...rows].join("\n");
}

function replaceSection(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name}: made by npm run reference -->`, `<!-- end of ${name} -->`];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from === -1 || to < from) throw new Error(`README.md has no section ${name}`);
  return `${text.slice(0, from)}${begin}\n${content}\n${text.slice(to)}`;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const root = new URL("../../", import.meta.url);
  const readme = new URL("README.md", root);
  writeFileSync(readme, withTables(readFileSync(readme, "utf8")));
  writeFileSync(new URL("misc/bqueryd.cfg", root), sampleConfig());
}
