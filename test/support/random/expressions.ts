/** Random expressions and conditions that mean something over a few columns of each kind. */
import type { Random } from "../../../lib/base/clock.js";
import { negate } from "../../../lib/engine/expressions/negate.js";
import { relation } from "../../../lib/engine/expressions/relation.js";
import type { Condition, Expression, RelationOp } from "../../../lib/engine/expressions/tree.js";
import type { Literal } from "../../../lib/engine/query/literal.js";
import { chance, oneOf, whole } from "./draw.js";

/** What an expression is of. */
export type Kind = "int" | "float" | "string" | "time" | "date" | "bool";

/** Names of columns by kind. */
export type Names = Readonly<Record<Kind, readonly string[]>>;

const relations: readonly RelationOp[] = ["==", "!=", "<", "<=", ">", ">="];

/** An expression of a kind, at most so deep. */
export function drawExpression(random: Random, names: Names, kind: Kind, depth: number): Expression {
  if (depth <= 0 || chance(random, 0.2)) return drawLeaf(random, names, kind);
  const inner = (of: Kind): Expression => drawExpression(random, names, of, depth - 1);
  const call = (name: string, ...args: Expression[]): Expression => ({ kind: "call", name, args });
  if (chance(random, 0.15)) return drawCase(random, names, kind, depth);
  if (chance(random, 0.15)) return call("coalesce", inner(kind), inner(kind), inner(kind));
  const arithmetic = (of: Kind, op: "+" | "-" | "*" | "/" | "%", right = of): Expression => ({ kind: "arithmetic", op, left: inner(of), right: inner(right) });
  switch (kind) {
    case "int": return oneOf<() => Expression>(random, [
      () => arithmetic("int", oneOf(random, ["+", "-", "*", "%"])), () => arithmetic("int", oneOf(random, ["+", "-", "%"])), () => arithmetic("date", "-"),
      () => ({ kind: "negate", operand: inner("int") }), () => call(oneOf(random, ["abs", "sign", "round"]), inner("int")),
      () => call(oneOf(random, ["least", "greatest"]), inner("int"), inner("int")), () => call("length", inner("string")),
      () => call("bin", inner("int"), { kind: "literal", value: whole(random, 1, 20) }, { kind: "literal", value: whole(random, -9, 9) }),
    ])();
    case "float": return oneOf<() => Expression>(random, [
      () => arithmetic("float", oneOf(random, ["+", "-", "*", "/", "%"]), oneOf(random, ["float", "int"])), () => arithmetic("int", "/"),
      () => ({ kind: "negate", operand: inner("float") }), () => call(oneOf(random, ["abs", "sign", "round", "floor", "ceil", "sqrt"]), inner("float")),
      () => call(oneOf(random, ["least", "greatest"]), inner("float"), inner("int")), () => call("float", inner("int")),
      () => call("bin", inner("float"), { kind: "literal", value: oneOf(random, [0.5, 2.5]) }),
    ])();
    case "string": return oneOf<() => Expression>(random, [() => call(oneOf(random, ["lower", "upper"]), inner("string")), () => call("concat", inner("string"), inner("string"))])();
    case "time": return oneOf<() => Expression>(random, [() => arithmetic("time", oneOf(random, ["+", "-"]), "int"), () => call(oneOf(random, ["least", "greatest"]), inner("time"), inner("time"))])();
    case "date": return oneOf<() => Expression>(random, [() => arithmetic("date", oneOf(random, ["+", "-"]), "int"), () => call("greatest", inner("date"), inner("date"))])();
    case "bool": return drawCase(random, names, kind, depth);
  }
}

/** A condition, at most so deep. */
export function drawCondition(random: Random, names: Names, depth: number): Condition {
  if (depth > 0 && chance(random, 0.3)) {
    const parts = Array.from({ length: whole(random, 2, 3) }, () => drawCondition(random, names, depth - 1));
    const kind = oneOf(random, ["and", "or"] as const);
    return { kind, parts: parts.flatMap((part) => (part.kind === kind ? part.parts : [part])) };
  }
  const kind = oneOf<Kind>(random, ["int", "float", "string", "date", "time"]);
  const operand = drawExpression(random, names, kind, depth - 1);
  const drawn = chance(random, 0.2) ? { kind: "null", operand, negate: false } as const : drawComparison(random, names, kind, operand, depth);
  return chance(random, 0.3) ? negate(drawn) : drawn;
}

function drawComparison(random: Random, names: Names, kind: Kind, operand: Expression, depth: number): Condition {
  if (kind === "string" && chance(random, 0.3)) return { kind: "like", operand, pattern: oneOf(random, ["%a%", "_", "b%", "%", "A_"]), negate: false };
  if (operand.kind === "literal") return relation(operand, oneOf(random, relations), { kind: "column", name: oneOf(random, names[kind]) });
  if (chance(random, 0.3)) return { kind: "compare", operand, op: oneOf(random, ["in", "not in"]), values: [drawLiteral(random, kind), drawLiteral(random, kind)] };
  return relation(operand, oneOf(random, relations), drawExpression(random, names, kind, depth - 1));
}

function drawCase(random: Random, names: Names, kind: Kind, depth: number): Expression {
  const branches = Array.from({ length: whole(random, 1, 3) }, () => ({ when: drawCondition(random, names, depth - 1), then: drawExpression(random, names, kind, depth - 1) }));
  return { kind: "case", branches, otherwise: chance(random, 0.3) ? null : drawExpression(random, names, kind, depth - 1) };
}

function drawLeaf(random: Random, names: Names, kind: Kind): Expression {
  // Text that reads as a time is one only beside a time.
  if (chance(random, 0.7) || kind === "time" || kind === "date") return { kind: "column", name: oneOf(random, names[kind]) };
  return { kind: "literal", value: drawLiteral(random, kind) };
}

function drawLiteral(random: Random, kind: Kind): Literal {
  switch (kind) {
    case "int": return whole(random, -5, 5);
    case "float": return oneOf(random, [0.5, -2.25, 1e10 + 0.5]);
    case "string": return oneOf(random, ["", "a", "it's", "\"B\""]);
    case "bool": return chance(random, 0.5);
    case "date": return oneOf(random, ["2016-02-29", "1969-12-31"]);
    case "time": return oneOf(random, ["2016-02-29T12:00:00.5Z", "1969-12-31"]);
  }
}
