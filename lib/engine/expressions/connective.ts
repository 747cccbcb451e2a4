/** Conditions joined to one. */
import type { Condition } from "./tree.js";

/** The condition of parts under one connective: those of the same kind are taken in, one alone stands for itself. */
export function joinConditions(kind: "and" | "or", parts: readonly Condition[]): Condition {
  const flat = parts.flatMap((part) => (part.kind === kind ? part.parts : [part]));
  return flat.length === 1 ? flat[0]! : { kind, parts: flat };
}
