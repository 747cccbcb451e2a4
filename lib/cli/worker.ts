/** `bqueryd worker`: serves the tables of one data directory. */
import type { Command } from "commander";
import { keepYoungSmall } from "../base/garbage.js";
import { observeWorker } from "../cluster/metrics/worker-metrics.js";
import { startWorker } from "../cluster/worker/node.js";
import { runDaemon } from "./daemon.js";
import { addLogOption } from "./options.js";
import { endForRestart } from "./restart.js";

/** Adds `worker` to the program. */
export function addWorkerCommand(program: Command): void {
  addLogOption(program.command("worker"))
    .description("serve the tables of data_dir until SIGTERM or Ctrl-C")
    .action(runWorker);
}

async function runWorker(_flags: unknown, command: Command): Promise<void> {
  keepYoungSmall();
  await runDaemon("worker", command, async (setup) => {
    const worker = await startWorker(setup);
    endForRestart(worker.stopped, "killworkers");
    return {
      daemon: worker, facts: { worker: worker.id, dataDir: setup.config.dataDir }, observed: observeWorker(worker.look),
      reload: { keys: ["memory_limit", "timeout"], apply: worker.reload },
    };
  });
}
