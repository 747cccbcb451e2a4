/** The negation of conditions: carried down to the leaves, so that what is unknown of a row stays unknown. */
import type { Condition, RelationOp, TermOp } from "./tree.js";

const opposites = { "==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">", in: "not in", "not in": "in" } as const satisfies Record<TermOp, TermOp>;
const opposite: Record<RelationOp, RelationOp> = opposites;

/** The condition that is true where this one is false, false where it is true, and unknown where it is unknown. */
export function negate(condition: Condition): Condition {
  switch (condition.kind) {
    case "compare": return { ...condition, op: opposites[condition.op] };
    case "relate": return { ...condition, op: opposite[condition.op] };
    case "like": case "null": return { ...condition, negate: !condition.negate };
    case "and": return { kind: "or", parts: condition.parts.map(negate) };
    case "or": return { kind: "and", parts: condition.parts.map(negate) };
  }
}
