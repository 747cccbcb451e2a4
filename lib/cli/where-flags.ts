/** `--where` on a command line: JSON terms as groupby takes them, or one term as text. */
import { BquerydError } from "../base/errors.js";
import { suggestion } from "../base/nearest.js";
import { isFloatDtype, isTextDtype } from "../columns/dtypes.js";
import type { Dtype } from "../columns/dtypes.js";
import { parseBetweenTexts, parseListTexts, parseQuoted } from "./where-values.js";
import type { ValueText } from "./where-values.js";

/** A column that a term may name. */
export interface WhereColumn {
  readonly name: string;
  readonly dtype: Dtype;
}

/** What stands behind a column's name: what it is compared by, and a value. Words need blanks before them. */
const comparison = /^(?:\s*(==|=|!=|<>|<=|>=|<|>)|\s+((?:not\s+)?in(?=[\s[(])|(?:not\s+)?like(?=[\s'"])|(?:not\s+)?between(?=[\s'"])|is\s+(?:not\s+)?null(?=\s*$)))\s*(.*)$/isu;
const quotedName = /^\s*"((?:[^"]|"")+)"/u;
const numberText = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const wholeText = /^[+-]?\d+$/;
const help = `write 'a > 5', 'b == text', "b like 'x%'", 'a between 1 and 5', 'a is null' or "c in (1, 2)", or JSON as '[["a",">",5]]'`;

/**
 * The terms of a flag: those of a JSON list, the one of a JSON object, or the one that `Cost $ > 100`, `"a > b" = 'x'`, `b
 * not in (1, 2)`, `b like 'x%'`, `a between 1 and 5` or `a is not null` says. Names are those of the columns, as they are or in double quotes; where several fit, the longest is meant. A value is
 * text in quotes, or else read as the column's dtype; whole numbers are exact in all their digits. Throws USAGE,
 * UNKNOWN_COLUMN.
 */
export function parseWhereFlag(text: string, columns: readonly WhereColumn[]): readonly unknown[] {
  const found = findTerm(text, columns);
  if (found === undefined) return /^\s*[[{]/.test(text) ? parseList(text) : failUnknown(text, columns);
  const { column, op, rest } = found;
  if (!op.endsWith("between")) requireOneTerm(text, rest, columns);
  return [op.endsWith("null") ? [column.name, op] : [column.name, op, operandOf(text, found)]];
}

/** What stands behind the op, as its JSON form has it. */
function operandOf(text: string, { column, op, rest }: FoundTerm): unknown {
  switch (op.replace("not ", "")) {
    case "in": {
      const values = parseListTexts(rest);
      if (values === undefined) throw new BquerydError("USAGE", `--where '${text}' has no list after '${op}'; write ${op} (1, 2) or ${op} ('a', 'b')`);
      return values.map((value) => valueOf(text, column, value));
    }
    case "between": {
      const values = parseBetweenTexts(rest);
      if (values === undefined) throw new BquerydError("USAGE", `--where '${text}' has no two values after '${op}'; write ${op} 1 and 5`);
      return values.map((value) => valueOf(text, column, value));
    }
    case "like": return singleText(text, rest).text;
    default: return valueOf(text, column, singleText(text, rest));
  }
}

/** Throws USAGE where another condition seems to follow: unquoted, it would be taken for a part of the value. */
function requireOneTerm(text: string, rest: string, columns: readonly WhereColumn[]): void {
  if (parseQuoted(rest, 0)?.end === rest.length) return;
  for (const { 0: word, index } of rest.matchAll(/\s+(?:and|or|&&?|\|\|?)\s+/gi)) {
    if (findTerm(rest.slice(index + word.length), columns) === undefined) continue;
    const advice = /or|\|/i.test(word) ? "all conditions have to hold, and there is no or; in (1, 2) takes several values" : "give --where again for each, all of them have to hold";
    throw new BquerydError("USAGE", `--where '${text}' holds more than one condition; ${advice}`);
  }
}

interface FoundTerm {
  readonly column: WhereColumn;
  readonly op: string;
  /** What it is compared with. */
  readonly rest: string;
}

function findTerm(text: string, columns: readonly WhereColumn[]): FoundTerm | undefined {
  const longestFirst = columns.filter(({ name }) => name !== "").sort((a, b) => b.name.length - a.name.length);
  for (const start of new Set([text, text.trimStart()])) {
    for (const column of longestFirst) {
      const found = start.startsWith(column.name) ? splitComparison(start.slice(column.name.length)) : undefined;
      if (found !== undefined) return { column, ...found };
    }
  }
  const [whole, quoted] = quotedName.exec(text) ?? [];
  const column = columns.find(({ name }) => name === quoted?.replaceAll('""', '"'));
  const found = column === undefined ? undefined : splitComparison(text.slice(whole!.length));
  return column === undefined || found === undefined ? undefined : { column, ...found };
}

function splitComparison(text: string): { op: string; rest: string } | undefined {
  const [, symbol, word, rest] = comparison.exec(text) ?? [];
  const op = symbol ?? word?.toLowerCase().replace(/\s+/g, " ");
  if (rest === undefined || op === undefined || (rest.trim() === "" && !op.endsWith("null"))) return undefined;
  return { op: op === "=" ? "==" : op === "<>" ? "!=" : op, rest: rest.trim() };
}

/** No column's name is followed by a comparison: what seems to be meant as a name tells what is wrong. */
function failUnknown(text: string, columns: readonly WhereColumn[]): never {
  const [, quoted] = quotedName.exec(text) ?? [];
  const end = text.search(/[=!<>]|\s(?:not\s)?(?:in[\s[(]|like\s|between\s)|\sis\s(?:not\s)?null/i);
  const name = quoted?.replaceAll('""', '"') ?? text.slice(0, Math.max(0, end)).trim();
  if (name === "" || columns.some((column) => column.name === name)) throw new BquerydError("USAGE", `--where '${text}' is no condition; ${help}`);
  const names = columns.map((column) => column.name);
  throw new BquerydError("UNKNOWN_COLUMN", `--where '${text}' begins with no column's name${suggestion(name, names, `the columns are ${names.slice(0, 12).join(", ")}${names.length > 12 ? ", ..." : ""}`)}`, { details: { column: name } });
}

function singleText(text: string, rest: string): ValueText {
  const quoted = parseQuoted(rest, 0);
  if (quoted?.end === rest.length) return quoted;
  if (quoted !== undefined) throw new BquerydError("USAGE", `--where '${text}' goes on after its value; use --where again for another condition`);
  if (/^[=<>!]/.test(rest)) throw new BquerydError("USAGE", `--where '${text}' compares in a way that is unknown; use one of = != < <= > >= in, not in, or put the text in quotes`);
  if (/^['"]/.test(rest)) throw new BquerydError("USAGE", `--where '${text}' has a quote that does not close; double those within a text`);
  return { text: rest, isQuoted: false, end: rest.length };
}

/** What was written without quotes, as the dtype of its column; text where it is none, which the comparison then refuses. */
function valueOf(where: string, { name, dtype }: WhereColumn, { text, isQuoted }: ValueText): unknown {
  if (isQuoted) return text;
  if (/^null$/i.test(text)) throw new BquerydError("USAGE", `--where '${where}' compares column '${name}' with null, which nothing equals; put it in quotes if it is a text`);
  if (isTextDtype(dtype) || dtype === "timestamp" || dtype === "date") return text;
  if (dtype === "bool") return /^true$/i.test(text) ? true : /^false$/i.test(text) ? false : text;
  if (isFloatDtype(dtype) && /^[+-]?inf(?:inity)?$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  if (wholeText.test(text)) return BigInt(text.replace("+", ""));
  return numberText.test(text) ? Number(text) : text;
}

function parseList(text: string): readonly unknown[] {
  const terms = parseExact(text);
  // One term without the list around it is what people write first.
  if (!Array.isArray(terms)) return [terms];
  const list: readonly unknown[] = terms;
  return typeof list[0] === "string" || isExpression(list[0]) ? [list] : list;
}

/** A column may be an expression. */
function isExpression(value: unknown): boolean {
  return typeof value === "object" && value !== null && "expr" in value;
}

const tokens = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** Whole numbers of so many digits are exact as a number. */
const exactDigits = 15;

/** JSON with long whole numbers as bigint: the parser would round them. */
function parseExact(text: string): unknown {
  const tagged = text.replace(tokens, (token) => (wholeText.test(token) && token.length > exactDigits ? `{"$whole":"${token}"}` : token));
  try {
    return JSON.parse(tagged, (_, value: unknown) => {
      const digits = typeof value === "object" && value !== null && "$whole" in value ? value.$whole : undefined;
      return typeof digits === "string" && wholeText.test(digits) ? BigInt(digits) : value;
    });
  } catch (cause) {
    throw new BquerydError("USAGE", `--where '${text}' is not sound JSON (${cause instanceof Error ? cause.message : String(cause)}); ${help}`, { cause });
  }
}
