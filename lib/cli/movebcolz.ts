/** `bqueryd movebcolz`: puts what downloaders have fetched into the tables of this node. */
import type { Command } from "commander";
import { keepYoungSmall } from "../base/garbage.js";
import { observeMover } from "../cluster/metrics/mover-metrics.js";
import { openPresence } from "../cluster/presence.js";
import { startMover } from "../cluster/sync/mover/node.js";
import { runDaemon } from "./daemon.js";
import { addLogOption } from "./options.js";

/** Adds `movebcolz` to the program. */
export function addMovebcolzCommand(program: Command): void {
  addLogOption(program.command("movebcolz"))
    .description("put tables that were fetched into data_dir, all at once or not at all, until SIGTERM or Ctrl-C; one for each data_dir")
    .action(runMovebcolz);
}

async function runMovebcolz(_flags: unknown, command: Command): Promise<void> {
  keepYoungSmall();
  await runDaemon("mover", command, async (setup) => {
    const mover = await startMover({ ...setup, show: (showing) => openPresence({ ...setup, ...showing }) });
    return {
      daemon: mover, facts: { mover: mover.id, node: setup.config.node, dataDir: setup.config.dataDir }, observed: observeMover(mover.look),
      reload: { keys: ["stall", "keep_generations", "timeout"], apply: mover.reload },
    };
  });
}
