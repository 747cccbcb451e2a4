/** A controller in this process over a real registry, at which processes of any role are registered: for what asks for tickets. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomId } from "../../lib/base/clock.js";
import { loadConfig, type Config } from "../../lib/base/config.js";
import { startController, type RunningController } from "../../lib/cluster/controller/node.js";
import { openRegistry } from "../../lib/registry/open.js";
import type { Registry } from "../../lib/registry/registry.js";
import { connectDealer, type Dealer } from "../../lib/wire/dealer.js";
import { createSilentLog } from "./silent-log.js";
import { createTicketDouble, type TicketDouble } from "./ticket-double.js";
import { until } from "./until.js";

/** Such a cluster, in a folder of its own. */
export interface TicketCluster {
  readonly folder: string;
  readonly registryDir: string;
  readonly config: Config;
  readonly registry: Registry;
  readonly double: TicketDouble;
  /** Starts a controller; the earlier ones go on. */
  startController(): Promise<RunningController>;
  /** Registers a process at a controller, once that knows it. */
  register(address: string, node: string, role: "worker" | "downloader" | "mover"): Promise<void>;
  /** Brings every ticket to its end, now and from now on, until the cluster is closed. */
  carryAll(): void;
  close(): Promise<void>;
}

const carryEveryMs = 20;

/** A cluster without processes; `flags` are of the controllers and of `config`. */
export async function openTicketCluster(flags: Readonly<Record<string, string>> = {}): Promise<TicketCluster> {
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-tickets-"));
  const registryDir = join(folder, "registry");
  const config = loadConfig({ flags: { registry_dir: registryDir, data_dir: folder, heartbeat: "0.2", expiry: "2", ...flags }, env: {}, machineFile: "/nonexistent" });
  const registry = await openRegistry(config);
  const controllers: RunningController[] = [];
  const dealers: Dealer<"worker">[] = [];
  const beats: NodeJS.Timeout[] = [];
  const double = createTicketDouble(registry);
  let carrying: Promise<void> | undefined;
  let isOver = false;

  async function carry(): Promise<void> {
    while (!isOver) {
      for (const { id, state } of (await registry.tickets.list()).heads) if (state === "active") await double.bring(id, "done");
      await new Promise((resolve) => { setTimeout(resolve, carryEveryMs); });
    }
  }

  return {
    folder, registryDir, config, registry, double,
    async startController() {
      const controller = await startController({ config, log: createSilentLog().log, registry });
      controllers.push(controller);
      return controller;
    },
    async register(address, node, role) {
      let isWelcome = false;
      const dealer = connectDealer<"worker">({
        address, channel: "worker", messageBytesMax: config.messageBytesMax, onMessage: (header) => { isWelcome ||= header.type === "welcome"; }, onMalformed: (error) => { throw error; },
      });
      dealers.push(dealer);
      dealer.send({ type: "register", workerId: randomId(), role, node, pid: 1, version: "test", dataDir: folder, uptimeMs: 0, holdings: [] });
      beats.push(setInterval(() => { dealer.send({ type: "heartbeat" }); }, config.heartbeatMs));
      await until(`the ${role} is welcome`, () => isWelcome);
    },
    carryAll() { carrying ??= carry(); },
    async close() {
      isOver = true;
      await carrying;
      for (const beat of beats) clearInterval(beat);
      await Promise.all(dealers.map((dealer) => dealer.close()));
      await Promise.all(controllers.map((controller) => controller.stop("the test is over")));
      await registry.close();
      await rm(folder, { recursive: true });
    },
  };
}
