/** What a process holds of memory once the garbage of its main thread is collected: most of chance apart, what it keeps. */
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { BquerydProcess } from "../../misc/support/process.js";
import { until } from "./until.js";

/** What a process holds of memory. */
export interface HeldMemory {
  /** What JavaScript keeps in the main thread, on V8's heap and outside of it: the same from time to time, but for what leaks. */
  readonly keptBytes: number;
  /** What the process has of the machine, without the pages that V8 keeps free in the main thread: how many these are is chance. */
  readonly residentBytes: number;
}

const folderVariable = "COLLECTED_FOLDER";

/** The environment of a process that can be asked; it answers in a folder, which is there. */
export function collectingEnv(folder: string): Record<string, string> {
  return { NODE_OPTIONS: `--import=${new URL("collecting.js", import.meta.url).href}`, [folderVariable]: folder };
}

/** Where a process of that environment puts what it holds. */
export function heldPath(env: Readonly<Record<string, string | undefined>>, pid: number): string {
  return join(env[folderVariable]!, `held-${pid}`);
}

/** What a process holds that was started with `collectingEnv(folder)`. Throws where it does not answer. */
export async function heldBy(running: BquerydProcess, folder: string): Promise<HeldMemory> {
  const path = heldPath({ [folderVariable]: folder }, running.pid);
  await rm(path, { force: true });
  running.signal("SIGUSR2");
  await until(`process ${running.pid} says what it holds`, () => existsSync(path));
  return JSON.parse(await readFile(path, "utf8")) as HeldMemory;
}
