/** `bqueryd` as a process that tells, as its last line on stderr, how much memory it had at most: `peak 12345 kB`. */
import { readFileSync } from "node:fs";
import { main } from "../../lib/cli/main.js";

// What the system counts for the resources of a process begins with those of the one that started it; this does not.
process.once("exit", () => {
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
  process.stderr.write(`\npeak ${peak} kB\n`);
});
process.exitCode = await main(process.argv.slice(2));
