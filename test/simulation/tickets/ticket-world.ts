/** What the parts of a simulated distribution share: time, chance, the registry, the nodes, and what has gone wrong. */
import { seededRandom, type Random } from "../../../lib/base/clock.js";
import { unknownPatienceMs } from "../../../lib/cluster/sync/tickets/next.js";
import { joinPointers, lacks } from "../../../lib/registry/entries.js";
import type { Pointers } from "../../../lib/registry/pointers.js";
import type { TicketPlan } from "../../../lib/registry/tickets.js";
import { createTimeline, type Timeline } from "../timeline.js";
import { pick, type SimulationOptions } from "../world.js";
import { NodeDisk } from "./node-disk.js";
import type { TicketProcess } from "./ticket-process.js";
import { TicketRegistry } from "./ticket-registry.js";

/** What may be set beside that; the rest is drawn from the seed. */
export interface TicketOptions extends SimulationOptions {
  /** How many tickets are asked for, half a second apart; without it some, at random times. */
  readonly orders?: number;
  /** One process that crashes once: at which of its steps, and whether the step was done. It comes back two seconds later. */
  readonly crash?: { readonly process: string; readonly step: number; readonly isDone: boolean };
}

/** A commit as it was made. */
export interface Commit {
  readonly ticket: string;
  readonly epoch: number;
  /** By table: its generation, and the nodes that have to have it. */
  readonly tables: ReadonlyMap<string, { readonly generation: string; readonly nodes: readonly string[] }>;
}

/** A ticket as somebody asked for it. */
export interface Order {
  readonly plan: TicketPlan;
  /** Its source is not there: it has to fail. */
  readonly isBroken: boolean;
  /** What the bucket holds of a table; without a manifest it may change meanwhile. Undefined: nothing. */
  generationOf(table: string): string | undefined;
}

/** What was sent to the bucket. */
export interface Bucket {
  /** Table and generation of each manifest. */
  readonly manifests: Set<string>;
  /** By table, what is found without one. */
  readonly latest: Map<string, string>;
}

/** A simulated distribution under way. */
export interface TicketWorld {
  readonly options: TicketOptions;
  readonly random: Random;
  readonly timeline: Timeline;
  readonly faults: boolean;
  readonly registry: TicketRegistry;
  readonly nodes: NodeDisk[];
  readonly bucket: Bucket;
  readonly processes: TicketProcess[];
  readonly orders: Map<string, Order>;
  /** By epoch. */
  readonly commits: Map<number, Commit>;
  /** Table and generation of all that a pointer has named. */
  readonly everNamed: Set<string>;
  readonly problems: string[];
  /** Pointers that some process has known, also those that are no more. */
  everKnown: Pointers;
  /** Changes of tickets that have been held against the promises. */
  checkedChanges: number;
  count(what: string): void;
  note(text: () => string): void;
}

/** Directory names of all tables. */
export const tableNames = ["alpha.bcolz", "beta-0.bcolzs", "beta-1.bcolzs"] as const;
/** While things happen, and break. */
export const activeMs = 15_000;
/** Nothing at all has come on for so long: a ticket is given up. */
export const stallMs = 40_000;
/** When all of it ends. */
export const endMs = 2 * activeMs + 2 * stallMs + 2 * unknownPatienceMs;

/** A world with nodes drawn from the seed: most have the tables already, put there by hand. */
export function createTicketWorld(seed: number, options: TicketOptions, counts: Map<string, number>, trace: string[]): TicketWorld {
  const random = seededRandom(seed ^ 0x71c4e7);
  const timeline = createTimeline();
  const world: TicketWorld = {
    options, random, timeline, faults: options.faults ?? true, registry: new TicketRegistry(() => Math.floor(timeline.nowMs) + 1_000_000), nodes: [], processes: [],
    bucket: { manifests: new Set(), latest: new Map() }, orders: new Map(), commits: new Map(), everNamed: new Set(), problems: [], everKnown: { epoch: 0, tables: new Map() }, checkedChanges: 0,
    count(what) { counts.set(what, (counts.get(what) ?? 0) + 1); },
    note(text) { if (options.trace === true) trace.push(`${timeline.nowMs.toFixed(0).padStart(8)} ${text()}`); },
  };
  const nodes = Array.from({ length: 2 + pick(random, 3) }, (_, index) => new NodeDisk(world, `node${index}`));
  return Object.assign(world, { nodes });
}

/** The pointers that hold: the registry's, and what a live process or a disk would put back; as if a node or some processes were lost. */
export function truth({ registry, processes, nodes }: TicketWorld, without: { readonly node?: string; readonly processes?: readonly TicketProcess[] } = {}): Pointers {
  const live = processes.filter((process) => process.isUp && without.processes?.includes(process) !== true).map(({ known }) => known);
  const disks = nodes.filter(({ isLost, name }) => !isLost && name !== without.node).map(({ pointers }) => pointers);
  return [...live, ...disks].reduce((known, more) => (lacks(known, more) ? joinPointers(known, more) : known), registry.pointers);
}

/** What the bucket has for a table whose pointer says so; undefined for nothing that would do. */
export function contentOf({ bucket }: TicketWorld, table: string, generation: string, hasManifest: boolean): string | undefined {
  if (!hasManifest) return bucket.latest.get(table);
  return bucket.manifests.has(`${table} ${generation}`) ? generation : undefined;
}

/** A generation by a name of its own. */
export function generationNamed(name: string): string {
  return Buffer.from(name).toString("hex").slice(0, 64).padEnd(64, "0");
}

/** The name that generationNamed was given. */
export function nameOf(generation: string): string {
  return Buffer.from(generation, "hex").toString().replaceAll("\0", "");
}
