/**
 * A downloader or mover that does nothing: `ROLE FLAG...` registers as one with the configuration of the flags, `--key=value`.
 * It says `ready` when a controller has taken it, `level LEVEL` when it is told how much to log, and ends when it is told to,
 * saying `shutdown REASON`.
 */
import { writeSync } from "node:fs";
import { loadConfig } from "../../lib/base/config.js";
import { openPresence } from "../../lib/cluster/presence.js";
import { openRegistry } from "../../lib/registry/open.js";
import { createSilentLog } from "./silent-log.js";
import { until } from "./until.js";

const [, , role, ...flags] = process.argv;
if (role !== "downloader" && role !== "mover") throw new Error(`unknown role '${role}'`);
const config = loadConfig({ flags: Object.fromEntries(flags.map((flag) => flag.slice(2).split("=") as [string, string])) });
const registry = await openRegistry(config);
const presence = await openPresence({
  config, registry, role,
  log: { ...createSilentLog().log, setLevel: (level) => { say(`level ${level}`); } },
  describeDoing: () => "taxi-3.bcolzs 41 %",
  onShutdown(reason) {
    say(`shutdown ${reason}`);
    void end(reason);
  },
});
// Whoever started it may be gone without a word.
process.on("disconnect", () => { void end("the test is gone"); });
await until("a controller has taken it", () => presence.isConnected());
say("ready");

async function end(reason: string): Promise<void> {
  await presence.close(reason);
  await registry.close();
  if (process.connected) process.disconnect();
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}
