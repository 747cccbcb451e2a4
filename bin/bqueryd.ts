#!/usr/bin/env node
import { listenEarly } from "../lib/cli/interruption.js";

// The rest takes a moment to load, in which Ctrl-C is to be heard as well.
listenEarly();
try {
  const { main } = await import("../lib/cli/main.js");
  process.exitCode = await main(process.argv.slice(2));
} catch (cause) {
  // A command reports its own failures: it was not loaded.
  const { reportUnloaded } = await import("../lib/cli/doctor/packages.js");
  process.exitCode = await reportUnloaded(cause);
}
