/** `bqueryd controller`: takes calls and gives their tasks to workers. */
import type { Command } from "commander";
import { observeController } from "../cluster/metrics/controller-metrics.js";
import { startController } from "../cluster/controller/node.js";
import { runDaemon } from "./daemon.js";
import { endForRestart } from "./restart.js";
import { addLogOption } from "./options.js";

/** Adds `controller` to the program. */
export function addControllerCommand(program: Command): void {
  addLogOption(program.command("controller"))
    .description("take calls and give their tasks to workers, until SIGTERM or Ctrl-C")
    .action(runController);
}

async function runController(_flags: unknown, command: Command): Promise<void> {
  await runDaemon("controller", command, async (setup) => {
    const controller = await startController(setup);
    endForRestart(controller.stopped, "kill");
    return {
      daemon: controller, facts: { address: controller.address }, observed: observeController(controller.look),
      reload: { keys: ["attempts_max", "queue_tasks_max", "authorized_keys"], apply: controller.reload },
    };
  });
}
