/** `bqueryd up`: a controller and workers on this machine, and downloaders with a mover, kept running until told to end. */
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import { monotonicMs } from "../base/clock.js";
import { configEnvironment, configFlags, configTexts, type Config } from "../base/config.js";
import { BquerydError } from "../base/errors.js";
import { formatLogLine } from "../base/log-line.js";
import { formatCounted } from "../base/quantities.js";
import { connectWith } from "../client/connect.js";
import { shortAddress } from "../wire/addresses.js";
import type { ClusterInfo } from "../wire/documents.js";
import { requireDataDir } from "../cluster/worker/holdings/data-dir.js";
import { openRegistry } from "../registry/open.js";
import { addLogOption, readConfig, showsForPeople } from "./options.js";
import { endsWithTerminal, type ReloadMessage } from "./orders.js";
import { formatError } from "./report.js";
import { startSupervisor, type SupervisedSlot, type Supervisor } from "./supervisor.js";
import type { Slot } from "./supervisor-core.js";

/** A cluster of child processes. */
export interface Up {
  /** Of the controller: `tcp://127.0.0.1:14300`. */
  readonly address: string;
  readonly workers: number;
  /** Beside them, with one mover where there are any. */
  readonly downloaders: number;
  /** What the cluster served when all were ready. */
  readonly tables: readonly ServedTable[];
  /** Why the cluster ended, when no process of it is left. */
  readonly stopped: Promise<string>;
  /** Ends all processes and waits for them; a second call while the first waits kills them. */
  stop(reason: string): Promise<void>;
}

/** A table or set that a cluster serves. */
export interface ServedTable {
  readonly table: string;
  readonly shards: number;
  readonly rows: number;
}

const readyWithinMs = 30_000;
const pollMs = 25;
/** A cluster that is up already is asked for its workers for so long. */
const joinedWithinMs = 1_000;

/** Adds `up` to the program. */
export function addUpCommand(program: Command): void {
  addLogOption(program.command("up"))
    .description("run a controller and workers on this machine until Ctrl-C, with --downloaders N also those and a mover")
    .action(runUp);
}

/**
 * Starts a controller, `config.workers` workers and, where `config.downloaders` says so, downloaders and a mover as child
 * processes and waits until all serve. A process that dies later is started again. Rejects with the error of a process that could not start, after ending the others.
 */
export async function startUp(config: Config): Promise<Up> {
  await requireDataDir(config.dataDir);
  return whenServing(startProcesses(config, asItIs), config);
}

function asItIs(line: string): string {
  return line;
}

/** One line about a ready cluster, and how to ask it. */
export function formatReady({ address, workers, downloaders, tables }: Up): string {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const shards = tables.reduce((sum, table) => sum + table.shards, 0);
  const served = `${formatCounted(tables.length, "table")} (${formatCounted(shards, "shard")}, ${formatCounted(rows, "row")})`;
  const carriers = downloaders === 0 ? "" : `, ${formatCounted(downloaders, "downloader")} and a mover`;
  return `ready: ${address}, ${formatCounted(workers, "worker")}${carriers}, ${served}; ask with: bqueryd ${address}`;
}

async function runUp(_flags: unknown, command: Command): Promise<void> {
  const config = readConfig(command);
  if (config === undefined) return;
  // A worker would find it out as well, while the others start: what is told first then may be a consequence.
  await requireDataDir(config.dataDir);
  const joined = await describeJoined(config);
  if (joined !== undefined) process.stderr.write(`bqueryd: ${joined}\n`);
  const processes = startProcesses(config, showsForPeople(command) ? formatLogLine : asItIs);
  const stop = (name: string): void => { processes.supervisor.stop(name); };
  const hangup = endsWithTerminal() ? stop : () => { reload(processes, command); };
  process.on("SIGINT", stop).on("SIGTERM", stop).on("SIGHUP", hangup);
  try {
    const up = await whenServing(processes, config);
    process.stdout.write(`${formatReady(up)}\n`);
    process.stdout.write(`stopped: ${await up.stopped}\n`);
  } finally {
    process.removeListener("SIGINT", stop).removeListener("SIGTERM", stop).removeListener("SIGHUP", hangup);
  }
}

/** Reads the configuration again, for the processes that run and those that will be started. */
function reload(processes: Processes, command: Command): void {
  try {
    const config = readConfig(command);
    if (config !== undefined) processes.reload(config);
  } catch (cause) {
    process.stderr.write(`bqueryd: ${formatError(cause)}; until then the configuration in force stays\n`);
  }
}

/** A sentence about the cluster that is up already, which new processes join; undefined where there is none. */
async function describeJoined(config: Config): Promise<string | undefined> {
  const registry = await openRegistry(config);
  try {
    const controllers = await registry.controllers();
    const [first] = controllers;
    if (first === undefined) return undefined;
    const workers = await countWorkers({ ...config, controllers: [first.address], timeoutMs: joinedWithinMs, expiryMs: joinedWithinMs });
    const size = workers === undefined ? formatCounted(controllers.length, "controller") : `${formatCounted(controllers.length, "controller")} and ${formatCounted(workers, "worker")}`;
    return `joins a cluster of ${size} at ${controllers.map(({ address }) => shortAddress(address)).join(", ")}; give --cluster NAME for one of its own`;
  } finally {
    await registry.close();
  }
}

