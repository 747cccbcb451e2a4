/** A place in the tokens of a text, and what parsers ask at it; depth and size of what they make are limited here. */
import { limits } from "../../base/limits.js";
import { failAt, tokenize, type Token } from "./lexer.js";

/** Where a parser is; moved in place. */
export interface Cursor {
  /** The token at hand. */
  peek(): Token;
  /** The token after it. */
  peekNext(): Token;
  /** The token at hand, which is passed. */
  take(): Token;
  /** Passes the token at hand where it is this symbol or keyword (in lower case), and tells whether it was. */
  accept(expected: string): boolean;
  /** Passes the keyword or symbol; throws BAD_QUERY where another token is at hand. */
  require(expected: string): void;
  /** BAD_QUERY: something else stands at the token at hand than what is expected there. */
  unexpected(expected: string): Error;
  /** BAD_QUERY: something is wrong at a token. */
  fail(token: Token, wrong: string): Error;
  /** Counts an operator of a chain, each of which makes the tree deeper; throws BAD_QUERY past the limit. */
  countOperator(): void;
  /** What `parse` gives, one level deeper; throws BAD_QUERY past the limit of depth. */
  nested<T>(parse: () => T): T;
}

/** A cursor at the start of a text. Throws BAD_QUERY where the text has no tokens. */
export function openCursor(text: string): Cursor {
  const tokens = tokenize(text);
  let place = 0;
  let depth = 0;
  let operators = 0;
  const peek = (): Token => tokens[place]!;
  const isAt = (expected: string): boolean => is(peek(), expected);
  const fail = (token: Token, wrong: string): Error => failAt(text, token.at, wrong);
  const unexpected = (expected: string): Error => {
    const token = peek();
    return fail(token, `${token.kind === "end" ? "it ends" : `'${token.text.slice(0, 40)}' stands`} where ${expected} is expected`);
  };
  return {
    peek, fail, unexpected,
    peekNext: () => tokens[Math.min(place + 1, tokens.length - 1)]!,
    take() {
      const token = peek();
      if (token.kind !== "end") place += 1;
      return token;
    },
    accept(expected) {
      if (!isAt(expected)) return false;
      place += 1;
      return true;
    },
    require(expected) {
      if (!isAt(expected)) throw unexpected(`'${expected.toUpperCase()}'`);
      place += 1;
    },
    countOperator() {
      operators += 1;
      if (operators > limits.expressionOperatorsMax) throw fail(peek(), `it has more than ${limits.expressionOperatorsMax} operators`);
    },
    nested(parse) {
      depth += 1;
      if (depth > limits.expressionDepthMax) throw fail(peek(), `it is nested more than ${limits.expressionDepthMax} deep`);
      const parsed = parse();
      depth -= 1;
      return parsed;
    },
  };
}

/** Tells whether a token is a symbol, or a keyword in whatever case. */
export function is(token: Token, expected: string): boolean {
  return (token.kind === "symbol" || token.kind === "word") && token.text.toLowerCase() === expected;
}
