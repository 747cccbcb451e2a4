/** `bqueryd downloader`: fetches the tables of tickets to this node. */
import type { Command } from "commander";
import { keepYoungSmall } from "../base/garbage.js";
import { observeDownloader } from "../cluster/metrics/downloader-metrics.js";
import { openPresence } from "../cluster/presence.js";
import { startDownloader } from "../cluster/sync/downloader/node.js";
import { runDaemon } from "./daemon.js";
import { addLogOption } from "./options.js";

/** Adds `downloader` to the program. */
export function addDownloaderCommand(program: Command): void {
  addLogOption(program.command("downloader"))
    .description("fetch tables that tickets bring to this node, beside those in data_dir, until SIGTERM or Ctrl-C")
    .action(runDownloader);
}

async function runDownloader(_flags: unknown, command: Command): Promise<void> {
  keepYoungSmall();
  await runDaemon("downloader", command, async (setup) => {
    const downloader = await startDownloader({ ...setup, show: (showing) => openPresence({ ...setup, ...showing }) });
    return {
      daemon: downloader, facts: { downloader: downloader.id, node: setup.config.node, dataDir: setup.config.dataDir }, observed: observeDownloader(downloader.look),
      reload: { keys: ["download_rate", "lease", "stall"], apply: downloader.reload },
    };
  });
}
