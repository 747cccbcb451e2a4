/** Whether the cluster that this configuration names can be reached, and whether its processes fit together. */
import { stat } from "node:fs/promises";
import { wallMs } from "../../base/clock.js";
import { configTexts, type Config } from "../../base/config.js";
import { BquerydError } from "../../base/errors.js";
import { formatCounted } from "../../base/quantities.js";
import { version } from "../../base/version.js";
import { connectWith } from "../../client/connect.js";
import type { ClusterInfo } from "../../wire/documents.js";
import { openRegistry } from "../../registry/open.js";
import type { ControllerRecord } from "../../registry/registry.js";
import { failed, look, ok, warning, type Check } from "./check.js";

/** What was found of a cluster. */
export interface ClusterChecks {
  readonly checks: readonly Check[];
  /** Process ids of controllers on the machine of this configuration. */
  readonly ownPids: ReadonlySet<number>;
  /** Folders that downloaders and movers of that machine work in. */
  readonly ownFolders: ReadonlySet<string>;
}

const answerMs = 3_000;
/** The failures of a call that tell no more than that nobody answered; of others the message says what to do. */
const silent: readonly string[] = ["NO_CONTROLLER", "CONNECTION_LOST", "DEADLINE"];
/** Clocks that differ more confuse who reads logs; nothing here depends on them. */
const clockMsMax = 1_000;

/** The registry, each controller, and what they say of the others. */
export async function checkCluster(config: Config): Promise<ClusterChecks> {
  const records: ControllerRecord[] = [];
  const registry = config.controllers.length > 0 ? [] : await look("registry", async () => {
    const found = await readRegistry(config);
    records.push(...found ?? []);
    return [describeRegistry(config, found)];
  });
  const addresses = config.controllers.length > 0 ? config.controllers : records.map(({ address }) => address);
  const infos: ClusterInfo[] = [];
  const answers = await Promise.all(addresses.map((address) => look("controller", async () => {
    const { checks, info } = await askController(config, address, records.find((record) => record.address === address));
    infos.push(...info);
    return checks;
  })));
  const own = infos.flatMap(({ downloaders, movers }) => [...downloaders, ...movers]).filter(({ node }) => node === config.node);
  return {
    checks: [...registry, ...answers.flat()], ownPids: new Set(records.filter(({ node }) => node === config.node).map(({ pid }) => pid)),
    ownFolders: new Set(own.map(({ data_dir: folder }) => folder)),
  };
}

/** Undefined for a registry that nobody has used yet: looking at it is not to make one. */
async function readRegistry(config: Config): Promise<ControllerRecord[] | undefined> {
  const isFolder = configTexts(config)["redis_url"] === undefined;
  if (isFolder && await stat(config.registryDir).then(() => false, () => true)) return undefined;
  const registry = await openRegistry(config);
  try {
    return await registry.controllers();
  } finally {
    await registry.close();
  }
}

function describeRegistry(config: Config, records: readonly ControllerRecord[] | undefined): Check {
  const place = configTexts(config)["redis_url"] === undefined ? config.registryDir : "Redis";
  if (records === undefined) return warning("registry", `${place} does not exist yet`, "start a controller, which makes it: bqueryd up");
  const finding = `${place} lists ${formatCounted(records.length, "controller")} of cluster ${config.cluster}`;
  return records.length > 0 ? ok("registry", finding) : warning("registry", finding, "start one: bqueryd up");
}

async function askController(config: Config, address: string, record: ControllerRecord | undefined): Promise<{ checks: Check[]; info: ClusterInfo[] }> {
  const rpc = await connectWith({ ...config, controllers: [address], timeoutMs: answerMs, expiryMs: answerMs });
  try {
    await rpc.ping();
    const { last_call_duration: seconds } = rpc;
    const info = await rpc.info();
    const askedMs = wallMs();
    const reached = ok("controller", `${address} answers in ${(seconds * 1_000).toFixed(1)} ms, with ${formatCounted(info.workers.length, "worker")}`);
    return { checks: [reached, ...checkInfo(address, info), ...(record === undefined ? [] : checkClock(record, info, askedMs))], info: [info] };
  } catch (cause) {
    if (!(cause instanceof BquerydError) || !silent.includes(cause.code)) throw cause;
    return { checks: [failed("controller", `${address} does not answer: ${cause.code}`, "see whether it runs, and whether this machine reaches its address")], info: [] };
  } finally {
    await rpc.close();
  }
}

/** What a controller says of itself and of what it sees. */
export function checkInfo(address: string, info: ClusterInfo): Check[] {
  const versions = info.version === version ? ok("versions", `${address} runs ${version}, as this`) : warning("versions", `${address} runs ${info.version}, and this is ${version}`, "run the same release everywhere");
  const workers = info.workers.length > 0 ? [] : [warning("workers", `${address} has no worker`, "start one: bqueryd worker")];
  return [versions, ...workers, ...info.warnings.map((sentence) => {
    const [finding = sentence, ...advice] = sentence.split("; ");
    return warning("cluster", finding, advice.length === 0 ? "see rpc.info()" : advice.join("; "));
  })];
}

/** The clock of a controller's machine, as far as when it began and for how long it has run tell. */
export function checkClock({ node, startedMs }: Pick<ControllerRecord, "node" | "startedMs">, { uptime }: Pick<ClusterInfo, "uptime">, nowMs: number): Check[] {
  const aheadMs = startedMs + uptime * 1_000 - nowMs;
  if (Math.abs(aheadMs) <= clockMsMax) return [ok("clocks", `that of ${node} is right within a second`)];
  const by = `${(Math.abs(aheadMs) / 1_000).toFixed(1)} s ${aheadMs > 0 ? "ahead of" : "behind"} this one`;
  return [warning("clocks", `that of ${node} is ${by}, or was set since its controller began`, "synchronise clocks, so that logs can be compared")];
}
