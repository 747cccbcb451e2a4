/** Where lists: what a caller writes as terms becomes a condition, and a condition is written as such a list again. */
import { limits } from "../../base/limits.js";
import { joinConditions } from "../expressions/connective.js";
import { negate } from "../expressions/negate.js";
import { parseCondition, parseExpression } from "../expressions/parse.js";
import { printExpression } from "../expressions/print.js";
import { relation } from "../expressions/relation.js";
import type { Condition, Expression, RelationOp, Term, TermOp } from "../expressions/tree.js";
import { badQuery, show } from "./bad-query.js";
import { parseLiteral, type Literal } from "./literal.js";

/** An op of the list form. */
type ListOp = TermOp | "like" | "not like" | "between" | "not between" | "is null" | "is not null";

const opNames = new Map<string, ListOp>([
  ["==", "=="], ["=", "=="], ["eq", "=="], ["!=", "!="], ["<>", "!="], ["neq", "!="], ["<", "<"], ["<=", "<="], [">", ">"], [">=", ">="],
  ["in", "in"], ["not in", "not in"], ["nin", "not in"], ["like", "like"], ["not like", "not like"],
  ["between", "between"], ["not between", "not between"], ["is null", "is null"], ["is not null", "is not null"],
]);
const opList = "== != < <= > >= in, not in, like, not like, between, not between, is null, is not null";

/** Counts terms and levels, which are limited. */
interface Budget {
  terms: number;
}

/**
 * The condition of a where list, whose terms are and-ed; null for an empty one. A term is `[column, op, value]`,
 * `[column, 'is null']`, `{or: [...]}`, `{and: [...]}`, `{not: term or list}` or text; a column may be `{expr: text}`, and so
 * may a value that is compared. Throws BAD_QUERY naming the term that is wrong.
 */
export function parseWhere(list: unknown): Condition | null {
  if (typeof list === "string") return parseText(list, { terms: 0 });
  const condition = parseList("where", list, { terms: 0 }, 1);
  return condition.kind === "and" && condition.parts.length === 0 ? null : condition;
}

/** The where list that parses to an equal condition, but that parts of its own kind are taken into their `and` or `or`. */
export function writeWhere(condition: Condition | null): unknown[] {
  if (condition === null) return [];
  return condition.kind === "and" && condition.parts.length > 0 ? condition.parts.map(writeTerm) : [writeTerm(condition)];
}

function parseList(what: string, list: unknown, budget: Budget, depth: number): Condition {
  const connective = isRecord(list) ? connectiveOf(list) : undefined;
  if (connective !== undefined) throw badQuery(`${what} is the one term ${show(list)}; give a list of terms: [{${connective}: [...]}]`);
  if (!Array.isArray(list)) throw badQuery(`${what} is ${show(list)}; give a list of terms [column, op, value]`);
  if (isTerm(list)) throw badQuery(`${what} is the one term ${show(list)}; give a list of terms: [${show(list)}]`);
  if (list.length > limits.termsMax) throw badQuery(`${what} has ${list.length} terms; the limit is ${limits.termsMax}`);
  return joinConditions("and", list.map((term: unknown) => parseTerm(term, budget, depth)));
}

function parseTerm(term: unknown, budget: Budget, depth: number): Condition {
  if (depth > limits.conditionDepthMax) throw badQuery(`the where terms are nested more than ${limits.conditionDepthMax} deep; write them flatter`);
  if (typeof term === "string") return parseText(term, budget);
  if (Array.isArray(term)) return parseListTerm(term, budget);
  if (!isRecord(term)) throw badQuery(`where term ${show(term)} does not read as [column, op, value]`);
  const name = connectiveOf(term);
  if (name === undefined) throw badQuery(`where term ${show(term)} is neither {or: [...]}, {and: [...]} nor {not: ...}`);
  const inner = term[name];
  if (name === "not") return negate(isListOfTerms(inner) ? parseList("not", inner, budget, depth + 1) : parseTerm(inner, budget, depth + 1));
  if (!Array.isArray(inner)) throw badQuery(`'${name}' has ${show(inner)}; give a list of terms`);
  if (isTerm(inner)) throw badQuery(`'${name}' has the one term ${show(inner)}; give a list of terms: {${name}: [${show(inner)}]}`);
  if (inner.length > limits.termsMax) throw badQuery(`'${name}' has ${inner.length} terms; the limit is ${limits.termsMax}`);
  return joinConditions(name, inner.map((part: unknown) => parseTerm(part, budget, depth + 1)));
}

/** What `{or: ...}`, `{and: ...}` or `{not: ...}` does; undefined for anything else. */
function connectiveOf(term: Record<string, unknown>): "or" | "and" | "not" | undefined {
  const [name, ...others] = Object.keys(term);
  return others.length === 0 && (name === "or" || name === "and" || name === "not") ? name : undefined;
}

/** A list of terms may begin with text, as a term does with its column: a term goes on with an op. */
function isListOfTerms(value: unknown): boolean {
  return Array.isArray(value) && !isTerm(value) && !(value.length > 1 && isRecord(value[0]) && "expr" in value[0]);
}

function isTerm([column, op]: readonly unknown[]): boolean {
  return (typeof column === "string" || (isRecord(column) && "expr" in column)) && typeof op === "string" && opNames.has(op.toLowerCase());
}

