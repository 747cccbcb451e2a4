/** Where in a line of JavaScript the cursor is: in which call of `rpc`, which argument, which list or object in it, which text. */

/** A bracket that is open, and where in it something stands. */
export interface Step {
  readonly bracket: "(" | "[" | "{";
  /** Commas before it. */
  readonly index: number;
  /** In an object, the name before the colon; undefined where a name is to come. */
  readonly key: string | undefined;
}

/** A place in a call of `rpc`. */
export interface CallPlace {
  readonly verb: string;
  /** The brackets that are open there, from those of the call on. */
  readonly steps: readonly Step[];
}

/** A text in quotes that stands in a call of `rpc`. */
export interface PlacedText {
  readonly text: string;
  readonly place: CallPlace;
}

/** What a line says up to its end, which is the cursor. */
export interface LinePlace {
  /** The call the cursor is in; undefined outside of any. */
  readonly place: CallPlace | undefined;
  /** The text that is open at the cursor, from its quote on; undefined where none is. */
  readonly openText: string | undefined;
  /** The texts before that are closed. */
  readonly texts: readonly PlacedText[];
}

interface OpenStep {
  bracket: Step["bracket"];
  index: number;
  key: string | undefined;
  /** The verb whose arguments begin here. */
  readonly verb: string | undefined;
}

const closing = ")]}";
const verbBefore = /\brpc\s*\.\s*([\w$]+)\s*$/;

/** Reads a line up to the cursor. It need not be whole, nor right: what is odd is passed over. */
export function readLine(line: string): LinePlace {
  const steps: OpenStep[] = [];
  const texts: PlacedText[] = [];
  let word = "";
  for (let at = 0; at < line.length;) {
    const sign = line[at]!;
    if (isQuote(sign)) {
      const { text, end } = readText(line, at);
      const place = placeOf(steps);
      if (end === undefined) return { place, openText: text, texts };
      if (place !== undefined) texts.push({ text, place });
      word = text;
      at = end;
      continue;
    }
    word = /[\w$]/.test(sign) ? (/[\w$]$/.test(line.slice(0, at)) ? word + sign : sign) : word;
    takeSign(steps, sign, line.slice(0, at), word);
    at += 1;
  }
  return { place: placeOf(steps), openText: undefined, texts };
}

/** Updated in place. */
function takeSign(steps: OpenStep[], sign: string, before: string, word: string): void {
  const top = steps.at(-1);
  if (sign === "(" || sign === "[" || sign === "{") steps.push({ bracket: sign, index: 0, key: undefined, verb: sign === "(" ? verbBefore.exec(before)?.[1] : undefined });
  else if (closing.includes(sign)) steps.pop();
  else if (top === undefined) return;
  else if (sign === ",") Object.assign(top, { index: top.index + 1, key: undefined });
  else if (sign === ":" && top.bracket === "{") top.key ??= word;
}

function placeOf(steps: readonly OpenStep[]): CallPlace | undefined {
  const at = steps.findLastIndex(({ verb }) => verb !== undefined);
  const verb = steps[at]?.verb;
  return verb === undefined ? undefined : { verb, steps: steps.slice(at).map(({ bracket, index, key }) => ({ bracket, index, key })) };
}

function isQuote(sign: string): boolean {
  return sign === "'" || sign === '"' || sign === "`";
}

/** The text whose quote stands at a place, and where it ends, which is nowhere for one that is open. */
function readText(line: string, start: number): { text: string; end: number | undefined } {
  const quote = line[start]!;
  for (let at = start + 1; at < line.length; at++) {
    if (line[at] === "\\") at += 1;
    else if (line[at] === quote) return { text: line.slice(start + 1, at), end: at + 1 };
  }
  return { text: line.slice(start + 1), end: undefined };
}
