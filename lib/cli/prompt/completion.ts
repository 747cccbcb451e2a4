/** What Tab offers at the prompt: verbs, options, tables, columns, and what else stands in the arguments of groupby. */
import { logLevels } from "../../base/config-keys.js";
import { functionNames } from "../../engine/expressions/functions.js";
import { measureOps } from "../../engine/query/measures.js";
import { isVerbName, listNames, optionNames } from "../../client/option-names.js";
import type { TableInfo } from "../../wire/documents.js";
import { readLine, type CallPlace, type PlacedText, type Step } from "./line-place.js";

/** What is known when Tab is pressed. */
export interface KnownNames {
  readonly verbs: readonly string[];
  readonly tables: readonly Pick<TableInfo, "table" | "columns">[];
}

/** What may stand at the cursor: words that begin as what is there, which they replace. */
export interface Completion {
  readonly words: readonly string[];
  readonly typed: string;
}

const conditionOps = ["==", "!=", "<", "<=", ">", ">=", "in", "not in", "between", "not between", "like", "not like", "is null", "is not null"];
/** Of options that take some words. */
const wordsOf: Readonly<Record<string, readonly string[]>> = { missing: ["error", "empty"], partial: ["error", "allow"], cache: ["columns"] };
const parameters = ["bins", "by", "error", "high", "k", "low", "p"];
const nameInExpression = /[\p{L}_][\p{L}\p{N}_]*$/u;

/**
 * What may stand at the end of a line, the cursor; undefined where nothing of ours does, as in JavaScript beside the calls
 * of `rpc`. Columns are those of the tables that the line names; of all where it names none that is known.
 */
export function completeLine(line: string, known: KnownNames): Completion | undefined {
  const { place, openText, texts } = readLine(line);
  if (openText === undefined) {
    const member = /\brpc\s*\.\s*([\w$]*)$/.exec(line)?.[1];
    if (member !== undefined) return startingWith(member, known.verbs);
    const names = place === undefined ? undefined : namesFor(place);
    return names === undefined ? undefined : startingWith(/[\w$]*$/.exec(line)?.[0] ?? "", names);
  }
  if (place?.verb === "loglevel" && place.steps.length === 1) return startingWith(openText, logLevels);
  if (place?.verb === "distribute" && place.steps[0]?.index === 0) return startingWith(openText, known.tables.map(({ table }) => table));
  if (place?.verb === "generations" || place?.verb === "rollback") return place.steps.length === 1 && place.steps[0]?.index === 0 ? startingWith(openText, known.tables.map(({ table }) => table)) : undefined;
  if (place === undefined || !isQuery(place)) return undefined;
  const columns = [...new Set(tablesNamed(texts, known.tables).flatMap((table) => table.columns.map(({ name }) => name)))];
  return completeText(place, openText, columns, known);
}

function completeText(place: CallPlace, text: string, columns: readonly string[], known: KnownNames): Completion | undefined {
  const { name, steps } = argumentOf(place);
  const inner = steps.at(-1);
  if (inner?.key === "expr") return inExpression(text, columns);
  switch (name) {
    case "tables": return steps.length > 1 ? undefined : startingWith(text, known.tables.map(({ table }) => table));
    case "keys": case "expand_filter_column": return startingWith(text, columns.filter(isPlain));
    case "measures": return inList(steps, text, columns, measureOps);
    case "order": return inList(steps, text, columns, ["asc", "desc"]);
    case "where": case "having": return inConditions(steps, text, columns);
    default: return startingWith(text, wordsOf[name ?? ""] ?? []);
  }
}

/** In a list of names and of lists that begin with one, or with a list of them, and go on with one of some words. */
function inList(steps: readonly Step[], text: string, columns: readonly string[], second: readonly string[]): Completion | undefined {
  const place = steps[1]?.index ?? 0;
  return place === 0 ? startingWith(text, columns.filter(isPlain)) : place === 1 ? startingWith(text, second) : undefined;
}

/** A condition is a text, or a list of texts and of terms; `or`, `and` and `not` hold more of them. */
function inConditions(steps: readonly Step[], text: string, columns: readonly string[]): Completion | undefined {
  const from = steps.findLastIndex(({ bracket }) => bracket === "{");
  const isTermItself = steps[from]?.key === "not";
  const [, term] = isTermItself ? [undefined, ...steps.slice(from + 1)] : steps.slice(from + 1);
  if (term === undefined) return inExpression(text, columns);
  return term.index === 0 ? startingWith(text, columns.filter(isPlain)) : term.index === 1 ? startingWith(text, conditionOps) : undefined;
}

function inExpression(text: string, columns: readonly string[]): Completion {
  const typed = nameInExpression.exec(text)?.[0] ?? "";
  const names = columns.filter((name) => nameInExpression.exec(name)?.[0] === name);
  return startingWith(typed, typed === "" ? names : [...names, ...functionNames]);
}

/** The names that an object may have at a place before a colon; undefined where no name is to come, or none is known. */
function namesFor(place: CallPlace): readonly string[] | undefined {
  const inner = place.steps.at(-1);
  if (inner?.bracket !== "{" || inner.key !== undefined) return undefined;
  const [call] = place.steps;
  const isOutermost = place.steps.length === 2;
  const options = isVerbName(place.verb) ? optionNames(place.verb) : undefined;
  if (!isQuery(place)) return isOutermost ? options : undefined;
  if (isOutermost && call?.index === 0) return [...listNames, ...options ?? []];
  if (isOutermost && call?.index === listNames.length) return options;
  const { name, steps } = argumentOf(place);
  if (name === "where" || name === "having") return ["and", "expr", "not", "or"];
  if (name === "measures" && steps.length === 3 && steps[1]?.index === 3) return parameters;
  return name === "keys" || name === "measures" ? ["as", "expr"] : undefined;
}

function isQuery({ verb }: CallPlace): boolean {
  return verb === "groupby" || verb === "rows";
}

/** The argument of groupby that a place is in, by its name, and the brackets that are open in it. */
function argumentOf({ steps: [call, ...steps] }: CallPlace): { name: string | undefined; steps: readonly Step[] } {
  const index = call?.index ?? 0;
  const isNamed = steps[0]?.bracket === "{" && (index === 0 || index === listNames.length);
  return isNamed ? { name: steps[0]?.key, steps: steps.slice(1) } : { name: listNames[index], steps };
}

function tablesNamed(texts: readonly PlacedText[], tables: KnownNames["tables"]): KnownNames["tables"] {
  const named = texts.filter(({ place }) => isQuery(place) && argumentOf(place).name === "tables").map(({ text }) => nameOfTable(text));
  const found = tables.filter(({ table }) => named.includes(nameOfTable(table)));
  return found.length === 0 ? tables : found;
}

/** `taxi` of `taxi`, `taxi.bcolz`, `taxi-3.bcolzs` and `taxi-*.bcolzs`. */
function nameOfTable(text: string): string {
  return text.replace(/\.bcolz$|-[\d*]+\.bcolzs$/, "");
}

/** What stands between quotes as it is. */
function isPlain(name: string): boolean {
  return !/['"`\\\p{Cc}]/u.test(name);
}

function startingWith(typed: string, words: readonly string[]): Completion {
  return { words: words.filter((word) => word.startsWith(typed)).sort(), typed };
}