function parseText(text: string, budget: Budget): Condition {
  const condition = parseCondition(text);
  countTerm(budget, countLeaves(condition));
  return condition;
}

function countLeaves(condition: Condition): number {
  return condition.kind === "and" || condition.kind === "or" ? condition.parts.reduce((sum, part) => sum + countLeaves(part), 0) : 1;
}

function countTerm(budget: Budget, terms: number): void {
  budget.terms += terms;
  if (budget.terms > limits.termsMax) throw badQuery(`where has more than ${limits.termsMax} terms; join those on one column into one 'in' list`);
}

function parseListTerm(term: readonly unknown[], budget: Budget): Condition {
  countTerm(budget, 1);
  const [column, written, value] = term;
  const operand = parseOperand(column, term);
  const subject = nameOf(operand);
  const op = typeof written === "string" ? opNames.get(written.trim().toLowerCase().replace(/\s+/g, " ")) : undefined;
  if (op === undefined) throw badQuery(term.length < 2 ? `where term ${show(term)} does not read as [column, op, value]` : `where op ${show(written)} on ${subject} is unknown; use one of ${opList}`);
  if (op === "is null" || op === "is not null") {
    if (term.length > 2 && value !== null && value !== undefined) throw badQuery(`'${op}' on ${subject} takes no value; got ${show(value)}`);
    return { kind: "null", operand, negate: op === "is not null" };
  }
  if (term.length !== 3) throw badQuery(`where term ${show(term)} does not read as [column, op, value]`);
  switch (op) {
    case "like": case "not like": return { kind: "like", operand, pattern: parsePattern(op, subject, value), negate: op === "not like" };
    case "between": return parseBetween(operand, subject, value);
    case "not between": return negate(parseBetween(operand, subject, value));
    case "in": case "not in": return { kind: "compare", operand, op, values: parseValues(op, subject, value) };
    default: return parseComparison(operand, op, Array.isArray(value) && value.length === 1 ? value[0] : value, subject);
  }
}

function parseOperand(column: unknown, term: readonly unknown[]): Expression {
  if (typeof column === "string" && column !== "") return { kind: "column", name: column };
  if (isRecord(column) && typeof column.expr === "string") return parseExpression(column.expr);
  throw badQuery(`where term ${show(term)} does not start with a column name`);
}

function parseComparison(left: Expression, op: RelationOp, value: unknown, subject: string): Condition {
  if (isRecord(value) && typeof value.expr === "string") return relation(left, op, parseExpression(value.expr));
  return { kind: "compare", operand: left, op, values: [parseLiteral(subject, value)] };
}

function parseBetween(operand: Expression, subject: string, value: unknown): Condition {
  if (!Array.isArray(value) || value.length !== 2) throw badQuery(`'between' on ${subject} takes a list of two values, both included; got ${show(value)}`);
  const bounds: readonly unknown[] = value;
  const [low, high] = bounds;
  return { kind: "and", parts: [parseComparison(operand, ">=", low, subject), parseComparison(operand, "<=", high, subject)] };
}

function parsePattern(op: string, subject: string, value: unknown): string {
  if (typeof value !== "string") throw badQuery(`'${op}' on ${subject} takes a text in which % stands for any characters and _ for one; got ${show(value)}`);
  if (value.length > limits.patternMax) throw badQuery(`'${op}' on ${subject} has a pattern of ${value.length} characters; the limit is ${limits.patternMax}`);
  if (/(?:^|[^\\])(?:\\\\)*\\$/.test(value)) throw badQuery(`'${op}' on ${subject} has a pattern that ends in a lone backslash; write \\\\ for a backslash`);
  return value;
}

function parseValues(op: string, subject: string, value: unknown): Literal[] {
  const list: unknown = value instanceof Set ? [...value] : value;
  if (!Array.isArray(list)) throw badQuery(`'${op}' on ${subject} takes a list; got ${show(value)}`);
  if (list.length === 0) throw badQuery(`'${op}' on ${subject} has an empty list; give at least one value`);
  if (list.length > limits.inListMax) throw badQuery(`'${op}' on ${subject} has ${list.length} values; the limit is ${limits.inListMax}`);
  return list.map((item: unknown) => parseLiteral(subject, item));
}

function nameOf(operand: Expression): string {
  return operand.kind === "column" ? `column '${operand.name}'` : `'${printExpression(operand).slice(0, 80)}'`;
}

function writeTerm(condition: Condition): unknown {
  switch (condition.kind) {
    case "compare": return [writeOperand(condition.operand), condition.op, writeValues(condition)];
    case "like": return [writeOperand(condition.operand), condition.negate ? "not like" : "like", condition.pattern];
    case "null": return [writeOperand(condition.operand), condition.negate ? "is not null" : "is null"];
    case "relate": return [writeOperand(condition.left), condition.op, { expr: printExpression(condition.right) }];
    case "and": return { and: condition.parts.map(writeTerm) };
    case "or": return { or: condition.parts.map(writeTerm) };
  }
}

function writeValues({ op, values }: Term): unknown {
  return op === "in" || op === "not in" ? values : values[0];
}

function writeOperand(operand: Expression): unknown {
  return operand.kind === "column" ? operand.name : { expr: printExpression(operand) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array) && !(value instanceof Date);
}
