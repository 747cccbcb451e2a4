/** What refusals of queries share: the error, and values shown in it. */
import { BquerydError } from "../../base/errors.js";
import { formatHex } from "../../base/hex.js";

/** A BAD_QUERY error. */
export function badQuery(message: string): BquerydError {
  return new BquerydError("BAD_QUERY", message);
}

/** A value that somebody wrote, as text of at most 80 characters. */
export function show(value: unknown): string {
  const text = typeof value === "bigint" ? `${value}n` : typeof value === "number" ? String(value) : (asJson(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** Undefined for what is no JSON, as a function; what holds itself, or is nested too deep to be walked, is only named. */
function asJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, showLiteral);
  } catch (cause) {
    if (cause instanceof TypeError || cause instanceof RangeError) return "(a value that holds itself or too much)";
    throw cause;
  }
}

function showLiteral(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return value instanceof Uint8Array ? formatHex(value) : value;
}
