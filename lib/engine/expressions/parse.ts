/**
 * The grammar of expressions and conditions, loosest first: OR; AND; NOT; comparisons, IN, BETWEEN, LIKE, IS NULL; + - ||;
 * * / %; sign; literals, columns, calls, CASE, brackets. Keywords and functions in any case, columns as they are spelled.
 */
import { limits } from "../../base/limits.js";
import { suggestion } from "../../base/nearest.js";
import { badQuery } from "../query/bad-query.js";
import { integerDigitsMax, type Literal } from "../query/literal.js";
import { joinConditions } from "./connective.js";
import { is, openCursor, type Cursor } from "./cursor.js";
import { arityOf, functionNames, isFunctionName } from "./functions.js";
import type { Token } from "./lexer.js";
import { negate } from "./negate.js";
import { bareLiteral, relation } from "./relation.js";
import { sizeOfCondition, sizeOfExpression } from "./size.js";
import type { ArithmeticOp, Branch, Condition, Expression, RelationOp } from "./tree.js";

/** What a stretch of text is: a value or a condition; which of them is wanted shows later. */
type Parsed = { readonly expr: Expression; readonly condition?: undefined } | { readonly condition: Condition; readonly expr?: undefined };

const keywords: ReadonlySet<string> = new Set(["and", "or", "not", "in", "between", "like", "is", "null", "case", "when", "then", "else", "end", "true", "false"]);
const comparisons = new Map<string, RelationOp>([["=", "=="], ["==", "=="], ["!=", "!="], ["<>", "!="], ["<", "<"], ["<=", "<="], [">", ">"], [">=", ">="]]);
const nothing: Expression = { kind: "literal", value: null };

/** The tree of an expression. A condition is the bool that it is of each row. Throws BAD_QUERY naming the place. */
export function parseExpression(text: string): Expression {
  return parseWhole(text, asValue, sizeOfExpression);
}

/** The tree of a condition. An expression has to be true. Throws BAD_QUERY naming the place. */
export function parseCondition(text: string): Condition {
  return parseWhole(text, asCondition, sizeOfCondition);
}

function parseWhole<T>(text: string, convert: (parsed: Parsed) => T, sizeOf: (whole: T) => number): T {
  const cursor = openCursor(text);
  const parsed = parseOr(cursor);
  if (cursor.peek().kind !== "end") throw cursor.unexpected("an operator or the end");
  const whole = convert(parsed);
  // Conditions as values within conditions double the tree each time, while the text hardly grows.
  if (sizeOf(whole) > limits.expressionNodesMax) throw badQuery(`an expression comes to more than ${limits.expressionNodesMax} parts, as conditions within conditions do; write it flatter`);
  return whole;
}

/** A bool that is null where the condition is unknown. */
function asValue(parsed: Parsed): Expression {
  if (parsed.condition === undefined) return parsed.expr;
  const { condition } = parsed;
  const whenTrue: Branch = { when: condition, then: { kind: "literal", value: true } };
  return { kind: "case", branches: [whenTrue, { when: negate(condition), then: { kind: "literal", value: false } }], otherwise: null };
}

function asCondition(parsed: Parsed): Condition {
  if (parsed.condition !== undefined) return parsed.condition;
  const { expr } = parsed;
  if (expr.kind !== "literal") return { kind: "compare", operand: expr, op: "==", values: [true] };
  if (typeof expr.value === "boolean") return { kind: expr.value ? "and" : "or", parts: [] };
  return relation(expr, "==", { kind: "literal", value: true });
}

function parseOr(cursor: Cursor): Parsed {
  return parseJoined(cursor, "or", () => parseJoined(cursor, "and", () => parseNot(cursor)));
}

function parseJoined(cursor: Cursor, kind: "and" | "or", parsePart: () => Parsed): Parsed {
  const first = parsePart();
  if (!is(cursor.peek(), kind)) return first;
  const parts = [asCondition(first)];
  while (cursor.accept(kind)) parts.push(asCondition(parsePart()));
  return { condition: joinConditions(kind, parts) };
}

function parseNot(cursor: Cursor): Parsed {
  if (!cursor.accept("not")) return parseComparison(cursor);
  return { condition: negate(asCondition(cursor.nested(() => parseNot(cursor)))) };
}

