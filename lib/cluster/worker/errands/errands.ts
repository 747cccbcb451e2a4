/** Does the errands of a worker on its message thread, one at a time: sleeps, files, functions in a process of their own. */
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs } from "../../../base/clock.js";
import { BquerydError } from "../../../base/errors.js";
import { limits } from "../../../base/limits.js";
import { callFunction } from "./code.js";
import type { ErrandAnswer, ErrandTask, WorkerEvent } from "../events.js";
import { failureOf, type Failure } from "../failure.js";
import { readFileBelow } from "./files-below.js";

/** How an errand ends. */
export type ErrandEvent = WorkerEvent & { kind: "errandDone" | "taskFailed" };

/** What errands need of their worker. */
export interface ErrandOptions {
  readonly dataDir: string;
  /** Modules of which execute_code may call functions. */
  readonly codeModules: readonly string[];
  /** That an answer has to fit a message. */
  readonly answerBytesMax: number;
  readonly onEvent: (event: ErrandEvent) => void;
}

/** The errands of one worker. */
export interface Errands {
  /** Begins one; its end comes as an event, soon after its deadline at the latest. */
  run(task: ErrandTask): void;
  /** Ends one at once, with an event; nothing happens when another one runs. */
  cancel(taskId: string): void;
  /** Ends what runs and waits for that. */
  close(): Promise<void>;
}

interface Running {
  readonly taskId: string;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

/** What a timer can wait. */
const timerMsMax = 2 ** 31 - 1;
const encoder = new TextEncoder();

/** The errands of a worker that has none yet. */
export function createErrands(options: ErrandOptions): Errands {
  let running: Running | undefined;
  function run(task: ErrandTask): void {
    const { taskId, deadlineMs } = task;
    const abort = new AbortController();
    const late = setTimeout(() => { abort.abort(lateError(task)); }, Math.min(timerMsMax, Math.max(0, deadlineMs - monotonicMs())));
    const ended = perform(task, options, abort.signal).then(
      (answer): ErrandEvent => ({ kind: "errandDone", taskId, answer }),
      (cause: unknown): ErrandEvent => ({ kind: "taskFailed", taskId, failure: failureOfErrand(task, abort.signal.aborted ? abort.signal.reason : cause), cacheChanges: [] }),
    ).then((event) => {
      clearTimeout(late);
      running = undefined;
      options.onEvent(event);
    });
    running = { taskId, abort, ended };
  }
  function cancel(taskId: string): void {
    if (running?.taskId === taskId) running.abort.abort(new BquerydError("CANCELLED", "the errand was cancelled"));
  }
  return {
    run, cancel,
    async close() {
      running?.abort.abort(new BquerydError("CANCELLED", "the worker is stopping"));
      await running?.ended;
    },
  };
}

async function perform({ errand, body }: ErrandTask, { dataDir, codeModules, answerBytesMax }: ErrandOptions, signal: AbortSignal): Promise<ErrandAnswer> {
  const bytesMax = Math.min(answerBytesMax, limits.errandAnswerBytesMax);
  switch (errand.kind) {
    case "sleep":
      await delay(errand.seconds * 1_000, undefined, { signal });
      return { form: "json", bytes: encoder.encode(JSON.stringify("z...")) };
    case "readfile": return { form: "bytes", bytes: await readFileBelow(dataDir, errand.path, { bytesMax, signal }) };
    case "execute_code": return callFunction({ name: errand.function, body, modules: codeModules, dataDir, bytesMax, signal });
  }
}

/** A file that is not here may well be on another node. */
function failureOfErrand({ errand }: ErrandTask, cause: unknown): Failure {
  const failure = failureOf(cause, []);
  return errand.kind === "readfile" && failure.code === "NOT_FOUND" ? { ...failure, retry: "elsewhere" } : failure;
}

function lateError({ errand }: ErrandTask): BquerydError {
  return new BquerydError("DEADLINE", `the time of the call ended while a worker was at its ${errand.kind}; allow more with timeout`);
}
