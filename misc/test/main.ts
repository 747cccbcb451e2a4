/**
 * `npm test`: all test files, as many processes of mocha side by side as there are cores up to four. What a process
 * prints appears when it has ended; the failures are told again at the end, and the last line sums all up.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { accessSync, constants, readdirSync, statfsSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { mapBounded } from "../../lib/base/bounded.js";
import { monotonicMs } from "../../lib/base/clock.js";
import { fitsMemory, groupFiles } from "./groups.js";

/** How a process of mocha ended. */
interface Ending {
  readonly files: readonly string[];
  readonly seconds: number;
  readonly passed: number;
  readonly failed: number;
  /** From the first failure on; empty without one. */
  readonly failures: string;
}

const mocha = createRequire(import.meta.url).resolve("mocha/bin/mocha.js");
/** What the tests need besides: each of them installs it where it may. */
const needs = ["need-redis.mjs", "need-s3-clients.mjs"].map((name) => fileURLToPath(new URL(`../../../misc/${name}`, import.meta.url)));
const tests = fileURLToPath(new URL("../../test/", import.meta.url));
const processesMost = 4;
const groupLimitMs = 600_000;
const running = new Set<ChildProcess>();
/** What asked for an end: no other group is begun then. */
let stoppedBy: NodeJS.Signals | undefined;
const memoryFolder = "/dev/shm";
/** More than all groups side by side put there, with what their processes take. */
const memoryFreeBytesMin = 8 * 2 ** 30;
const smallTemp = hasRoom(memoryFolder) ? memoryFolder : tmpdir();

process.exitCode = await main(process.argv.slice(2));

/** Runs the files whose path holds one of the words, all without any. */
async function main(words: readonly string[]): Promise<number> {
  for (const need of needs) {
    const { status } = spawnSync(process.execPath, [need], { stdio: "inherit" });
    if (status !== 0) return status ?? 1;
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => { stopAll(signal); });
  const files = readdirSync(tests, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".test.js")).map((name) => join(tests, name));
  const chosen = words.length === 0 ? files : files.filter((file) => words.some((word) => file.includes(word)));
  const startMs = monotonicMs();
  const endings = await mapBounded(groupFiles(chosen), Math.min(processesMost, availableParallelism()), run);
  if (stoppedBy !== undefined) {
    process.stdout.write(`stopped by ${stoppedBy}\n`);
    return 1;
  }
  const [passed, failed] = [sumOf(endings, "passed"), sumOf(endings, "failed")];
  for (const { failures } of endings) process.stdout.write(failures);
  process.stdout.write(`${slowest(endings)}\n${chosen.length} files in ${Math.round((monotonicMs() - startMs) / 1000)} s\n${passed} passed, ${failed} failed\n`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

async function run(files: readonly string[]): Promise<Ending> {
  if (stoppedBy !== undefined) return { files, seconds: 0, passed: 0, failed: 0, failures: "" };
  const startMs = monotonicMs();
  const env = { ...process.env, TMPDIR: fitsMemory(files) ? smallTemp : tmpdir() };
  const child = spawn(process.execPath, [mocha, ...files], { env, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const limit = setTimeout(() => child.kill("SIGKILL"), groupLimitMs);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => { output += text; });
  return new Promise((resolve) => {
    child.once("close", (code, signal) => {
      clearTimeout(limit);
      running.delete(child);
      process.stdout.write(output);
      resolve({ files, seconds: (monotonicMs() - startMs) / 1000, ...readEnding(output, files, signal ?? code ?? 0) });
    });
  });
}

/** Whether temp files can be made in a folder in memory, and there is room for them. */
function hasRoom(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    return Math.min(bavail * bsize, process.availableMemory()) >= memoryFreeBytesMin;
  } catch {
    return false;
  }
}

/** A process that did not tell how many passed, or failed all the same, counts as one failure. */
function readEnding(output: string, files: readonly string[], ended: number | NodeJS.Signals): Pick<Ending, "passed" | "failed" | "failures"> {
  const counts = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
  const passed = Number(counts?.[1] ?? 0);
  const failed = Number(counts?.[2] ?? 0);
  if (counts !== undefined && (failed > 0 || ended === 0)) return { passed, failed, failures: failed === 0 ? "" : output.slice(Math.max(0, output.search(/^ {2}\d+ passing/m))) };
  return { passed, failed: failed + 1, failures: `\nmocha ended with ${ended} in ${files.join(" ")}\n${output.slice(-4_000)}\n` };
}

function slowest(endings: readonly Ending[]): string {
  const sorted = [...endings].sort((left, right) => right.seconds - left.seconds).slice(0, 8);
  return sorted.map(({ files, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${files.length === 1 ? files[0]!.slice(tests.length) : `${files.length} files from ${files[0]!.slice(tests.length)}`}`).join("\n");
}

function sumOf(endings: readonly Ending[], name: "passed" | "failed"): number {
  return endings.reduce((sum, ending) => sum + ending[name], 0);
}

function stopAll(signal: NodeJS.Signals): void {
  stoppedBy = signal;
  for (const child of running) child.kill(signal);
}
