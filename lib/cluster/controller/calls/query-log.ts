/** What the log tells of calls: those that failed, and those that took long. All others leave no line. */
import { errorCodes } from "../../../base/errors.js";
import { limits } from "../../../base/limits.js";
import type { Call, Failure, Step } from "../state.js";

/** Who asked what. */
type Asked = Pick<Call, "clientId" | "id" | "scope">;

/** Tables named in one line. */
const tablesMax = 5;
/** Between two lines about a full queue, of which there may be thousands a second. */
const busyQuietMs = 10_000;

/** Logs that a call was not taken; a full queue now and then, with how many found it so. */
export function logRefusal(step: Step, asked: Asked, failure: Failure): void {
  if (failure.code !== "BUSY") {
    log(step, failure, factsOfAsked(asked));
    return;
  }
  const { refusals } = step.state;
  refusals.count += 1;
  if (step.nowMs < refusals.quietUntilMs) return;
  log(step, failure, { ...factsOfAsked(asked), refused: refusals.count });
  Object.assign(refusals, { count: 0, quietUntilMs: step.nowMs + busyQuietMs });
}

/** Logs that a call failed, and how far it had come. */
export function logFailure(step: Step, call: Call, failure: Failure): void {
  log(step, failure, { ...factsOfAsked(call), ...progressOf(step, call), outstanding: call.shards.length - call.answeredCount });
}

/** Logs a call that was answered, if it took long, and what it took its time for. */
export function logSlow(step: Step, call: Call): void {
  if (step.nowMs - call.arrivedMs < limits.slowQueryMs) return;
  const facts = { ...factsOfAsked(call), ...progressOf(step, call), rows: call.cost.rowsScanned, scannedMs: Math.round(call.cost.scanMs) };
  step.actions.push({ kind: "log", level: "info", event: "query.slow", facts });
}

function factsOfAsked({ clientId, id, scope }: Asked): Record<string, unknown> {
  return { client: clientId, call: id, tables: scope.tables.slice(0, tablesMax) };
}

function progressOf({ nowMs }: Step, call: Call): Record<string, unknown> {
  return {
    query: call.queryId, shards: call.shards.length, tookMs: Math.round(nowMs - call.arrivedMs),
    queuedMs: Math.round((call.firstAssignedMs ?? nowMs) - call.arrivedMs), workers: call.workers.size, retries: call.retries,
  };
}

function log(step: Step, { code, message, origin }: Failure, facts: Readonly<Record<string, unknown>>): void {
  const level = isOurs(code) ? "warn" : "info";
  step.actions.push({ kind: "log", level, event: "query.failed", facts: { code, message, origin, ...facts } });
}

/** Tells failures that someone who runs the cluster may act on from those of whoever asked. */
function isOurs(code: Failure["code"]): boolean {
  return errorCodes[code].httpStatus >= 500;
}
