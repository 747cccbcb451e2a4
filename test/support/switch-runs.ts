/**
 * Versions of a set and a table that take each other's place under load, on two nodes with a directory each: laid beside the
 * current one, named by pointers all at once, made current on each node in its own time. Every answer has to be of one version.
 */
import { cp, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs, seededRandom, type Random } from "../../lib/base/clock.js";
import { loadConfig } from "../../lib/base/config.js";
import { connectWith } from "../../lib/client/connect.js";
import { addPrepared, removePrepared } from "../../lib/columns/files/prepared.js";
import type { Rpc } from "../../lib/index.js";
import { openRegistry } from "../../lib/registry/open.js";
import type { Registry } from "../../lib/registry/registry.js";
import { withCluster } from "../../misc/support/cluster.js";
import { startBqueryd } from "../../misc/support/process.js";
import { until } from "./until.js";
import { askOn, createLoad, quantile, writeVersion, type Load, type Version } from "./versions.js";
import { unsyncedFiles } from "./write-table.js";

/** What came of the switches. */
export interface SwitchReport {
  readonly switches: number;
  readonly answers: number;
  /** From moving the pointers until every client had an answer of the new version, milliseconds. */
  readonly switchMedianMs: number;
  readonly switchMaxMs: number;
  /** Of an answer. */
  readonly answerMedianMs: number;
  readonly answerP99Ms: number;
  readonly failure: string | undefined;
}

const clientCount = 3;
const seenWithinMs = 60_000;
const ticket = "5".repeat(16);

/** Switches `count` times, at moments and in orders drawn from the seed; ends at the first miss. */
export async function switchUnderLoad({ count, seed }: { readonly count: number; readonly seed: number }): Promise<SwitchReport> {
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-switch-"));
  const nodes = [join(folder, "a"), join(folder, "b")];
  const load = createLoad(clientCount);
  const switchMs: number[] = [];
  try {
    const first = await writeVersion(folder, 0);
    for (const node of nodes) {
      await mkdir(node);
      await prepareAt(node, first);
      await makeCurrent(node, first, undefined);
    }
    await withNodes(nodes, async (registry, clients) => {
      const asking = clients.map((client, index) => askOn(client, index, load));
      try {
        await switchOver({ folder, nodes, registry, random: seededRandom(seed), load, switchMs, count }, first);
      } catch (error) {
        load.misses.push(error instanceof Error ? error.message : String(error));
      }
      load.isOver = true;
      await Promise.all(asking);
    });
  } finally {
    await rm(folder, { recursive: true });
  }
  return {
    switches: switchMs.length, answers: load.answerMs.length, switchMedianMs: quantile(switchMs, 0.5), switchMaxMs: quantile(switchMs, 1),
    answerMedianMs: quantile(load.answerMs, 0.5), answerP99Ms: quantile(load.answerMs, 0.99), failure: load.misses[0],
  };
}

interface Run {
  readonly folder: string;
  readonly nodes: readonly string[];
  readonly registry: Registry;
  readonly random: Random;
  readonly load: Load;
  readonly switchMs: number[];
  readonly count: number;
}

async function switchOver(run: Run, first: Version): Promise<void> {
  const { folder, nodes, registry, random, load, switchMs, count } = run;
  let [before, epoch]: [Version, number] = [first, 0];
  for (let number = 1; number <= count && load.misses.length === 0; number++) {
    const next = await writeVersion(folder, number);
    await Promise.all(nodes.map((node) => prepareAt(node, next)));
    const startMs = monotonicMs();
    epoch = await registry.movePointers(changesBetween(before, next), epoch);
    await until(`every client has an answer of version ${number}`, () => load.misses.length > 0 || load.seen.every((version) => version === number), seenWithinMs);
    switchMs.push(monotonicMs() - startMs);
    const current = before;
    await Promise.all(nodes.map(async (node) => {
      await delay(60 * random());
      await makeCurrent(node, next, current);
    }));
    await rm(before.folder, { recursive: true });
    before = next;
  }
}

/** Shards that the new version has not are no longer named. */
function changesBetween(before: Version, next: Version): { table: string; generation: string | null }[] {
  const names = new Set([...before.generations.keys(), ...next.generations.keys()]);
  return [...names].map((table) => ({ table, generation: next.generations.get(table) ?? null }));
}

/** Lays a version beside what a node has. */
async function prepareAt(node: string, { folder, generations }: Version): Promise<void> {
  for (const [table, generation] of generations) {
    const path = join(node, table);
    await cp(join(folder, table), path, { recursive: true, filter: (from) => basename(from) !== "CURRENT" });
    await addPrepared(unsyncedFiles, path, { generation, ticket });
  }
}

/** What a node does in its own time; of earlier versions only the one before stays readable. */
async function makeCurrent(node: string, { generations }: Version, before: Version | undefined): Promise<void> {
  for (const [table, generation] of generations) {
    const path = join(node, table);
    const kept = before?.generations.get(table);
    await writeFile(join(path, "next.tmp"), [generation, ...(kept === undefined ? [] : [kept])].map((id) => `${id}\n`).join(""));
    await rename(join(path, "next.tmp"), join(path, "CURRENT"));
    await removePrepared(unsyncedFiles, path, { generation, ticket });
    const old = (await readdir(path)).filter((name) => name.endsWith(".json") && name !== `${generation}.json` && name !== `${kept}.json`);
    for (const name of old) await rm(join(path, name));
  }
}

/** A worker for each directory, two controllers, and clients of both. */
async function withNodes([first, second]: readonly string[], use: (registry: Registry, clients: readonly Rpc[]) => Promise<void>): Promise<void> {
  await withCluster({ dataDir: first!, workers: 1, flags: ["--node=a"] }, async ({ registryDir, rpc, startController }) => {
    await startController();
    const other = await startBqueryd(["worker", `--registry-dir=${registryDir}`, "--redis-url=", "--cluster=default", `--data-dir=${second!}`, "--node=b"]);
    const registry = await openRegistry({ registryDir, cluster: "default" });
    const config = loadConfig({ flags: { registry_dir: registryDir, redis_url: "", cluster: "default", answer_memory: "0" } });
    const clients = await Promise.all(Array.from({ length: clientCount }, () => connectWith(config)));
    try {
      await until("both workers serve", async () => (await Promise.all([rpc, ...clients].map((client) => client.info()))).every(({ workers }) => workers.length === 2), seenWithinMs);
      await use(registry, clients);
    } finally {
      for (const client of clients) await client.close();
      await registry.close();
      other.signal("SIGTERM");
      await other.ended;
    }
  });
}
