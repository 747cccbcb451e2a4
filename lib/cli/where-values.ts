/** The values of a condition as they stand in its text: in quotes or not, alone or in a list. */

/** A value as it was written. */
export interface ValueText {
  /** Without its quotes. */
  readonly text: string;
  readonly isQuoted: boolean;
  /** Where it ends in the text around it, exclusive. */
  readonly end: number;
}

const singleQuoted = /'((?:[^']|'')*)'/suy;
const doubleQuoted = /"(?:[^"\\]|\\.)*"/suy;
const bareItem = /[^,'"()[\]]+/suy;
const blanks = /\s*/suy;

/** The text in quotes that begins at a place: '..' with quotes doubled, or ".." as JSON has it; undefined where none does. */
export function parseQuoted(text: string, at: number): ValueText | undefined {
  const single = matchAt(singleQuoted, text, at);
  if (single !== undefined) return { text: single[1]!.replaceAll("''", "'"), isQuoted: true, end: at + single[0].length };
  const double = matchAt(doubleQuoted, text, at);
  const content = double === undefined ? undefined : parseJsonText(double[0]);
  return content === undefined ? undefined : { text: content, isQuoted: true, end: at + double![0].length };
}

/** The values of `(1, 'a')` or `[1, "a"]`, from the first bracket to the last; undefined for what is no list. */
export function parseListTexts(text: string): ValueText[] | undefined {
  const closing = text.startsWith("(") ? ")" : text.startsWith("[") ? "]" : undefined;
  if (closing === undefined) return undefined;
  const values: ValueText[] = [];
  let at = skipBlanks(text, 1);
  if (text[at] === closing) return at === text.length - 1 ? values : undefined;
  for (;;) {
    const value = parseQuoted(text, at) ?? parseBare(text, at);
    if (value === undefined) return undefined;
    values.push(value);
    at = skipBlanks(text, value.end);
    if (text[at] === closing) return at === text.length - 1 ? values : undefined;
    if (text[at] !== ",") return undefined;
    at = skipBlanks(text, at + 1);
  }
}

/** The values of `1 and 5` or `'a' and 'b'`; undefined for what is not two. */
export function parseBetweenTexts(text: string): [ValueText, ValueText] | undefined {
  const quoted = parseQuoted(text, 0);
  const end = quoted?.end ?? text.search(/\sand\s/i);
  const word = /^\s+and\s+/i.exec(text.slice(Math.max(0, end)));
  if (word === null || end < 0) return undefined;
  const low = quoted ?? bound(text.slice(0, end));
  const rest = text.slice(end + word[0].length);
  const high = parseQuoted(rest, 0) ?? bound(rest);
  const isSound = high.end === rest.length && [low, high].every(({ text: value, isQuoted }) => isQuoted || (value !== "" && !/^['"]/.test(value)));
  return isSound ? [low, high] : undefined;
}

function bound(text: string): ValueText {
  return { text: text.trim(), isQuoted: false, end: text.length };
}

function parseBare(text: string, at: number): ValueText | undefined {
  const found = matchAt(bareItem, text, at)?.[0];
  return found === undefined || found.trim() === "" ? undefined : { text: found.trim(), isQuoted: false, end: at + found.length };
}

function skipBlanks(text: string, at: number): number {
  return at + (matchAt(blanks, text, at)?.[0].length ?? 0);
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}

function parseJsonText(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}