function parseComparison(cursor: Cursor): Parsed {
  const left = parseSum(cursor);
  const token = cursor.peek();
  const op = token.kind === "symbol" ? comparisons.get(token.text) : undefined;
  if (op !== undefined) {
    cursor.take();
    return { condition: compare(left, op, parseSum(cursor)) };
  }
  if (cursor.accept("is")) {
    const isNegated = cursor.accept("not");
    cursor.require("null");
    return { condition: { kind: "null", operand: asValue(left), negate: isNegated } };
  }
  const isNegated = is(token, "not") && ["in", "between", "like"].some((word) => is(cursor.peekNext(), word));
  if (isNegated) cursor.take();
  const condition = parseTest(cursor, left);
  if (condition === undefined) return left;
  return { condition: isNegated ? negate(condition) : condition };
}

/** A condition that is compared with true or false is itself, or its negation. */
function compare(left: Parsed, op: RelationOp, right: Parsed): Condition {
  const value = asValue(right);
  const isTested = left.condition !== undefined && value.kind === "literal" && typeof value.value === "boolean" && (op === "==" || op === "!=");
  if (!isTested) return relation(asValue(left), op, value);
  return (op === "==") === value.value ? left.condition : negate(left.condition);
}

/** What follows a value in a test by IN, BETWEEN or LIKE; undefined where none of them does. */
function parseTest(cursor: Cursor, left: Parsed): Condition | undefined {
  if (cursor.accept("in")) return parseIn(cursor, asValue(left));
  if (cursor.accept("between")) {
    const low = asValue(parseSum(cursor));
    cursor.require("and");
    const high = asValue(parseSum(cursor));
    return joinConditions("and", [relation(asValue(left), ">=", low), relation(asValue(left), "<=", high)]);
  }
  return cursor.accept("like") ? parseLike(cursor, asValue(left)) : undefined;
}

function parseLike(cursor: Cursor, operand: Expression): Condition {
  const token = cursor.take();
  if (token.kind !== "text") throw cursor.fail(token, "LIKE takes a text in single quotes, in which % stands for any characters and _ for one");
  if (token.text.length > limits.patternMax) throw cursor.fail(token, `the pattern has ${token.text.length} characters; the limit is ${limits.patternMax}`);
  if (/(?:^|[^\\])(?:\\\\)*\\$/.test(token.text)) throw cursor.fail(token, "the pattern ends in a lone backslash; write \\\\ for a backslash");
  return { kind: "like", operand, pattern: token.text, negate: false };
}

function parseIn(cursor: Cursor, operand: Expression): Condition {
  cursor.require("(");
  const values: Expression[] = [];
  do values.push(bareLiteral(asValue(parseSum(cursor)))); while (cursor.accept(","));
  cursor.require(")");
  const literals = values.flatMap((value) => (value.kind === "literal" && value.value !== null ? [value.value] : []));
  const others = values.filter((value) => value.kind !== "literal" || value.value === null);
  const parts: Condition[] = others.map((value) => ({ kind: "relate", left: operand, op: "==", right: value }));
  if (literals.length > 0) parts.unshift({ kind: "compare", operand, op: "in", values: literals });
  return joinConditions("or", parts);
}

function parseSum(cursor: Cursor): Parsed {
  const first = parseProduct(cursor);
  if (!["+", "-", "||"].some((op) => is(cursor.peek(), op))) return first;
  let left = asValue(first);
  for (;;) {
    cursor.countOperator();
    const op = cursor.peek().text;
    if (cursor.accept("||")) left = { kind: "call", name: "concat", args: [left, asValue(parseProduct(cursor))] };
    else if (cursor.accept("+") || cursor.accept("-")) left = arithmetic(op === "+" ? "+" : "-", left, parseProduct(cursor));
    else return { expr: left };
  }
}

function parseProduct(cursor: Cursor): Parsed {
  const first = parseSign(cursor);
  if (!["*", "/", "%"].some((op) => is(cursor.peek(), op))) return first;
  let left = asValue(first);
  for (;;) {
    cursor.countOperator();
    if (cursor.accept("*")) left = arithmetic("*", left, parseSign(cursor));
    else if (cursor.accept("/")) left = arithmetic("/", left, parseSign(cursor));
    else if (cursor.accept("%")) left = arithmetic("%", left, parseSign(cursor));
    else return { expr: left };
  }
}

function arithmetic(op: ArithmeticOp, left: Expression, right: Parsed): Expression {
  return { kind: "arithmetic", op, left, right: asValue(right) };
}

