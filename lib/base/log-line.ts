/** A log line for people: what a log writes as JSON, short enough for a terminal. */
import { escapeUnprintable } from "./text-width.js";

const longId = /^[0-9a-f]{32,}$/;
const shortId = 8;

/**
 * An event as `12:33:47Z info  controller 4711 worker.registered worker=1cc098e5 node=dqe1`, the time being UTC, the stack of
 * an error on lines of its own; any other line is given back as it is. Both without line end.
 */
export function formatLogLine(line: string): string {
  const { level, time, pid, role, event, error, ...facts } = parseEvent(line) ?? {};
  if (typeof time !== "string" || typeof event !== "string") return line;
  const shown = Object.entries(facts).map(([name, value]) => `${name}=${formatFact(value)}`);
  const head = `${time.slice(11, 19)}Z ${String(level).padEnd(5)} ${String(role)} ${String(pid)} ${event}`;
  return [[head, ...shown].map(escapeUnprintable).join(" "), ...formatError(error)].join("\n");
}

function parseEvent(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined; // Somebody else's line, or one that was cut.
  }
}

function formatFact(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value);
  if (longId.test(value)) return value.slice(0, shortId);
  return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}

function formatError(error: unknown): string[] {
  if (typeof error !== "object" || error === null) return error === undefined ? [] : [`  ${formatFact(error)}`];
  const { code, message, stack }: { code?: unknown; message?: unknown; stack?: unknown } = error;
  const text = typeof stack === "string" ? stack : [code, message].filter((part) => typeof part === "string").join(": ");
  return text.split("\n").map((row) => `  ${escapeUnprintable(row)}`);
}
