/** Tables of which nobody holds the generation in use: a call for one is told so, and none is answered from another generation. */
import { BquerydError } from "../../../base/errors.js";
import { formatNames } from "../../../base/quantities.js";
import { findTableName, isNamedBy } from "../../../columns/names.js";
import type { TableIndex } from "../../../columns/resolve-tables.js";
import type { Holding } from "../../../wire/messages.js";
import type { Pointed } from "./generations.js";

/** Names listed in an error. */
const namesMax = 5;

/** The names that have a pointer and no holding to read. */
export function absentOf(pointed: Pointed, chosen: ReadonlyMap<string, Holding>): string[] {
  return [...pointed.keys()].filter((name) => !chosen.has(name));
}

/** Those of them that a call means. A call may name very many tables, and few patterns. */
export function namedAbsent(absent: readonly string[], tables: readonly string[]): string[] {
  if (absent.length === 0) return [];
  const names = new Set(tables);
  const globs = tables.filter((text) => text.includes("*"));
  return absent.filter((name) => names.has(name) || names.has(findTableName(name)?.base ?? name) || globs.some((glob) => isNamedBy(name, glob)));
}

/** The tables of a call but for those that mean nothing else than what is absent. */
export function withoutAbsent(tables: readonly string[], absent: readonly string[], { directories, families }: TableIndex): string[] {
  const names = new Set(absent.flatMap((name) => [name, findTableName(name)?.base ?? name]));
  return tables.filter((text) => {
    if (text.includes("*")) return [...directories.keys()].some((name) => isNamedBy(name, text)) || !absent.some((name) => isNamedBy(name, text));
    return directories.has(text) || families.has(text) || !names.has(text);
  });
}

/** SHARD_UNAVAILABLE: nobody has the generation that a pointer names. */
export function generationsAbsent(names: readonly string[]): BquerydError {
  const message = `no live worker holds the generation in use of ${formatNames(names, namesMax)}; start a worker whose data_dir has it, or ask again`;
  return new BquerydError("SHARD_UNAVAILABLE", message, { details: { shards: names.slice(0, namesMax) } });
}
