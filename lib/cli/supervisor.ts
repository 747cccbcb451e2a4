/** Does what supervisor-core.ts decides: starts child processes of this program, signals them, waits for them. */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { monotonicMs } from "../base/clock.js";
import { BquerydError, isErrorCode } from "../base/errors.js";
import { withResolvers } from "../base/resolvers.js";
import { formatExit } from "./exit-line.js";
import { createSupervisor, superviseOn, type Slot, type SupervisorAction, type SupervisorEvent } from "./supervisor-core.js";

/** A process to keep running. */
export interface SupervisedSlot extends Slot {
  /** The arguments of this program that make it one, asked for at every start. */
  args(): readonly string[];
  /** All variables of its environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Processes that are kept running. */
export interface Supervisor {
  /** Ids of the processes that run now, by pid. */
  pids(): ReadonlyMap<number, string>;
  /** From now on a process that dies is started again; before, its failure ends all. */
  markReady(): void;
  /** Sends all that run a message; it is lost to those that do not read it yet. */
  tell(message: object): void;
  /** Asks all to end; a second call kills them. */
  stop(reason: string): void;
  /** The reason, when no process is left. Rejects with the error of a process that failed before all were ready. */
  readonly finished: Promise<string>;
}

const program = fileURLToPath(new URL("../../bin/bqueryd.js", import.meta.url));

/**
 * Starts every slot as a child process, and writes on stderr what they do, as `show` makes it of their lines. Children end
 * by themselves when this process is gone, however it ended.
 */
export function startSupervisor(slots: readonly SupervisedSlot[], show: (line: string) => string): Supervisor {
  const state = createSupervisor(slots);
  const children = new Map<string, ChildProcess>();
  const failures = new Map<string, BquerydError>();
  const timers = new Set<NodeJS.Timeout>();
  const { promise: finished, resolve, reject } = withResolvers<string>();

  function on(event: SupervisorEvent): void {
    for (const action of superviseOn(state, event, monotonicMs())) act(action);
  }

  function act(action: SupervisorAction): void {
    switch (action.kind) {
      case "start": startChild(action.id); return;
      case "signal": children.get(action.id)?.kill(action.signal); return;
      case "wakeAt": wakeAt(action.atMs); return;
      case "finished": finish(action); return;
    }
  }

  function startChild(id: string): void {
    const slot = slots.find((candidate) => candidate.id === id)!;
    // A group of its own: Ctrl-C reaches this process alone, which then ends the children in order. The IPC channel
    // carries what `tell` sends, and its closing tells the child that this process is gone.
    const child = spawn(process.execPath, [program, ...slot.args()], { env: slot.env, detached: true, stdio: ["ignore", "inherit", "pipe", "ipc"] });
    children.set(id, child);
    createInterface({ input: child.stderr! }).on("line", (line) => {
      const failure = state.ready ? undefined : parseFailure(line);
      if (failure === undefined) process.stderr.write(`${show(line)}\n`);
      else failures.set(id, failure);
    });
    // A child that cannot be started closes too, without an exit code of its own.
    child.on("error", () => undefined);
    child.on("close", (exitCode, signal) => {
      children.delete(id);
      if (state.ready && state.stopping === undefined && exitCode !== 0) process.stderr.write(`${show(formatExit({ id, pid: child.pid, exitCode, signal }))}\n`);
      on({ kind: "exited", id, exitCode });
    });
  }

  function wakeAt(atMs: number): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      on({ kind: "tick" });
    }, Math.max(1, Math.ceil(atMs - monotonicMs())));
    timers.add(timer);
  }

  function finish({ reason, failedExitCode }: { reason: string; failedExitCode: number | undefined }): void {
    for (const timer of timers) clearTimeout(timer);
    if (failedExitCode === undefined) resolve(reason);
    else reject([...failures.values()][0] ?? new BquerydError("INTERNAL", `${reason}: it ended with exit code ${failedExitCode}`));
  }

  on({ kind: "begin" });
  return {
    pids: () => new Map([...children].flatMap(([id, { pid }]) => (pid === undefined ? [] : [[pid, id]]))),
    markReady: () => { on({ kind: "ready" }); },
    tell(message) {
      // One that is about to end hears nothing more, which is no fault.
      for (const child of children.values()) if (child.connected) child.send(message, () => undefined);
    },
    stop: (reason) => { on({ kind: "stop", reason }); },
    finished,
  };
}

/** The error that a line `bqueryd: CODE: sentence` of a child reports. */
function parseFailure(line: string): BquerydError | undefined {
  const [, code, message] = /^bqueryd: ([A-Z_]+): (.*)$/.exec(line) ?? [];
  return code !== undefined && message !== undefined && isErrorCode(code) ? new BquerydError(code, message) : undefined;
}
