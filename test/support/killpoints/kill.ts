/**
 * One distribution of a new version to two nodes, of which something is killed at one of its operations: the version is old
 * or new everywhere at any time, the ticket comes to its end by itself, and nothing is left over.
 */
import { readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { randomId, seededRandom, wallMs } from "../../../lib/base/clock.js";
import type { Files } from "../../../lib/base/files.js";
import { makeTicket } from "../../../lib/cluster/controller/answers/downloads.js";
import { readCurrent } from "../../../lib/columns/directory/current.js";
import { collectGenerations } from "../../../lib/columns/directory/landing.js";
import { readPrepared } from "../../../lib/columns/files/prepared.js";
import { verifyTable } from "../../../lib/columns/verify/verify.js";
import { openDirectory } from "../../../lib/objects/directory/store.js";
import { openRegistry } from "../../../lib/registry/open.js";
import type { Registry } from "../../../lib/registry/registry.js";
import { createPowerCut } from "../power-cut.js";
import { createSilentLog } from "../silent-log.js";
import { setNodes, type Nodes } from "../sync/nodes.js";
import { until } from "../until.js";
import { unsyncedFiles } from "../write-table.js";
import { createFailingRegistry, type FailingRegistry } from "./failing-registry.js";
import { createKillable, type Killable, type KillPoint } from "./killable.js";

/** What is killed: the controller that makes the ticket, a process of the first node, its power, or the registry, which comes back as it was or with nothing in it. */
export const victims = ["downloader", "mover", "power", "registry", "emptied registry", "controller"] as const;
export type Victim = (typeof victims)[number];

/** A version distributed to two nodes, whose processes have ended, and another one in the bucket. */
export interface KillStage {
  readonly nodes: Nodes;
  readonly before: readonly NamedTable[];
  readonly after: readonly NamedTable[];
}

/** What came of it. */
export interface KillReport {
  /** Whether it came to the operation at all. */
  readonly isKilled: boolean;
  /** Operations of the victim until the ticket was done. */
  readonly operations: number;
  readonly miss: string | undefined;
}

type NamedTable = Awaited<ReturnType<Nodes["upload"]>>;

const names = ["n1", "n2"];
const tables = ["taxi.bcolz", "trips-0.bcolzs"];
const flags = { lease: "1" };
const roles = new Set(["downloader", "mover"]);
const withinMs = 120_000;
const awayMs = 200;

const open = (folder: string): Promise<Registry> => openRegistry({ registryDir: folder, cluster: "default" });

/** Such a stage, which the caller closes. */
export async function openKillStage(): Promise<KillStage> {
  const nodes = await setNodes(open);
  const before = await Promise.all(tables.map((table) => nodes.upload(table, 1n)));
  for (const node of names) await Promise.all([nodes.startDownloader(node, { flags }), nodes.startMover(node, flags)]);
  await nodes.reaches((await nodes.createTicket(before)).id, "done");
  for (const node of names) await until("nothing is left", async () => (await nodes.incoming(node)).length === 0, withinMs);
  const after = await Promise.all(tables.map((table) => nodes.upload(table, 2n)));
  await nodes.leave();
  return { nodes, before, after };
}

/** One distribution over a copy of the stage, with one death; without a point nothing dies. */
export async function killDuring(stage: KillStage, victim: Victim, point?: KillPoint): Promise<KillReport> {
  let registry: FailingRegistry | undefined;
  const nodes = await setNodes(async (folder) => (registry = createFailingRegistry(await open(folder))).registry, stage.nodes.folder);
  const run = createRun(stage, nodes, registry!, victim, point);
  try {
    const miss = await run.carryOut().then(() => undefined, (error: unknown) => `${String(error)}; logged: ${JSON.stringify(nodes.events.slice(-12))}`);
    return { isKilled: run.isKilled(), operations: run.operations(), miss };
  } finally {
    run.bury();
    await nodes.close();
  }
}

/** The processes of one distribution. */
function createRun(stage: KillStage, nodes: Nodes, registry: FailingRegistry, victim: Victim, point: KillPoint | undefined) {
  const ofRegistry = victim === "registry" || victim === "emptied registry";
  const dead: Killable = createKillable(victim === "power" || ofRegistry ? undefined : point);
  const starting: Promise<unknown>[] = [];
  let cut: Awaited<ReturnType<typeof createPowerCut>> | undefined;
  let operations: number | undefined;
  let hasDied = false;
  const dataDir = nodes.dataDir("n1");
  const isDead = (): boolean => (ofRegistry ? registry.isDead() : dead.isDead());
  const begun = (): number => (ofRegistry ? registry.begun() : cut?.done() ?? dead.begun());

  const openStore = async (bucket: string) => dead.guardStore(await openDirectory(bucket, { files: unsyncedFiles }));
  /** Starts what is to die; a start that never comes to its end is nobody's concern. */
  async function startVictim(): Promise<void> {
    if (victim === "power") cut = await createPowerCut(dataDir, point?.at ?? Infinity);
    const files = dead.guard(cut === undefined ? unsyncedFiles : killingWith(cut, dead));
    const own = dead.guard(registry.registry);
    if (victim === "controller") return;
    if (victim !== "mover") starting.push(nodes.startDownloader("n1", { flags, files, registry: own, openStore }).catch(() => undefined));
    if (victim !== "downloader") starting.push(nodes.startMover("n1", flags, files, undefined, own).catch(() => undefined));
  }
  async function startRest(): Promise<void> {
    if (victim === "mover" || victim === "controller") await nodes.startDownloader("n1", { flags });
    if (victim === "downloader" || victim === "controller") await nodes.startMover("n1", flags);
    await Promise.all([nodes.startDownloader("n2", { flags }), nodes.startMover("n2", flags)]);
  }
  /** A supervisor starts again what has died. */
  async function revive(): Promise<void> {
    hasDied = true;
    operations ??= begun();
    if (victim === "controller") return;
    if (ofRegistry) {
      await new Promise((resolve) => { setTimeout(resolve, awayMs); });
      registry.restart(victim === "registry" ? undefined : await open(join(nodes.folder, "emptied")));
      return;
    }
    await dead.settled();
    if (cut !== undefined) {
      await cut.recover(`${dataDir}-recovered`, seededRandom(point!.at));
      await rm(dataDir, { recursive: true });
      await rename(`${dataDir}-recovered`, dataDir);
    }
    await disown(dataDir, (name) => (name.endsWith(".owner") ? victim !== "mover" : name.startsWith("LOCK") && victim !== "downloader"));
    if (victim !== "mover") await nodes.startDownloader("n1", { flags });
    if (victim !== "downloader") await nodes.startMover("n1", flags);
  }

  /** Asks a controller for the ticket, and another one when that dies before it has answered. */
  async function ask(id: string): Promise<void> {
    const asked = { ticket: id, bucket: nodes.bucket, sources: stage.after.map(({ table, manifest, generation }) => ({ table, manifest, generation })) };
    const there = names.map((node) => ({ node, roles }));
    const make = (own: Registry): Promise<unknown> => makeTicket({ registry: own, log: createSilentLog().log, nodes: () => there }, asked);
    if (victim === "controller" && !isDead()) await Promise.race([make(dead.guard(registry.registry)), dead.died]);
    if (victim !== "controller" || isDead()) await make(registry.registry);
  }

  async function carryOut(): Promise<void> {
    await startVictim();
    await startRest();
    if (ofRegistry) registry.arm(point);
    let id = randomId().slice(0, 16);
    let isMade = false;
    let last = "";
    await until("the ticket is done", async () => {
      if (!hasDied && isDead()) await revive();
      if (!isMade) isMade = await ask(id).then(() => true, () => false);
      await requireWhole(stage, nodes);
      const head = await nodes.head(id).catch(() => "away" as const);
      // Whoever waits for a ticket that is not there any more asks for another.
      if (isMade && head === undefined) [id, isMade] = [randomId().slice(0, 16), false];
      last = JSON.stringify(head);
      if (head !== "away" && (head?.state === "failed" || head?.state === "cancelled")) throw new Error(`the ticket is ${last}`);
      return head !== "away" && head?.state === "done";
    }, withinMs).catch((cause: unknown) => { throw new Error(`${String(cause)}; the ticket: ${last}`, { cause }); });
    operations ??= begun();
    if (!ofRegistry) await requireOneTicket(nodes, id);
    for (const node of names) {
      await until(`nothing is left on ${node}`, async () => {
        if (!hasDied && isDead()) await revive();
        return (await nodes.incoming(node)).length === 0;
      }, withinMs).catch(async (cause: unknown) => { throw new Error(`${String(cause)}: ${(await nodes.incoming(node)).join(" ")}`, { cause }); });
    }
    // What dies only now does so while all ends.
    registry.arm(undefined);
    dead.release();
    await nodes.leave();
    for (const node of names) if ((await nodes.incoming(node)).length > 0) throw new Error(`left on ${node}: ${(await nodes.incoming(node)).join(" ")}`);
    for (const node of names) for (const { table, generation } of stage.after) await requireClean(nodes, node, table, generation);
  }
  return {
    carryOut,
    isKilled: () => hasDied,
    operations: () => operations ?? begun(),
    bury() {
      registry.arm(undefined);
      dead.release();
    },
  };
}

/** Whoever is asked again under the same name makes nothing twice. */
async function requireOneTicket(nodes: Nodes, id: string): Promise<void> {
  const others = (await nodes.registry.tickets.list()).heads.filter((head) => head.id !== id);
  if (others.length > 1) throw new Error(`there is more than the first version's ticket besides: ${JSON.stringify(others)}`);
}

/** The files of a disk with the power cut, of which the process that meets it is dead. */
function killingWith({ files, isDead }: Awaited<ReturnType<typeof createPowerCut>>, dead: Killable): Files {
  return new Proxy(files, {
    get: (of, name) => async (...args: unknown[]): Promise<unknown> => {
      try {
        return await (Reflect.apply(Reflect.get(of, name) as (...args: unknown[]) => Promise<unknown>, of, args));
      } finally {
        if (isDead()) dead.kill();
      }
    },
  });
}

/** This process stands for the one that died: what names it names one that is gone. */
async function disown(folder: string, isOf: (name: string) => boolean): Promise<void> {
  for (const path of await readdir(folder, { recursive: true })) {
    if (!isOf(basename(path))) continue;
    const text = await readFile(join(folder, path), "latin1").catch(() => "");
    if (text.startsWith(`${process.pid} `)) await writeFile(join(folder, path), "4999999 1 dead\n");
  }
}

/** Both pointers name the old version, or both the new one, and both nodes have what they name. */
async function requireWhole({ before, after }: KillStage, nodes: Nodes): Promise<void> {
  const pointers = await nodes.registry.pointers().catch(() => undefined);
  if (pointers === undefined || pointers.tables.size === 0) return;
  const isAt = (version: readonly NamedTable[]): boolean => version.every(({ table, generation }) => pointers.tables.get(table)?.generation === generation);
  const version = isAt(before) ? before : isAt(after) ? after : undefined;
  if (version === undefined) throw new Error(`pointers are of no version: ${JSON.stringify([...pointers.tables])}`);
  for (const node of names) for (const { table, generation } of version) {
    if (!listed(nodes.path(node, table), table).includes(generation)) throw new Error(`${node} lacks ${generation} of ${table}, which a pointer names`);
  }
}

/** What queries may be answered from. */
function listed(path: string, table: string): string[] {
  return [...readPrepared(path).map(({ generation }) => generation), ...readCurrent(path, table)];
}

/** The new version is in use and sound, and nothing else lies there once all that may be collected was. */
async function requireClean(nodes: Nodes, node: string, table: string, generation: string): Promise<void> {
  const path = nodes.path(node, table);
  const [current] = readCurrent(path, table);
  if (current !== generation) throw new Error(`${table} on ${node} is at ${String(current)}, not ${generation}`);
  const marks = readPrepared(path);
  if (marks.length > 0) throw new Error(`${table} on ${node} has marks: ${JSON.stringify(marks)}`);
  const seconds = wallMs() / 1_000 - 7_200;
  for (const name of await readdir(path)) await utimes(join(path, name), seconds, seconds);
  await collectGenerations(unsyncedFiles, path, { nowMs: wallMs(), spareMs: 1_000 });
  const { findings } = await verifyTable(path);
  if (findings.length > 0) throw new Error(`${table} on ${node}: ${JSON.stringify(findings)}`);
  const needed = new Set(["CURRENT", "PREPARED"]);
  for (const name of (await readdir(path)).filter((one) => one.endsWith(".json"))) {
    needed.add(name);
    for (const file of (JSON.parse(await readFile(join(path, name), "utf8")) as { files: { name: string }[] }).files) needed.add(file.name);
  }
  const orphans = (await readdir(path)).filter((name) => !needed.has(name));
  const around = (await readdir(nodes.dataDir(node))).filter((name) => !tables.includes(name) && name !== ".bqueryd-incoming" && name !== ".bqueryd-pointers.json");
  if (orphans.length + around.length > 0) throw new Error(`left on ${node}: ${[...orphans, ...around].join(" ")}`);
}
