/** What the parts of a simulated cluster share: time, chance, the network, the data of each node, and the record. */
import { createHash } from "node:crypto";
import { seededRandom, type Random } from "../../lib/base/clock.js";
import type { Holding } from "../../lib/wire/messages.js";
import { createTimeline, type Timeline } from "./timeline.js";

/** What may be set; the rest is drawn from the seed. */
export interface SimulationOptions {
  /** Whether anything breaks: crashes, cut connections, stopped processes, corrupt shards, late and repeated messages. */
  readonly faults?: boolean;
  /** Whether to keep a line about every message. */
  readonly trace?: boolean;
}

/** What came of a simulation. */
export interface SimulationReport {
  readonly seed: number;
  readonly steps: number;
  /** Broken promises, as sentences; none when all is well. */
  readonly problems: readonly string[];
  /** How often what happened: `result`, error codes, `fault crash`, ... */
  readonly counts: ReadonlyMap<string, number>;
  readonly trace: readonly string[];
}

/** A simulated cluster under way. */
export interface World {
  readonly random: Random;
  readonly timeline: Timeline;
  readonly faults: boolean;
  readonly sets: readonly SetPlan[];
  readonly nodes: readonly NodeData[];
  readonly problems: string[];
  /** What execute_code was begun with, which is never begun a second time. */
  readonly begun: Set<string>;
  /** Lets the workers of a node see what changed of a set, each in its own time. */
  notice: (node: NodeData, base: string) => void;
  /** Whether a clock leapt, which can end calls early. */
  hasLeapt: boolean;
  count(what: string): void;
  /** Keeps a line of trace; the text is made only when it is wanted. */
  note(text: () => string): void;
}

/** A set of shards, or one table, and the nodes each shard is on. */
export interface SetPlan {
  readonly base: string;
  readonly names: readonly string[];
  /** For each shard the indexes of its nodes, at least one. */
  readonly placement: readonly (readonly number[])[];
  readonly isTable: boolean;
}

/** The tables on the disk of one node. */
export interface NodeData {
  readonly name: string;
  readonly index: number;
  /** Versions kept of each set, the current one first. */
  readonly versions: Map<string, number[]>;
  /** Versions that lie beside those, the latest first. */
  readonly waiting: Map<string, number[]>;
  /** Shards that cannot be read here. */
  readonly corrupt: Set<string>;
}

/** Versions a node keeps. */
const versionsKept = 2;

/** A world with nodes and tables drawn from the seed. */
export function createWorld(seed: number, options: SimulationOptions, counts: Map<string, number>, trace: string[]): World {
  const random = seededRandom(seed);
  const timeline = createTimeline();
  const nodeCount = 1 + pick(random, 3);
  const sets = ["alpha", "beta", "gamma"].map((base, index) => planSet(random, base, nodeCount, index === 2));
  const nodes = Array.from({ length: nodeCount }, (_, index): NodeData => {
    return { name: `node${index}`, index, versions: new Map(sets.map(({ base }) => [base, [1]])), waiting: new Map(), corrupt: new Set() };
  });
  return {
    random, timeline, faults: options.faults ?? true, sets, nodes, problems: [], begun: new Set(), hasLeapt: false, notice: () => undefined,
    count(what) { counts.set(what, (counts.get(what) ?? 0) + 1); },
    note(text) { if (options.trace === true) trace.push(`${timeline.nowMs.toFixed(2).padStart(10)} ${text()}`); },
  };
}

/** A whole number from 0 to below `count`. */
export function pick(random: Random, count: number): number {
  return Math.floor(random() * count);
}

/** One of the given. */
export function pickOne<T>(random: Random, items: readonly T[]): T {
  return items[pick(random, items.length)]!;
}

/** True with the given probability. */
export function chance(random: Random, probability: number): boolean {
  return random() < probability;
}

/** An id of 32 hexadecimal digits. */
export function drawId(random: Random): string {
  return Array.from({ length: 4 }, () => pick(random, 2 ** 32).toString(16).padStart(8, "0")).join("");
}

/** The time a message takes: mostly little, now and then a lot. */
export function drawDelayMs(random: Random): number {
  return chance(random, 0.05) ? 50 * random() : 0.1 + random();
}

/** The longest time a message takes. */
export const delayMsMax = 50;

/** The generation of a shard in a version, as a footer's hash would name it. */
export function generationOf(name: string, version: number): string {
  const key = `${name} ${version}`;
  const known = generations.get(key);
  if (known !== undefined) return known;
  const generation = createHash("sha256").update(key).digest("hex");
  generations.set(key, generation);
  versions.set(generation, version);
  return generation;
}

/** The version behind a generation. */
export function versionOf(generation: string): number {
  return versions.get(generation)!;
}

/** What the one query there is answers for a shard: its sum. */
export function valueOf(generation: string): number {
  return Number.parseInt(generation.slice(0, 6), 16);
}

/** Rows that a query for rows selects of a shard: some have none. */
export function rowsOf(generation: string): number {
  return Number.parseInt(generation.slice(0, 2), 16) % 60;
}

/** What a worker of a node sees in its data directory. */
export function holdingsOf(world: World, node: NodeData, base?: string): Holding[] {
  return world.sets.filter((set) => base === undefined || set.base === base).flatMap((set) => {
    const [version, ...kept] = node.versions.get(set.base)!;
    const waiting = node.waiting.get(set.base) ?? [];
    return set.names.flatMap((name, index): Holding[] => {
      if (!set.placement[index]!.includes(node.index)) return [];
      const describe = (of: number) => {
        const place = set.isTable ? null : { id: `${set.base} ${of}`, index, count: set.names.length };
        return { generation: generationOf(name, of), rows: 10, bytes: 100, set: place, columns: [{ name: "v", dtype: "int64" }] };
      };
      const beside = [...waiting.map((of) => ({ ...describe(of), prepared: true as const })), ...kept.map(describe)];
      return [{ name, ...describe(version!), changedMs: version! * 1_000, ...(beside.length === 0 ? {} : { kept: beside }) }];
    });
  });
}

/** Puts the next version of a set in place of the current one; the one before that stays readable. */
export function switchVersion(node: NodeData, base: string): void {
  const versions = node.versions.get(base)!;
  node.versions.set(base, [versions[0]! + 1, ...versions].slice(0, versionsKept));
}

/** Lays a version beside those that a node has. */
export function layBeside(node: NodeData, base: string, version: number): void {
  node.waiting.set(base, [version, ...node.waiting.get(base) ?? []]);
}

/** Makes a version that was laid beside the current one current, unless a later one is; it waits no longer. */
export function makeCurrent(node: NodeData, base: string, version: number): void {
  const versions = node.versions.get(base)!;
  node.waiting.set(base, node.waiting.get(base)!.filter((waiting) => waiting !== version));
  if (version > versions[0]!) node.versions.set(base, [version, ...versions].slice(0, versionsKept));
}

const generations = new Map<string, string>();
const versions = new Map<string, number>();

function planSet(random: Random, base: string, nodeCount: number, isTable: boolean): SetPlan {
  const everywhere = Array.from({ length: nodeCount }, (_, node) => node);
  const isReplicated = chance(random, 0.6);
  const count = isTable ? 1 : 1 + pick(random, 24);
  const names = Array.from({ length: count }, (_, index) => (isTable ? `${base}.bcolz` : `${base}-${index}.bcolzs`));
  const placement = names.map(() => {
    const first = pick(random, nodeCount);
    return isReplicated ? everywhere : everywhere.filter((node) => node === first || chance(random, 0.5));
  });
  return { base, names, placement, isTable };
}
