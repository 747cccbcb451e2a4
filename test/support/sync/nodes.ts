/** Nodes of a cluster in this process: each a data directory with downloaders and a mover over one registry. */
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { randomId } from "../../../lib/base/clock.js";
import { loadConfig, type Config } from "../../../lib/base/config.js";
import type { Files } from "../../../lib/base/files.js";
import type { LogFacts } from "../../../lib/base/log.js";
import { startDownloader, type DownloaderOptions, type RunningDownloader } from "../../../lib/cluster/sync/downloader/node.js";
import { startMover, type RunningMover } from "../../../lib/cluster/sync/mover/node.js";
import type { Show } from "../../../lib/cluster/sync/showing.js";
import { placeTicket } from "../../../lib/cluster/sync/tickets/placement.js";
import { readCurrent } from "../../../lib/columns/directory/current.js";
import { openDirectory } from "../../../lib/objects/directory/store.js";
import type { Registry } from "../../../lib/registry/registry.js";
import type { Slot, TicketHead, TicketPlan, TicketTable } from "../../../lib/registry/tickets.js";
import { manifestKey } from "../../../lib/transfer/manifest.js";
import { uploadTables } from "../../../lib/transfer/send/upload.js";
import { createSilentLog } from "../silent-log.js";
import { until } from "../until.js";
import { unsyncedFiles, writeTable } from "../write-table.js";

/** What a test drives and looks at. */
export interface Nodes {
  readonly folder: string;
  /** A directory that is a bucket. */
  readonly bucket: string;
  readonly registry: Registry;
  /** What all daemons have logged. */
  readonly events: readonly LogFacts[];
  dataDir(node: string): string;
  path(node: string, table: string): string;
  /** Sends a generation of a table, whose rows hold the value, and gives what a plan has to say of it. */
  upload(table: string, value: bigint, rows?: number): Promise<TicketTable & { readonly generation: string }>;
  createTicket(tables: readonly TicketTable[], nodes?: readonly string[], facts?: Partial<TicketPlan>): Promise<TicketPlan>;
  startDownloader(node: string, options?: Partial<DownloaderOptions> & { flags?: Readonly<Record<string, string>> }): Promise<RunningDownloader>;
  startMover(node: string, flags?: Readonly<Record<string, string>>, files?: Files, show?: Show, ownRegistry?: Registry): Promise<RunningMover>;
  head(id: string): Promise<TicketHead | undefined>;
  slots(plan: TicketPlan): Promise<ReadonlyMap<string, Slot>>;
  /** Resolves when the ticket is in the state. */
  reaches(id: string, state: TicketHead["state"]): Promise<void>;
  /** The generation in use on a node; undefined where there is no table. */
  current(node: string, table: string): string | undefined;
  /** Names below the folder of stages, but for the lock. */
  incoming(node: string): Promise<string[]>;
  /** Stops all that was started and closes the registry; files stay. */
  leave(): Promise<void>;
  /** The same, and removes all files. */
  close(): Promise<void>;
}

const withinMs = 60_000;

/** No daemons yet, over a registry that is closed with the rest; `from` is the folder of nodes that are closed, to begin with a copy of what they left. */
export async function setNodes(openRegistry: (folder: string) => Promise<Registry>, from?: string): Promise<Nodes> {
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-nodes-"));
  const bucket = join(folder, "bucket");
  if (from === undefined) await mkdir(bucket);
  else await cp(from, folder, { recursive: true });
  const registry = await openRegistry(join(folder, "registry"));
  const { log, events } = createSilentLog();
  const running: { stop(reason: string): Promise<void> }[] = [];
  const dataDir = (node: string): string => join(folder, node);

  async function configure(node: string, flags: Readonly<Record<string, string>> = {}): Promise<Config> {
    await mkdir(dataDir(node), { recursive: true });
    return loadConfig({ env: {}, machineFile: join(folder, "none"), flags: { node, data_dir: dataDir(node), lease: "2", ...flags } });
  }
  const nodes: Nodes = {
    folder, bucket, registry, events, dataDir, path: (node, table) => join(dataDir(node), table),
    async upload(table, value, rows = 100) {
      const source = join(folder, "source", table);
      const columns = ["a", "b", "c"].map((name, at) => ({ name, dtype: "int64" as const, values: Array.from({ length: rows }, (_, row) => value * BigInt(row * at % 97) + BigInt(row)) }));
      const generation = await writeTable(source, columns, { replace: true });
      const store = await openDirectory(bucket, { files: unsyncedFiles });
      await uploadTables(store, [source]);
      await store.close();
      return { table: basename(source), manifest: manifestKey(table, generation), generation };
    },
    async createTicket(tables, at = ["n1", "n2"], facts = {}) {
      const plan = { id: randomId().slice(0, 16), bucket, tables: tables.map(({ table, manifest, generation }) => ({ table, manifest, generation })), nodes: at, replicas: null, ...facts };
      await registry.tickets.create(plan, placeTicket(plan));
      return plan;
    },
    async startDownloader(node, { flags, ...options } = {}) {
      const started = await startDownloader({ config: await configure(node, flags), log, registry, files: unsyncedFiles, ...options });
      running.push(started);
      return started;
    },
    async startMover(node, flags, files = unsyncedFiles, show, ownRegistry = registry) {
      const started = await startMover({ config: await configure(node, flags), log, registry: ownRegistry, files, show });
      running.push(started);
      return started;
    },
    head: async (id) => (await registry.tickets.list()).heads.find((head) => head.id === id),
    slots: (plan) => registry.tickets.slots(plan),
    async reaches(id, state) {
      let last: TicketHead | undefined;
      try {
        await until(`the ticket is ${state}`, async () => (last = await nodes.head(id).catch(() => undefined))?.state === state, withinMs);
      } catch (cause) {
        throw new Error(`${String(cause)}; it is ${JSON.stringify(last)}; logged: ${JSON.stringify(events.slice(-10))}`, { cause });
      }
    },
    current(node, table) {
      try {
        return readCurrent(nodes.path(node, table), table)[0];
      } catch {
        return undefined;
      }
    },
    async incoming(node) {
      const folder = join(dataDir(node), ".bqueryd-incoming");
      // What is removed while it is read makes a reading fail that has seen other things.
      const names = existsSync(folder) ? await readdir(folder, { recursive: true }).catch(() => undefined) : [];
      return names === undefined ? nodes.incoming(node) : names.filter((name) => !name.startsWith("LOCK"));
    },
    async leave() {
      await Promise.all(running.map((one) => one.stop("the test is over")));
      await registry.close();
    },
    async close() {
      await nodes.leave();
      await rm(folder, { recursive: true });
    },
  };
  return nodes;
}
