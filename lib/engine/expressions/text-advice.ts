/** Advice on a name that may be a text: in many languages double quotes are for texts, here as in SQL they are for names. */
import type { Condition } from "./tree.js";

/** How a text is written, where a condition compares with the name alone, as `origin = "ATL"` does with `ATL`; else undefined. */
export function findTextAdvice(condition: Condition | null, name: string): string | undefined {
  if (condition === null || !isComparedWith(condition, name)) return undefined;
  return `if a text is meant, write it in single quotes: '${name.replaceAll("'", "''")}'`;
}

/** Tells whether the name stands alone on the right of a comparison. */
function isComparedWith(condition: Condition, name: string): boolean {
  switch (condition.kind) {
    case "relate": return condition.right.kind === "column" && condition.right.name === name;
    case "and": case "or": return condition.parts.some((part) => isComparedWith(part, name));
    default: return false;
  }
}
