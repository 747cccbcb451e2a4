import { expect } from "chai";
import { describe, it } from "mocha";
import { BquerydError, errorCodes, isErrorCode, toBquerydError } from "../../lib/base/errors.js";

/** Code, retry, HTTP status, exit code: programs branch on these, so a change here is a change of the API. */
const locked = `
USAGE never 400 64
CONFIG never 500 78
UNKNOWN_TABLE never 404 65
UNKNOWN_COLUMN never 400 65
AMBIGUOUS_TABLE never 409 65
BAD_QUERY never 400 65
BAD_SQL never 400 65
DTYPE_MISMATCH never 400 65
SCHEMA_MISMATCH never 409 65
OVERFLOW never 422 65
MEMORY_LIMIT never 413 75
SHARD_UNAVAILABLE same 503 69
GENERATION_GONE same 409 69
STALE same 409 69
BUSY same 429 75
DEADLINE same 504 75
CANCELLED never 499 130
WORKER_LOST elsewhere 503 69
NO_CONTROLLER same 503 69
CONNECTION_LOST elsewhere 503 69
BAD_MESSAGE never 400 70
PROTOCOL_VERSION never 400 69
REGISTRY_UNAVAILABLE same 503 69
CORRUPT_FOOTER elsewhere 500 74
CORRUPT_CHUNK elsewhere 500 74
CORRUPT_DICTIONARY elsewhere 500 74
UNSUPPORTED_FORMAT never 415 65
UNSUPPORTED_DTYPE never 415 65
BAD_INPUT never 400 65
EXISTS never 409 65
NOT_FOUND never 404 65
TABLE_NOT_MANAGED never 409 65
TICKET_FAILED never 409 70
OBJECT_STORE same 502 69
DISK_FULL elsewhere 507 74
IO elsewhere 500 74
PORT_IN_USE never 500 69
FORBIDDEN never 403 69
DISABLED never 403 69
INTERNAL never 500 70`;

describe("errors", () => {
  it("the table of codes is the locked one", () => {
    const lines = Object.entries(errorCodes).map(([code, { retry, httpStatus, exitCode }]) => `${code} ${retry} ${httpStatus} ${exitCode}`);
    expect(lines).to.deep.equal(locked.trim().split("\n"));
  });

  it("an error carries its code, details, cause, and the rules of its code", () => {
    const cause = new Error("bad sector");
    const error = new BquerydError("CORRUPT_CHUNK", "chunk 3 of fare is damaged", { details: { chunk: 3 }, cause, origin: "worker 1" });
    expect(error).to.be.instanceOf(Error);
    expect([error.code, error.retry, error.exitCode, error.origin, error.cause]).to.deep.equal(["CORRUPT_CHUNK", "elsewhere", 74, "worker 1", cause]);
    expect(error.details).to.deep.equal({ chunk: 3 });
  });

  it("only codes of the list are codes, not names every object has", () => {
    expect(isErrorCode("BUSY")).to.equal(true);
    expect(isErrorCode("toString")).to.equal(false);
    expect(isErrorCode("__proto__")).to.equal(false);
  });

  it("a failure of the file system keeps its message and gets its code, anything else is INTERNAL", () => {
    const full = Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC", syscall: "write" });
    expect(toBquerydError(full, "write CURRENT")).to.include({ code: "DISK_FULL", message: "cannot write CURRENT: ENOSPC: no space left; make room and try again", cause: full });
    expect(toBquerydError(new TypeError("x is not a function")).code).to.equal("INTERNAL");
    expect(toBquerydError("text").message).to.equal("text");
    const ours = new BquerydError("BUSY", "the queue is full");
    expect(toBquerydError(ours, "ask")).to.equal(ours);
  });
});
