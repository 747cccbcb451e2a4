/** The log of a process: a line an event on stderr, JSON or for people, written before the call returns. */
import { pino } from "pino";
import type { LogLevel } from "./config-keys.js";
import { BquerydError } from "./errors.js";
import { formatLogLine } from "./log-line.js";

/** What happened, as `noun.verb` (`worker.lost`), and its facts as fields. An `error` among them is spelled out. */
export interface LogFacts {
  readonly event: string;
  readonly [fact: string]: unknown;
}

/** Writes events of a level and the levels above it. `warn`: someone may act; `error`: someone must. */
export interface Log {
  debug(facts: LogFacts): void;
  info(facts: LogFacts): void;
  warn(facts: LogFacts): void;
  error(facts: LogFacts): void;
  setLevel(level: LogLevel): void;
}

/**
 * A log on stderr whose lines carry level, time (ISO 8601), pid and the role of the process: JSON, or with `forPeople` as
 * formatLogLine has them.
 */
export function createLog(options: { level: LogLevel; role: string; forPeople?: boolean }): Log {
  // Synchronous, so that the last words of a process that exits are not lost.
  const destination = pino.destination({ dest: 2, sync: true });
  // Whoever reads the log may go away before us; that is no reason to stop serving.
  destination.on("error", () => undefined);
  const logger = pino({
    level: options.level,
    base: { pid: process.pid, role: options.role },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { error: describeError },
  }, options.forPeople === true ? { write: (line: string) => destination.write(`${formatLogLine(line.trimEnd())}\n`) } : destination);
  return {
    debug: (facts) => { logger.debug(facts); },
    info: (facts) => { logger.info(facts); },
    warn: (facts) => { logger.warn(facts); },
    error: (facts) => { logger.error(facts); },
    setLevel: (level) => { logger.level = level; },
  };
}

/** An error as fields: code and details of ours, the stack of what nobody expected. */
function describeError(error: unknown): unknown {
  if (error instanceof BquerydError) {
    const stack = error.code === "INTERNAL" ? { stack: stackOf(error) } : {};
    return { code: error.code, message: error.message, details: error.details, ...stack };
  }
  return error instanceof Error ? { message: error.message, stack: error.stack } : error;
}

/** The stack of the error at the bottom: the one that says where it began. */
function stackOf(error: Error): string | undefined {
  return error.cause instanceof Error ? stackOf(error.cause) : error.stack;
}
