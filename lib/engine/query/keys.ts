/** Keys as callers write them: column names, or expressions with a name. */
import { parseExpression } from "../expressions/parse.js";
import type { Expression } from "../expressions/tree.js";
import { badQuery, show } from "./bad-query.js";

/** A value that rows are grouped by; a plain column is a column expression of its own name. */
export interface KeySpec {
  readonly name: string;
  readonly expr: Expression;
}

/** A key: a column name or `{expr, as}`; without `as` it is named after its text. Throws BAD_QUERY. */
export function parseKey(key: unknown): KeySpec {
  if (typeof key === "string" && key !== "") return { name: key, expr: { kind: "column", name: key } };
  const written = readExpression(key);
  if (written === undefined) throw badQuery(`key ${show(key)} is neither a column name nor {expr, as}; keys are a list of those`);
  return written;
}

/** The expression and name of `{expr, as}`; undefined for what is no such object. Throws BAD_QUERY on one that is wrong. */
export function readExpression(written: unknown): { readonly name: string; readonly expr: Expression } | undefined {
  if (typeof written !== "object" || written === null || !("expr" in written)) return undefined;
  const { expr } = written;
  if (typeof expr !== "string") throw badQuery(`the expression ${show(expr)} is not a text; write it as in {expr: 'a + b', as: 'c'}`);
  const name = "as" in written && written.as !== undefined ? written.as : expr;
  if (typeof name !== "string" || name === "") throw badQuery(`the name ${show(name)} of the expression '${expr}' is not a text`);
  const unknown = Object.keys(written).find((member) => member !== "expr" && member !== "as");
  if (unknown !== undefined) throw badQuery(`the expression '${expr}' has a member '${unknown}'; it takes expr and as`);
  return { name, expr: parseExpression(expr) };
}
