/** Every generation of a table that can be read, in short: the current one, those that are kept and those that wait to be current. */
import { statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { BquerydError } from "../../base/errors.js";
import { isBcolz } from "../bcolz/directory.js";
import { notATable, readCurrent } from "../directory/current.js";
import { readPrepared } from "../files/prepared.js";
import { changedMsOf, describeFooter, describeTable, type TableDescription } from "./describe.js";
import { readFooter } from "./open.js";

/** What never changes about a generation. */
export interface GenerationFacts extends Pick<TableDescription, "generation" | "rows" | "bytes" | "set"> {
  readonly columns: { readonly name: string; readonly dtype: string }[];
  /** When its footer was written, or came to this machine, ms since 1970 by this machine's clock; 0 while it waits to be current for the first time. */
  readonly writtenMs: number;
}

/** A generation that can be read. */
export interface GenerationDescription extends GenerationFacts {
  /** It is not in CURRENT: it waits until it is made the current one. */
  readonly prepared?: true;
}

/** A table with every generation that can be read. */
export interface TableGenerations extends GenerationDescription, Pick<TableDescription, "name" | "changedMs"> {
  /** Those that wait, then those that were current before, the latest first. */
  readonly kept?: GenerationDescription[];
}

/** Generations of one table that are described beside the current one: each is a file to be read. */
const keptMax = 100;

/**
 * Describes a table with its generations, from their footers alone; those in `known` are taken from there, and of those
 * beside the current one what cannot be read is left out. Where none is current yet the first that waits stands in its
 * place, `prepared`. Blocks shortly. Throws as describeTable.
 */
export function describeGenerations(path: string, known: readonly GenerationFacts[]): TableGenerations {
  if (isBcolz(path)) {
    const table = describeTable(path);
    return { ...table, writtenMs: table.changedMs };
  }
  const directory = resolve(path);
  const name = basename(directory);
  // Before CURRENT: what leaves the one is in the other by then.
  const waiting = findWaiting(directory);
  const [current, ...kept] = findCurrent(directory, name, waiting.length > 0);
  const describe = (generation: string): GenerationFacts => {
    const facts = known.find((one) => one.generation === generation);
    if (facts === undefined) return describeGeneration(directory, name, generation);
    return facts.writtenMs > 0 ? facts : { ...facts, writtenMs: writtenMsOf(directory, generation) };
  };
  const newer = waiting.filter((generation) => generation !== current && !kept.includes(generation));
  const beside = [...newer, ...kept].slice(0, keptMax).flatMap((generation): GenerationDescription[] => {
    try {
      return [newer.includes(generation) ? { ...describe(generation), prepared: true } : describe(generation)];
    } catch {
      return []; // Whoever asks for it is told why.
    }
  });
  if (current !== undefined) {
    return { name, ...describe(current), changedMs: changedMsOf(directory), ...(beside.length === 0 ? {} : { kept: beside }) };
  }
  const [first, ...more] = beside;
  if (first === undefined) throw notATable(directory);
  return { name, ...first, changedMs: first.writtenMs, ...(more.length === 0 ? {} : { kept: more }) };
}

/** The generations in PREPARED, the latest first. One that is damaged is told to whoever writes there: the table can do without. */
function findWaiting(directory: string): string[] {
  try {
    return [...new Set(readPrepared(directory).map(({ generation }) => generation))].reverse();
  } catch (cause) {
    if (cause instanceof BquerydError && cause.code === "CORRUPT_FOOTER") return [];
    throw cause;
  }
}

/** The generations in CURRENT; none where there may be no such file and is none. */
function findCurrent(directory: string, name: string, mayLack: boolean): string[] {
  try {
    return readCurrent(directory, name);
  } catch (cause) {
    if (mayLack && cause instanceof BquerydError && cause.code === "NOT_FOUND") return [];
    throw cause;
  }
}

function describeGeneration(directory: string, name: string, generation: string): GenerationFacts {
  const described = describeFooter(readFooter(directory, name, generation));
  return { generation, ...described, writtenMs: writtenMsOf(directory, generation) };
}

function writtenMsOf(directory: string, generation: string): number {
  return statSync(join(directory, `${generation}.json`)).mtimeMs;
}
