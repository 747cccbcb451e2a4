/** What the commands that serve have in common: configuration, log, registry, orders, metrics and a clean end. */
import type { Command } from "commander";
import { monotonicMs } from "../base/clock.js";
import { configTexts, loadConfig, type Config } from "../base/config.js";
import { createLog, type Log, type LogFacts } from "../base/log.js";
import { version } from "../base/version.js";
import type { Observed } from "../cluster/metrics/families.js";
import type { MetricsServer } from "../cluster/metrics/server.js";
import { openRegistry } from "../registry/open.js";
import type { Registry } from "../registry/registry.js";
import { readConfig, showsForPeople } from "./options.js";
import { listenForOrders } from "./orders.js";
import { createReloader, type Reload } from "./reload.js";

/** A role at work. */
export interface Daemon {
  /** Resolves with the reason when everything is closed. */
  readonly stopped: Promise<string>;
  stop(reason: string): Promise<void>;
  /** Once stopped: why it ended by itself, to be started again; absent or undefined when it was told to end. */
  findFailure?(): Error | undefined;
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
  readonly observed: Observed;
  readonly reload: Reload;
}

/**
 * Serves until a signal, the end of the process that supervises this one, or the role's own end. Throws what keeps the
 * role from starting, and what ended it by itself. A second signal ends the process at once; so does an error nobody
 * expected, after it was reported.
 */
export async function runDaemon(role: string, command: Command, start: (setup: DaemonSetup) => Promise<StartedDaemon>): Promise<void> {
  const config = readConfig(command);
  if (config === undefined) return;
  const log = createLog({ level: config.logLevel, role, forPeople: showsForPeople(command) });
  const startMs = monotonicMs();
  const orders = listenForOrders(log, (told) => (told === undefined ? readConfig(command) ?? config : loadConfig({ flags: { ...told, ...ownTexts(config) } })));
  try {
    const registry = await openRegistry(config);
    try {
      const { daemon, facts, observed, reload } = await start({ config, log, registry });
      const metrics = await serveMetrics(config, observed, daemon);
      orders.markServing(createReloader({ config, log, ...reload }));
      log.info({ event: "process.started", version, ...facts, ...(metrics === undefined ? {} : { metrics: metrics.url }) });
      void orders.stop.then((reason) => daemon.stop(reason));
      const reason = await daemon.stopped;
      await metrics?.close();
      log.info({ event: "process.stopped", reason, uptimeMs: Math.round(monotonicMs() - startMs) });
      const failure = daemon.findFailure?.();
      if (failure !== undefined) throw failure;
    } finally {
      await registry.close();
    }
  } finally {
    orders.close();
  }
}

/** What a supervised process has for itself. */
function ownTexts(config: Config): { port: string | undefined; metrics_port: string | undefined } {
  const { port, metrics_port } = configTexts(config);
  return { port, metrics_port };
}

/** Serves metrics where the configuration has a port for them; a role that cannot be observed as it should is stopped. */
async function serveMetrics({ bind, metricsPort }: Config, observed: Observed, daemon: Daemon): Promise<MetricsServer | undefined> {
  if (metricsPort === undefined) return undefined;
  try {
    const server = await import("../cluster/metrics/server.js");
    return await server.serveMetrics({ bind, port: metricsPort, observed });
  } catch (cause) {
    await daemon.stop("metrics cannot be served");
    throw cause;
  }
}
