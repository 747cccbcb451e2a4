/** A query as the line that one would type. */
import type { GroupbyQuery } from "../../lib/index.js";

/** The call in lines of at most `width` characters, as far as its measures and terms allow; later lines are indented. */
export function formatCall({ tables, keys = [], measures = [], where = [] }: GroupbyQuery, width: number): string {
  const values = [tables, keys, measures, ...(where.length > 0 ? [where] : [])];
  const [first = "", ...pieces] = values.map(splitValue).flatMap((split, index) => {
    return split.map((piece, place) => piece + (place < split.length - 1 || index < values.length - 1 ? "," : ")"));
  });
  const lines = [`rpc.groupby(${first}`];
  for (const piece of pieces) {
    const longer = `${lines.at(-1)} ${piece}`;
    if (longer.length <= width) lines[lines.length - 1] = longer;
    else lines.push(`  ${piece}`);
  }
  return lines.join("\n");
}

/** A value as pieces between which a line may end: those of a list of lists, else the whole. */
function splitValue(value: unknown): string[] {
  if (!Array.isArray(value) || !Array.isArray(value[0])) return [formatValue(value)];
  const pieces = value.map(formatValue);
  return pieces.map((piece, index) => (index === 0 ? "[" : "") + piece + (index === pieces.length - 1 ? "]" : ""));
}

function formatValue(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(formatValue).join(", ")}]` : JSON.stringify(value);
}
