/** `bqueryd downloads`: the tickets of a cluster, and how far they are. */
import type { Command } from "commander";
import { connectWith } from "../client/connect.js";
import { formatDownloads, formatDownloadsInFull } from "./downloads-text.js";
import { readConfig } from "./options.js";

/** Adds `downloads` to the program. */
export function addDownloadsCommand(program: Command): void {
  program
    .command("downloads")
    .description("list what is, or lately was, on its way to nodes; with --verbose every node and table of it")
    .option("--json", "print one JSON list")
    .action(runDownloads);
}

async function runDownloads({ json = false }: { readonly json?: boolean }, command: Command): Promise<void> {
  const config = readConfig(command);
  if (config === undefined) return;
  // The flag of all commands: it is taken before ours could be.
  const isFull = Number(command.optsWithGlobals<{ verbose?: number }>().verbose ?? 0) > 0;
  const rpc = await connectWith(config);
  try {
    const downloads = await rpc.downloads({ verbose: isFull ? true : "nodes" });
    if (json) process.stdout.write(`${JSON.stringify(downloads)}\n`);
    else if (downloads.length === 0) process.stdout.write("no downloads\n");
    else process.stdout.write(`${isFull ? formatDownloadsInFull(downloads) : formatDownloads(downloads)}\n`);
  } finally {
    await rpc.close();
  }
}
