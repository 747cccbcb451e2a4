/** Canonical JSON: equal values give equal bytes, so that their hashes can serve as names. */

/**
 * The one text of a value made of null, booleans, safe integers, strings, arrays and plain objects: members sorted by
 * UTF-16 code units, no white space, strings as JSON.stringify writes them. Other numbers have to travel as text; they
 * and anything else fail an assertion.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number" && Number.isSafeInteger(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object") throw new Error(`canonical JSON holds no such ${typeof value}`);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(",")}}`;
}
