/** Columns that no table has, in queries that take what is missing for empty: each is null, of whichever dtype is wanted of it. */
import type { Condition, Expression } from "../expressions/tree.js";
import type { Query } from "./query.js";

type IsUnknown = (column: string) => boolean;

const nothing: Expression = { kind: "literal", value: null };
const always: Condition = { kind: "and", parts: [] };
/** What is unknown of every row selects none, and no condition stands below a negation. */
const never: Condition = { kind: "or", parts: [] };

/** The query with NULL in the place of unknown columns; those that are a key or an input by themselves stay. */
export function withoutUnknown(query: Query, isUnknown: IsUnknown): Query {
  const within = (expr: Expression): Expression => (expr.kind === "column" ? expr : replace(expr, isUnknown));
  return {
    ...query,
    keys: query.keys.map((key) => ({ ...key, expr: within(key.expr) })),
    measures: query.measures.map((measure) => ({ ...measure, inputs: measure.inputs.map(within) })),
    // Of groups they are computed from names of the result.
    computed: query.aggregate ? query.computed : query.computed.map((computed) => ({ ...computed, expr: within(computed.expr) })),
    where: query.where === null ? null : replaceIn(query.where, isUnknown),
  };
}

function replace(expr: Expression, isUnknown: IsUnknown): Expression {
  const of = (part: Expression): Expression => replace(part, isUnknown);
  switch (expr.kind) {
    case "literal": return expr;
    case "column": return isUnknown(expr.name) ? nothing : expr;
    case "negate": return { ...expr, operand: of(expr.operand) };
    case "arithmetic": return { ...expr, left: of(expr.left), right: of(expr.right) };
    case "call": return { ...expr, args: expr.args.map(of) };
    case "case": return {
      ...expr,
      branches: expr.branches.map(({ when, then }) => ({ when: replaceIn(when, isUnknown), then: of(then) })),
      otherwise: expr.otherwise === null ? null : of(expr.otherwise),
    };
  }
}

function replaceIn(condition: Condition, isUnknown: IsUnknown): Condition {
  const isNull = (expr: Expression): boolean => expr.kind === "column" && isUnknown(expr.name);
  switch (condition.kind) {
    case "compare": case "like": return isNull(condition.operand) ? never : { ...condition, operand: replace(condition.operand, isUnknown) };
    case "null": return isNull(condition.operand) ? (condition.negate ? never : always) : { ...condition, operand: replace(condition.operand, isUnknown) };
    case "relate": return isNull(condition.left) || isNull(condition.right) ? never : { ...condition, left: replace(condition.left, isUnknown), right: replace(condition.right, isUnknown) };
    case "and": case "or": return { ...condition, parts: condition.parts.map((part) => replaceIn(part, isUnknown)) };
  }
}
