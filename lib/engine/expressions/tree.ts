/** The trees that keys, inputs of measures, conditions and measure arithmetic are made of; what text parses to. */
import type { Literal } from "../query/literal.js";

/** What computes a value for every row, or for every group of a result. */
export type Expression =
  | { readonly kind: "literal"; readonly value: Literal | null }
  | { readonly kind: "column"; readonly name: string }
  | { readonly kind: "negate"; readonly operand: Expression }
  | { readonly kind: "arithmetic"; readonly op: ArithmeticOp; readonly left: Expression; readonly right: Expression }
  /** A function of functions.ts, with as many arguments as it takes. */
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] }
  /** The value of the first branch whose condition is true, else of `otherwise`; null where that is absent. */
  | { readonly kind: "case"; readonly branches: readonly Branch[]; readonly otherwise: Expression | null };

export type ArithmeticOp = "+" | "-" | "*" | "/" | "%";

/** One `WHEN condition THEN value`. */
export interface Branch {
  readonly when: Condition;
  readonly then: Expression;
}

/** Comparison with literals, in its one canonical spelling. */
export type TermOp = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in";

/** Comparison of two expressions. */
export type RelationOp = "==" | "!=" | "<" | "<=" | ">" | ">=";

/** An expression compared with literals: one, or any number above 0 for `in` and `not in`. */
export interface Term {
  readonly kind: "compare";
  readonly operand: Expression;
  readonly op: TermOp;
  readonly values: readonly Literal[];
}

/**
 * What is true, false or unknown (null) of a row; a row is selected where it is true. There is no `not`: it is carried
 * down to the leaves when a condition is made, which SQL's three values allow (De Morgan holds for them).
 */
export type Condition =
  | Term
  | { readonly kind: "like"; readonly operand: Expression; readonly pattern: string; readonly negate: boolean }
  | { readonly kind: "null"; readonly operand: Expression; readonly negate: boolean }
  | { readonly kind: "relate"; readonly left: Expression; readonly op: RelationOp; readonly right: Expression }
  /** Of no parts: true for `and`, false for `or`. */
  | { readonly kind: "and" | "or"; readonly parts: readonly Condition[] };
