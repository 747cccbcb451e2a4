/** What the commands that serve have in common: configuration, log, registry, signals and a clean end. */
import type { Command } from "commander";
import { monotonicMs } from "../base/clock.js";
import type { Config } from "../base/config.js";
import { createLog, type Log, type LogFacts } from "../base/log.js";
import { version } from "../base/version.js";
import { openRegistry } from "../registry/open.js";
import type { Registry } from "../registry/registry.js";
import { readConfig, showsForPeople } from "./options.js";
import { reportError } from "./report.js";

/** A role at work. */
export interface Daemon {
  /** Resolves with the reason when everything is closed. */
  readonly stopped: Promise<string>;
  stop(reason: string): Promise<void>;
}

/** What a role is started with. The registry is closed after the role has stopped. */
export interface DaemonSetup {
  readonly config: Config;
  readonly log: Log;
  readonly registry: Registry;
}

/** A role started, and the facts about it that its first log line tells. */
export interface StartedDaemon {
  readonly daemon: Daemon;
  readonly facts: Omit<LogFacts, "event">;
}

const interruptedExitCode = 130;
/** How long a start that was told to end may take before the process ends without it. */
const startGraceMs = 5_000;

/**
 * Serves until a signal, the end of the process that supervises this one, or the role's own end. Throws what keeps the
 * role from starting. A second signal ends the process at once; so does an error nobody expected, after it was reported.
 */
export async function runDaemon(role: string, command: Command, start: (setup: DaemonSetup) => Promise<StartedDaemon>): Promise<void> {
  const config = readConfig(command);
  if (config === undefined) return;
  const log = createLog({ level: config.logLevel, role, forPeople: showsForPeople(command) });
  const startMs = monotonicMs();
  const orders = listenForOrders(log);
  try {
    const registry = await openRegistry({ registryDir: config.registryDir, cluster: config.cluster });
    try {
      const { daemon, facts } = await start({ config, log, registry });
      orders.markServing();
      log.info({ event: "process.started", version, ...facts });
      void orders.stop.then((reason) => daemon.stop(reason));
      const reason = await daemon.stopped;
      log.info({ event: "process.stopped", reason, uptimeMs: Math.round(monotonicMs() - startMs) });
    } finally {
      await registry.close();
    }
  } finally {
    orders.close();
  }
}

/** Resolves `stop` with what asks this process to end, from the start on, so that none comes too early to be heard. */
function listenForOrders(log: Log): { stop: Promise<string>; markServing(): void; close(): void } {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  let isStopping = false;
  let isServing = false;
  let resolve: (reason: string) => void;
  const stop = new Promise<string>((onStop) => { resolve = onStop; });
  function order(reason: string): void {
    isStopping = true;
    resolve(reason);
    // A start may be stuck, on a file system for one.
    if (!isServing) setTimeout(() => { if (!isServing) process.exit(interruptedExitCode); }, startGraceMs).unref();
  }
  function onSignal(signal: NodeJS.Signals): void {
    if (isStopping) process.exit(interruptedExitCode);
    order(signal);
  }
  function onDisconnect(): void {
    order("the supervising process ended");
  }
  function onUnexpected(error: unknown): void {
    log.error({ event: "process.failed", error });
    process.exit(reportError(error));
  }
  for (const signal of signals) process.on(signal, onSignal);
  process.on("disconnect", onDisconnect);
  process.on("uncaughtException", onUnexpected);
  // It may have ended while this process was loading its modules; without a channel this is undefined.
  if (process.connected === false) onDisconnect();
  return {
    stop,
    markServing() { isServing = true; },
    close() {
      for (const signal of signals) process.removeListener(signal, onSignal);
      process.removeListener("disconnect", onDisconnect);
      process.removeListener("uncaughtException", onUnexpected);
    },
  };
}
