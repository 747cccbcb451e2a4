/** Clients as processes of their own, under load, that can be stopped and killed. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CallOutcome } from "./load-program.js";

/** A client process. */
export interface LoadClient {
  signal(name: NodeJS.Signals): void;
  /** Starts it again after it was killed. */
  restart(): Promise<void>;
  /** Lets it finish its calls, and waits until it has ended. */
  finish(): Promise<void>;
}

const program = fileURLToPath(new URL("./load-program.js", import.meta.url));

/** Starts one; `onOutcome` is told of every call. */
export async function startLoad(controllers: readonly string[], timeoutSeconds: number, onOutcome: (outcome: CallOutcome) => void): Promise<LoadClient> {
  let child = await start();

  async function start(): Promise<ChildProcess> {
    const started = fork(program, [controllers.join(","), String(timeoutSeconds)], { detached: true, stdio: ["ignore", "inherit", "inherit", "ipc"] });
    started.on("message", (outcome: CallOutcome) => { onOutcome(outcome); });
    await once(started, "spawn");
    return started;
  }

  function hasEnded(): boolean {
    return child.exitCode !== null || child.signalCode !== null;
  }

  return {
    signal: (name) => { child.kill(name); },
    async restart() {
      if (!hasEnded()) await once(child, "exit");
      child = await start();
    },
    async finish() {
      if (hasEnded()) return;
      const ended = once(child, "exit");
      child.send("over");
      await ended;
    },
  };
}
