/** Expressions and conditions as text, cut into tokens. */
import { limits } from "../../base/limits.js";
import { badQuery } from "../query/bad-query.js";

/**
 * A piece of a text; `at` is its place, counted in characters from 0.
 * - word: a keyword, or the name of a function or column, as written.
 * - quoted: a column in double quotes, without them.
 * - number: digits with fraction and exponent, if any; text: in single quotes, without them; bytes: the digits of x'..'.
 * - symbol: an operator, a bracket or a comma; end: past the last one.
 */
export interface Token {
  readonly kind: "word" | "quoted" | "number" | "text" | "bytes" | "symbol" | "end";
  readonly text: string;
  readonly at: number;
}

const patterns: readonly (readonly [Token["kind"], RegExp])[] = [
  ["bytes", /x'((?:[0-9a-f]{2})*)'/iuy],
  ["word", /([\p{L}_][\p{L}\p{N}_]*)/uy],
  ["number", /((?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)(?![\p{L}\p{N}_.])/iuy],
  ["quoted", /"((?:[^"]|"")+)"/uy],
  ["text", /'((?:[^']|'')*)'/uy],
  ["symbol", /(==|!=|<>|<=|>=|\|\||[-+*/%=<>(),])/uy],
];
const space = /\s*/uy;

/** The tokens of a text, the last of kind `end`. Throws BAD_QUERY naming the character that begins none. */
export function tokenize(text: string): Token[] {
  if (text.length > limits.expressionCharactersMax) throw badQuery(`an expression has ${text.length} characters; the limit is ${limits.expressionCharactersMax}`);
  const tokens: Token[] = [];
  let at = skipSpace(text, 0);
  while (at < text.length) {
    const token = nextToken(text, at);
    tokens.push(token.token);
    at = skipSpace(text, token.end);
  }
  tokens.push({ kind: "end", text: "", at });
  return tokens;
}

/** BAD_QUERY for what is wrong at a place of a text, with the text around it. */
export function failAt(text: string, at: number, wrong: string): Error {
  const start = Math.max(0, at - 40);
  const shown = `${start > 0 ? "..." : ""}${text.slice(start, at + 40)}${at + 40 < text.length ? "..." : ""}`;
  return badQuery(`the expression "${shown}" cannot be read at character ${at + 1}: ${wrong}`);
}

function skipSpace(text: string, at: number): number {
  space.lastIndex = at;
  return at + space.exec(text)![0].length;
}

function nextToken(text: string, at: number): { token: Token; end: number } {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) return { token: { kind, text: unescape(kind, match[1]!), at }, end: pattern.lastIndex };
  }
  const character = String.fromCodePoint(text.codePointAt(at)!);
  if (character === "'") throw failAt(text, at, "the text that begins here has no closing quote");
  if (character === '"') throw failAt(text, at, "the name that begins here is empty or has no closing quote");
  throw failAt(text, at, /[\d.]/.test(character) ? "this is not a number" : `'${character}' means nothing here; ${adviceOn(character)}`);
}

function adviceOn(character: string): string {
  switch (character) {
    case "&": return "write and";
    case "|": return "write or, or || between texts";
    case "!": return "write not, or != for unequal";
    default: return "a name that has it stands in double quotes";
  }
}

function unescape(kind: Token["kind"], text: string): string {
  if (kind === "quoted") return text.replaceAll('""', '"');
  return kind === "text" ? text.replaceAll("''", "'") : text;
}
