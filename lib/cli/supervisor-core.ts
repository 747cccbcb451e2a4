/**
 * Decides for the processes that `up` keeps running: which to start again, when, and in which order all of them end.
 * Pure: events and the time go in, actions come out; supervisor.ts does them.
 */
import type { ProcessRole } from "../wire/messages.js";

/** A process to keep running. Controllers are ended after all others. */
export interface Slot {
  readonly id: string;
  readonly role: "controller" | ProcessRole;
}

export type SupervisorEvent =
  | { readonly kind: "begin" }
  /** Every process serves: from now on one that dies is started again. */
  | { readonly kind: "ready" }
  | { readonly kind: "exited"; readonly id: string; readonly exitCode: number | null }
  | { readonly kind: "stop"; readonly reason: string }
  | { readonly kind: "tick" };

export type SupervisorAction =
  | { readonly kind: "start"; readonly id: string }
  | { readonly kind: "signal"; readonly id: string; readonly signal: "SIGTERM" | "SIGKILL" }
  /** A tick is wanted at this time. */
  | { readonly kind: "wakeAt"; readonly atMs: number }
  /** No process is left. `failedExitCode`: of the process whose failure to start ended the others, else undefined. */
  | { readonly kind: "finished"; readonly reason: string; readonly failedExitCode: number | undefined };

interface Process {
  readonly slot: Slot;
  running: boolean;
  startedMs: number;
  /** Ends in a row without a long run between them. */
  failures: number;
  /** When to start it again; undefined when that is not planned. */
  restartAtMs: number | undefined;
  /** Told to end: a second SIGTERM would make it leave its work. */
  toldToEnd: boolean;
}

/** The state of a supervisor; only `superviseOn` changes it. */
export interface SupervisorState {
  readonly processes: ReadonlyMap<string, Process>;
  ready: boolean;
  stopping: { reason: string; killAtMs: number; failedExitCode: number | undefined } | undefined;
  finished: boolean;
}

/** How long after its n-th death in a row (from 1) a process starts again, and after which run the count begins anew. */
export const backOff = { firstMs: 200, maxMs: 10_000, forgottenAfterMs: 30_000 } as const;
/** How long processes may take to end before they are killed. */
export const stopGraceMs = 15_000;

/** The state before `begin`. */
export function createSupervisor(slots: readonly Slot[]): SupervisorState {
  const processes = slots.map((slot): [string, Process] => {
    return [slot.id, { slot, running: false, startedMs: 0, failures: 0, restartAtMs: undefined, toldToEnd: false }];
  });
  return { processes: new Map(processes), ready: false, stopping: undefined, finished: false };
}

/** Takes an event into the state, updated in place, and yields what to do, in order. */
export function superviseOn(state: SupervisorState, event: SupervisorEvent, nowMs: number): SupervisorAction[] {
  if (state.finished) return [];
  switch (event.kind) {
    case "begin": return [...state.processes.values()].map((process) => start(process, nowMs));
    case "ready": state.ready = true; return [];
    case "exited": return onExited(state, event, nowMs);
    case "stop": return state.stopping === undefined ? beginStop(state, event.reason, nowMs) : killAll(state);
    case "tick": return onTick(state, nowMs);
  }
}

/** Milliseconds to wait before a restart after `failures` deaths in a row (from 1). */
export function backOffMs(failures: number): number {
  return Math.min(backOff.firstMs * 2 ** (failures - 1), backOff.maxMs);
}

function start(process: Process, nowMs: number): SupervisorAction {
  process.running = true;
  process.startedMs = nowMs;
  process.restartAtMs = undefined;
  return { kind: "start", id: process.slot.id };
}

function onExited(state: SupervisorState, event: { id: string; exitCode: number | null }, nowMs: number): SupervisorAction[] {
  const process = state.processes.get(event.id);
  if (process === undefined || !process.running) return [];
  process.running = false;
  if (state.stopping !== undefined) return continueStop(state);
  // One that ends by itself before all are ready would do so again; one that was killed need not.
  if (!state.ready && event.exitCode !== null) return beginStop(state, `${event.id} did not start`, nowMs, event.exitCode);
  // A controller ends well only when it was told to, by killall: then the cluster is meant to end. After kill() it does not.
  if (process.slot.role === "controller" && event.exitCode === 0) return beginStop(state, "killall", nowMs);
  process.failures = nowMs - process.startedMs >= backOff.forgottenAfterMs ? 1 : process.failures + 1;
  process.restartAtMs = nowMs + backOffMs(process.failures);
  return [{ kind: "wakeAt", atMs: process.restartAtMs }];
}

function onTick(state: SupervisorState, nowMs: number): SupervisorAction[] {
  // A timer may fire a little early by this clock: what is not due yet is asked for again, or it would never come.
  if (state.stopping !== undefined) return nowMs >= state.stopping.killAtMs ? killAll(state) : [{ kind: "wakeAt", atMs: state.stopping.killAtMs }];
  const actions: SupervisorAction[] = [];
  let nextMs = Infinity;
  for (const process of state.processes.values()) {
    if (process.restartAtMs === undefined) continue;
    if (process.restartAtMs <= nowMs) actions.push(start(process, nowMs));
    else nextMs = Math.min(nextMs, process.restartAtMs);
  }
  return nextMs === Infinity ? actions : [...actions, { kind: "wakeAt", atMs: nextMs }];
}

function beginStop(state: SupervisorState, reason: string, nowMs: number, failedExitCode?: number): SupervisorAction[] {
  const killAtMs = nowMs + stopGraceMs;
  state.stopping = { reason, killAtMs, failedExitCode };
  return [{ kind: "wakeAt", atMs: killAtMs }, ...tellToEnd(runningOthers(state)), ...continueStop(state)];
}

/** Controllers end when the last of the others has said good-bye to them; with the last process all is finished. */
function continueStop(state: SupervisorState): SupervisorAction[] {
  if (state.stopping === undefined || runningOthers(state).length > 0) return [];
  const controllers = runningControllers(state);
  if (controllers.length > 0) return tellToEnd(controllers);
  state.finished = true;
  const { reason, failedExitCode } = state.stopping;
  return [{ kind: "finished", reason, failedExitCode }];
}

function tellToEnd(processes: readonly Process[]): SupervisorAction[] {
  return processes.filter((process) => !process.toldToEnd).map((process) => {
    process.toldToEnd = true;
    return { kind: "signal", id: process.slot.id, signal: "SIGTERM" };
  });
}

function killAll(state: SupervisorState): SupervisorAction[] {
  const left = [...runningOthers(state), ...runningControllers(state)];
  return left.map(({ slot }) => ({ kind: "signal", id: slot.id, signal: "SIGKILL" }));
}

/** Workers, downloaders and movers. */
function runningOthers({ processes }: SupervisorState): Process[] {
  return [...processes.values()].filter(({ running, slot }) => running && slot.role !== "controller");
}

function runningControllers({ processes }: SupervisorState): Process[] {
  return [...processes.values()].filter(({ running, slot }) => running && slot.role === "controller");
}