function parseSign(cursor: Cursor): Parsed {
  if (cursor.accept("+")) return { expr: asValue(cursor.nested(() => parseSign(cursor))) };
  if (!cursor.accept("-")) return parsePrimary(cursor);
  if (cursor.peek().kind === "number") return { expr: numberOf(cursor, cursor.take(), "-") };
  return { expr: { kind: "negate", operand: asValue(cursor.nested(() => parseSign(cursor))) } };
}

function parsePrimary(cursor: Cursor): Parsed {
  const token = cursor.peek();
  switch (token.kind) {
    case "number": return { expr: numberOf(cursor, cursor.take(), "") };
    case "text": return { expr: { kind: "literal", value: cursor.take().text } };
    case "bytes": return { expr: { kind: "literal", value: new Uint8Array(Buffer.from(cursor.take().text, "hex")) } };
    case "quoted": return { expr: { kind: "column", name: cursor.take().text } };
    case "word": return parseWord(cursor, cursor.take());
    case "symbol": case "end": {
      if (!cursor.accept("(")) throw cursor.unexpected("a value");
      const inner = cursor.nested(() => parseOr(cursor));
      cursor.require(")");
      return inner;
    }
  }
}

function parseWord(cursor: Cursor, token: Token): Parsed {
  const word = token.text.toLowerCase();
  switch (word) {
    case "true": return { expr: { kind: "literal", value: true } };
    case "false": return { expr: { kind: "literal", value: false } };
    case "null": return { expr: nothing };
    case "case": return { expr: cursor.nested(() => parseCase(cursor)) };
  }
  if (keywords.has(word)) throw cursor.fail(token, `'${token.text}' stands where a value is expected; a column of that name goes in double quotes`);
  if (is(cursor.peek(), "(")) return { expr: parseCall(cursor, token, word) };
  if ((word === "date" || word === "timestamp") && cursor.peek().kind === "text") {
    return { expr: { kind: "call", name: word, args: [{ kind: "literal", value: cursor.take().text }] } };
  }
  return { expr: { kind: "column", name: token.text } };
}

function parseCall(cursor: Cursor, token: Token, name: string): Expression {
  if (!isFunctionName(name)) throw cursor.fail(token, `there is no function '${token.text}'${suggestion(name, functionNames, `there are ${functionNames.join(", ")}, and what sums up rows is a measure, as in ['v1', 'max', 'most']`)}`);
  cursor.require("(");
  const args: Expression[] = [];
  if (!is(cursor.peek(), ")")) do args.push(cursor.nested(() => asValue(parseOr(cursor)))); while (cursor.accept(","));
  cursor.require(")");
  const { least, most, takes } = arityOf(name);
  if (args.length < least || args.length > most) throw cursor.fail(token, `'${name}' has ${args.length} arguments; it takes ${takes}`);
  return { kind: "call", name, args };
}

/** Both forms: CASE WHEN condition THEN ..., and CASE value WHEN value THEN ... */
function parseCase(cursor: Cursor): Expression {
  const subject = is(cursor.peek(), "when") ? undefined : asValue(parseOr(cursor));
  const branches: Branch[] = [];
  while (cursor.accept("when")) {
    const tested = parseOr(cursor);
    const when = subject === undefined ? asCondition(tested) : relation(subject, "==", asValue(tested));
    cursor.require("then");
    branches.push({ when, then: asValue(parseOr(cursor)) });
  }
  if (branches.length === 0) throw cursor.unexpected("'WHEN'");
  const otherwise = cursor.accept("else") ? asValue(parseOr(cursor)) : null;
  cursor.require("end");
  return { kind: "case", branches, otherwise };
}

/** Whole numbers without fraction and exponent are integers; a float that is whole is kept apart from them. */
function numberOf(cursor: Cursor, token: Token, sign: string): Expression {
  const text = `${sign}${token.text}`;
  if (/^-?\d+$/.test(text)) {
    if (token.text.length > integerDigitsMax) throw cursor.fail(token, `an integer of more than ${integerDigitsMax} digits is held by no column`);
    return { kind: "literal", value: narrow(BigInt(text)) };
  }
  const value = Number(text) + 0;
  const literal: Expression = { kind: "literal", value };
  return Number.isSafeInteger(value) ? { kind: "call", name: "float", args: [literal] } : literal;
}

function narrow(value: bigint): Literal {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
