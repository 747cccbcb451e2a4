/** Literals of queries. */
import { badQuery, show } from "./bad-query.js";

/** A literal of a condition or an expression. Dates arrive as ISO 8601 text; a bigint is one that no number holds exactly. */
export type Literal = number | bigint | string | boolean | Uint8Array;

/** Digits of an integer: those beyond any dtype are compared exactly too, within reason. */
export const integerDigitsMax = 400;
const integersEnd = 10n ** BigInt(integerDigitsMax);

/** The literal of what a caller wrote; `subject` is what it is compared with, as words. Throws BAD_QUERY. */
export function parseLiteral(subject: string, value: unknown): Literal {
  switch (typeof value) {
    case "string": case "boolean": return value;
    case "bigint":
      if (value >= integersEnd || value <= -integersEnd) throw badQuery(`an integer of more than ${integerDigitsMax} digits is compared with ${subject}; no column holds one`);
      return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
    case "number":
      if (Number.isNaN(value)) throw badQuery(`NaN is compared with ${subject}; a missing value is a null: use 'is null'`);
      return value;
    default:
      if (value instanceof Date) {
        if (Number.isNaN(value.getTime())) throw badQuery(`a Date of no time is compared with ${subject}; look what it was made from`);
        return value.toISOString();
      }
      // A copy, and no Buffer: those turn themselves into another form of JSON.
      if (value instanceof Uint8Array) return new Uint8Array(value);
      if (value === null) throw badQuery(`null is compared with ${subject}, which no comparison finds; use 'is null' or 'is not null'`);
      throw badQuery(`${show(value)} cannot be compared with ${subject}; give a number, bigint, text, boolean, Date or Uint8Array`);
  }
}
