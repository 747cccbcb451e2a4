/**
 * The one error class of bqueryd and its closed list of codes. A code is API: programs branch on it, a message is for
 * people. Every code says whether asking again can help, which HTTP status it maps to and how a command exits.
 */

/** Whether a failed request may be sent again: never, to the same process after a pause, or to another process. */
export type Retry = "never" | "same" | "elsewhere";

interface CodeFacts {
  readonly retry: Retry;
  readonly httpStatus: number;
  readonly exitCode: number;
}

function facts(retry: Retry, httpStatus: number, exitCode: number): CodeFacts {
  return { retry, httpStatus, exitCode };
}

/** Every error code with its retry rule, HTTP status and exit code (sysexits). A test locks this table. */
export const errorCodes = {
  USAGE: facts("never", 400, 64),
  CONFIG: facts("never", 500, 78),
  UNKNOWN_TABLE: facts("never", 404, 65),
  UNKNOWN_COLUMN: facts("never", 400, 65),
  AMBIGUOUS_TABLE: facts("never", 409, 65),
  BAD_QUERY: facts("never", 400, 65),
  BAD_SQL: facts("never", 400, 65),
  DTYPE_MISMATCH: facts("never", 400, 65),
  SCHEMA_MISMATCH: facts("never", 409, 65),
  OVERFLOW: facts("never", 422, 65),
  MEMORY_LIMIT: facts("never", 413, 75),
  SHARD_UNAVAILABLE: facts("same", 503, 69),
  GENERATION_GONE: facts("same", 409, 69),
  STALE: facts("same", 409, 69),
  BUSY: facts("same", 429, 75),
  DEADLINE: facts("same", 504, 75),
  CANCELLED: facts("never", 499, 130),
  WORKER_LOST: facts("elsewhere", 503, 69),
  NO_CONTROLLER: facts("same", 503, 69),
  CONNECTION_LOST: facts("elsewhere", 503, 69),
  BAD_MESSAGE: facts("never", 400, 70),
  PROTOCOL_VERSION: facts("never", 400, 69),
  REGISTRY_UNAVAILABLE: facts("same", 503, 69),
  CORRUPT_FOOTER: facts("elsewhere", 500, 74),
  CORRUPT_CHUNK: facts("elsewhere", 500, 74),
  CORRUPT_DICTIONARY: facts("elsewhere", 500, 74),
  UNSUPPORTED_FORMAT: facts("never", 415, 65),
  UNSUPPORTED_DTYPE: facts("never", 415, 65),
  BAD_INPUT: facts("never", 400, 65),
  EXISTS: facts("never", 409, 65),
  NOT_FOUND: facts("never", 404, 65),
  TABLE_NOT_MANAGED: facts("never", 409, 65),
  TICKET_FAILED: facts("never", 409, 70),
  OBJECT_STORE: facts("same", 502, 69),
  DISK_FULL: facts("elsewhere", 507, 74),
  IO: facts("elsewhere", 500, 74),
  PORT_IN_USE: facts("never", 500, 69),
  FORBIDDEN: facts("never", 403, 69),
  DISABLED: facts("never", 403, 69),
  INTERNAL: facts("never", 500, 70),
} as const satisfies Record<string, CodeFacts>;

/** One code of the closed list. */
export type ErrorCode = keyof typeof errorCodes;

/** Facts about a failure, safe to send to a client: names, counts, limits; never secrets. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/**
 * The one error of bqueryd. `message` is a sentence that names the thing and, after a semicolon, what to do; `details`
 * carries the same names for programs; `origin` says which process failed when the error came over the wire.
 */
export class BquerydError extends Error {
  override readonly name = "BquerydError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  readonly origin: string | undefined;

  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown; origin?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
    this.origin = options.origin;
  }

  get retry(): Retry {
    return errorCodes[this.code].retry;
  }

  get exitCode(): number {
    return errorCodes[this.code].exitCode;
  }
}

/** Tells whether a text from outside is one of our codes. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text);
}

/** The given failure as a BquerydError: itself, a file-system error with its code and what to do, or INTERNAL with the cause. */
export function toBquerydError(cause: unknown, doing?: string): BquerydError {
  if (cause instanceof BquerydError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const { code, advice } = meaningOf(cause);
  const message = doing === undefined ? reason : `cannot ${doing}: ${reason}`;
  return new BquerydError(code, advice === undefined ? message : `${message}; ${advice}`, { cause });
}

function meaningOf(cause: unknown): { readonly code: ErrorCode; readonly advice?: string } {
  if (!(cause instanceof Error) || !("code" in cause) || !("syscall" in cause)) return { code: "INTERNAL" };
  switch (cause.code) {
    // A file system such as /proc says it of everything that is to be made in it.
    case "ENOENT": return { code: "NOT_FOUND", advice: "check the path, and that files can be made there if one is to be" };
    case "ENOTDIR": return { code: "NOT_FOUND", advice: "a part of the path is no folder, correct it" };
    case "ENOSPC": case "EDQUOT": return { code: "DISK_FULL", advice: "make room and try again" };
    case "EACCES": case "EPERM": return { code: "IO", advice: "use another place, or change the permissions" };
    case "EROFS": return { code: "IO", advice: "the disk can only be read, use another place" };
    case "EADDRINUSE": return { code: "PORT_IN_USE" };
    default: return { code: "IO" };
  }
}

/** Fails loudly on a value the types say cannot exist: a programming error, not an operating one. */
export function unreachable(value: never): never {
  throw new Error(`unreachable case: ${JSON.stringify(value)}`);
}
