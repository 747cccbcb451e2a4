/**
 * Loaded into a process before its program: whenever it gets SIGUSR2 it collects the garbage of its main thread, and then puts
 * what it holds into a file for whoever asks (collected.ts).
 */
import { renameSync, writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { heldPath, type HeldMemory } from "./collected.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const path = heldPath(process.env, process.pid);

process.on("SIGUSR2", () => {
  collect();
  // The bytes outside the heap that a collection frees are counted when the next one begins.
  collect();
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
  const held: HeldMemory = { keptBytes: heapUsed + external, residentBytes: rss - (heapTotal - heapUsed) };
  writeFileSync(`${path}.new`, JSON.stringify(held));
  renameSync(`${path}.new`, path);
});
