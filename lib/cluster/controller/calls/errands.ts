/**
 * Errands: sleep, readfile and execute_code. Each is a call of one task that reads no table, in the same fair queues as
 * queries, with the same deadlines, cancelling and, but for execute_code, tries elsewhere.
 */
import type { ClientMessage, Errand } from "../../../wire/messages.js";
import { addCall, createCall, findRefusal, refuseCall } from "./calls.js";
import type { Action, AnswerEvent, Body } from "../events.js";
import * as failures from "./failures.js";
import { enqueue } from "../schedule/queues.js";
import { ordinalStates, type Call, type CallErrand, type ControllerState, type Failure, type Scope, type Step, type Task, type Worker } from "../state.js";

/** The client of calls that nobody waits for: no session has it, so what is said to it goes nowhere. */
const nobody = "";

/** No table: nothing to resolve, or to resolve again. */
const noTables: Scope = { tables: [], columns: [], missingIsEmpty: false, isPartialAllowed: false, pinned: new Map() };

/** Characters of what an errand is about that its name shows. */
const shownMax = 80;

type Asked = ClientMessage & { type: "call" };

/** Takes the errands of a call and queues them, all or none; gives them. */
export function takeErrands(step: Step, clientId: string, asked: Asked, body: Body): Call[] {
  const { state } = step;
  if (state.clients.get(clientId)?.has(asked.id) === true) return []; // A repeated message.
  const bodyBytes = body.reduce((sum, frame) => sum + frame.byteLength, 0);
  const errands = readErrands(state, asked, bodyBytes);
  if ("code" in errands) {
    refuseCall(step, { clientId, id: asked.id, scope: noTables }, errands);
    return [];
  }
  const { remainingMs, affinity = clientId, detached = false } = asked;
  const calls = errands.map((errand) => {
    const [owner, id] = detached ? [nobody, state.options.makeId()] : [clientId, asked.id];
    const resolved = { shards: [{ ordinal: 0, name: nameOf(errand.errand), generation: "" }], lacking: [] };
    return createCall(step, { clientId: owner, asked: { id, affinity, remainingMs }, scope: noTables, errand, body, bodyBytes, resolved });
  });
  for (const call of calls) {
    addCall(step, call);
    enqueue(state.queues, call.affinity, call.queryId);
  }
  if (detached) {
    const value = calls.map(({ queryId }) => queryId);
    step.actions.push({ kind: "answer", clientId, header: { type: "result", id: asked.id, value, cost: null, queuedMs: 0, workers: 0, retries: 0 } });
  }
  return calls;
}

/** Hands what an errand came to on to its client. What is late or repeated is dropped. */
export function onAnswer(step: Step, worker: Worker, { taskId, form, body }: AnswerEvent): void {
  const task = step.state.tasks.get(taskId);
  const call = task?.workerId === worker.id ? step.state.calls.get(task.queryId) : undefined;
  if (call === undefined || call.errand === null || task?.open.delete(0) !== true) return;
  call.ordinals[0] = ordinalStates.answered;
  call.answeredCount = 1;
  call.workers.add(worker.id);
  step.actions.push({ kind: "forward", clientId: call.clientId, header: { type: "answer", id: call.id, form }, body });
}

/** Tells whether a worker may be given an errand. */
export function mayDo({ errand, excluded }: Call, workerId: string): boolean {
  if (errand === null || excluded.get(0)?.has(workerId) === true) return false;
  return errand.workerId === null || errand.workerId === workerId;
}

/** The message that gives a worker an errand. */
export function errandAction({ nowMs }: Step, { body, attempt, queryId, deadlineMs }: Call, { errand }: CallErrand, { id, workerId }: Task, nonce: string): Action {
  return { kind: "assignErrand", workerId, body, header: { type: "errand", taskId: id, attempt, queryId, nonce, errand, remainingMs: Math.max(0, deadlineMs - nowMs) } };
}

function readErrands(state: ControllerState, { verb, errands = [], worker, detached }: Asked, bodyBytes: number): CallErrand[] | Failure {
  const { origin } = state.options;
  const fits = errands.length > 0 && (errands.length === 1 || detached === true) && errands.every(({ kind }) => kind === verb);
  if (!fits) return failures.badErrand(verb, origin);
  const refusal = findRefusal(state, { calls: errands.length, bodyBytes: errands.length * bodyBytes });
  if (refusal !== undefined) return refusal;
  const named = worker === undefined ? [null] : [...state.workers.keys()].filter((id) => id.startsWith(worker));
  const [workerId] = named;
  if (workerId === undefined || named.length > 1) return failures.notOne("worker", worker ?? "", named.length, origin);
  return errands.map((errand) => ({ errand, workerId }));
}

/** An errand as people find it in errors and in queries(). */
function nameOf(errand: Errand): string {
  switch (errand.kind) {
    case "sleep": return `sleep(${errand.seconds})`;
    case "readfile": return `readfile('${shorten(errand.path)}')`;
    case "execute_code": return `execute_code ${shorten(errand.function)}`;
  }
}

function shorten(text: string): string {
  return text.length <= shownMax ? text : `${text.slice(0, shownMax)}…`;
}