/** The workers of the cluster that is up; undefined where its controller does not say in time. */
async function countWorkers(config: Config): Promise<number | undefined> {
  const rpc = await connectWith(config);
  try {
    return (await rpc.info()).workers.length;
  } catch {
    return undefined;
  } finally {
    await rpc.close();
  }
}

/** The processes of a configuration, in the order of their ports for metrics. */
export function planSlots({ workers, downloaders }: Pick<Config, "workers" | "downloaders">): Slot[] {
  const several = (role: "worker" | "downloader", count: number): Slot[] => Array.from({ length: count }, (_, index) => ({ id: `${role} ${index + 1}`, role }));
  return [{ id: "controller", role: "controller" }, ...several("worker", workers), ...several("downloader", downloaders), ...(downloaders === 0 ? [] : [{ id: "mover", role: "mover" } as const])];
}

/** The command that makes a process of each role. */
const commandOf: Readonly<Record<Slot["role"], string>> = { controller: "controller", worker: "worker", downloader: "downloader", mover: "movebcolz" };

interface Processes {
  readonly supervisor: Supervisor;
  /** A controller that is started again listens where the first one did: people and programs know that address. */
  keepAddress(address: string): void;
  /** Tells those that run of a configuration, which take over what they can, and gives it to those that are started again. */
  reload(config: Config): void;
}

/** Starts them; what they write on stderr is shown line by line, as `show` makes it. */
function startProcesses(config: Config, show: (line: string) => string): Processes {
  let inForce = config;
  const slots = planSlots(config).map(({ id, role }, index): SupervisedSlot => {
    return { id, role, args: () => [commandOf[role], ...configFlags({ ...inForce, metricsPort: nthPort(inForce.metricsPort, index) })], env: configEnvironment(config) };
  });
  const supervisor = startSupervisor(slots, show);
  return {
    supervisor,
    keepAddress(address) { inForce = { ...inForce, port: Number(new URL(address).port) }; },
    reload(again) {
      // Each has an address of its own, which it keeps.
      const { port, metricsPort } = inForce;
      inForce = { ...again, port, metricsPort };
      const message: ReloadMessage = { reload: configTexts(inForce) };
      supervisor.tell(message);
    },
  };
}

/** The port of the n-th process from 0 on; each takes any free one where that is asked for. */
function nthPort(first: number | undefined, index: number): number | undefined {
  return first === undefined || first === 0 ? first : first + index;
}

async function whenServing({ supervisor, keepAddress }: Processes, config: Config): Promise<Up> {
  const { finished } = supervisor;
  const over = new AbortController();
  const started = waitUntilServing(supervisor, config, over.signal);
  try {
    const { address, tables } = await Promise.race([started, finished.then(failInterrupted)]);
    keepAddress(address);
    supervisor.markReady();
    const stop = async (reason: string): Promise<void> => {
      supervisor.stop(reason);
      await finished;
    };
    return { address, workers: config.workers, downloaders: config.downloaders, tables, stopped: finished, stop };
  } catch (error) {
    over.abort();
    supervisor.stop("start failed");
    // How the others end adds nothing to the error that is thrown.
    await Promise.allSettled([finished, started]);
    throw error;
  }
}

function failInterrupted(reason: string): never {
  throw new BquerydError("CANCELLED", `starting was interrupted by ${reason}`);
}

interface Serving {
  readonly address: string;
  readonly tables: readonly ServedTable[];
}

async function waitUntilServing(supervisor: Supervisor, config: Config, over: AbortSignal): Promise<Serving> {
  const patience = { deadlineMs: monotonicMs() + readyWithinMs, over };
  const address = await findController(supervisor, config, patience);
  const rpc = await connectWith({ ...config, controllers: [address] });
  try {
    const registered = planSlots(config).length - 1;
    await until(config.downloaders === 0 ? "the workers" : "the workers, downloaders and the mover", patience, async () => countOwn(supervisor, await rpc.info({ signal: over })) === registered);
    const files = await rpc.files({ signal: over });
    return { address, tables: files.map(({ table, shards, rows }) => ({ table, shards, rows })) };
  } finally {
    await rpc.close();
  }
}

/** The address under which the controller among our children announced itself. */
async function findController(supervisor: Supervisor, config: Config, patience: Patience): Promise<string> {
  const registry = await openRegistry(config);
  try {
    let address: string | undefined;
    await until("the controller", patience, async () => {
      const pids = supervisor.pids();
      address = (await registry.controllers()).find(({ pid, node }) => node === config.node && pids.has(pid))?.address;
      return address !== undefined;
    });
    return address!;
  } finally {
    await registry.close();
  }
}

interface Patience {
  readonly deadlineMs: number;
  readonly over: AbortSignal;
}

async function until(what: string, { deadlineMs, over }: Patience, isReached: () => Promise<boolean>): Promise<void> {
  while (!(await isReached())) {
    if (monotonicMs() > deadlineMs) {
      throw new BquerydError("DEADLINE", `${what} did not start within ${readyWithinMs / 1_000} s; see the log lines above, and try again with -v`);
    }
    await delay(pollMs, undefined, { signal: over });
  }
}

/** How many of the workers, downloaders and movers in `info()` are our children. */
function countOwn(supervisor: Supervisor, { workers, downloaders, movers }: ClusterInfo): number {
  const pids = supervisor.pids();
  return [...workers, ...downloaders, ...movers].filter(({ pid }) => pids.has(pid)).length;
}
