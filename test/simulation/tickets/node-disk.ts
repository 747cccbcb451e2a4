/** The disk of a simulated node: stages, generations beside each other in table directories, marks and CURRENT. It outlives processes. */
import { BquerydError } from "../../../lib/base/errors.js";
import type { Pointers } from "../../../lib/registry/pointers.js";
import type { PreparedMark, Stage } from "../../../lib/cluster/sync/tickets/next.js";
import { nameOf, truth, type TicketWorld } from "./ticket-world.js";

/** Generations that CURRENT lists of a table. */
const keptMax = 2;
/** For how long what fell off CURRENT is spared. */
const spareMs = 120_000;

interface StageFiles extends Stage {
  /** Undefined until all is there. */
  generation: string | undefined;
}

/** What lies on a node. Each operation is one step, after which the power may be cut. */
export class NodeDisk {
  readonly name: string;
  /** Gone for good, with all that was on it. */
  isLost = false;
  isFull = false;
  marks: PreparedMark[] = [];
  stages: StageFiles[] = [];
  /** What CURRENT lists, the one in use first. */
  readonly current = new Map<string, readonly string[]>();
  /** Generations whose files are there. */
  readonly landed = new Map<string, Set<string>>();
  /** Names taken by directories that are not ours. */
  readonly foreign = new Set<string>();
  /** Pointers as the mover keeps them here. */
  pointers: Pointers = { epoch: 0, tables: new Map() };
  /** Until when what fell off CURRENT is spared, by table and generation. */
  readonly #sparedMs = new Map<string, number>();
  /** What was here when the disk was lost, and has not come back. */
  readonly #gone = new Set<string>();
  readonly #world: TicketWorld;

  constructor(world: TicketWorld, name: string) {
    this.#world = world;
    this.name = name;
  }

  /** Puts a generation there by hand. */
  put(table: string, generation: string): void {
    this.current.set(table, [generation]);
    this.landed.set(table, new Set([generation]));
  }

  /** Writes a part of what is fetched, the last with the generation. */
  stage(stage: Stage, generation: string | undefined): void {
    this.#requireRoom(stage.table);
    const known = this.#findStage(stage);
    if (known === undefined) this.stages.push({ ...stage, generation });
    else known.generation = generation;
  }

  /** Puts the files of a stage beside those of the table; undefined when there is none. */
  land(stage: Stage): string | undefined {
    if (this.foreign.has(stage.table)) throw new BquerydError("TABLE_NOT_MANAGED", `${stage.table} is not ours`);
    const found = this.#findStage(stage);
    if (found === undefined) return undefined;
    this.#requireRoom(stage.table);
    if (found.generation === undefined) {
      this.#world.problems.push(`${this.name} lands ${stage.table} of ${stage.ticket} with fence ${stage.fence} which is not whole`);
      return undefined;
    }
    const landed = this.landed.get(stage.table);
    if (landed === undefined) this.landed.set(stage.table, new Set([found.generation]));
    else landed.add(found.generation);
    return found.generation;
  }

  mark(mark: PreparedMark): void {
    this.unmark(mark);
    this.marks.push(mark);
    this.#gone.delete(`${mark.table} ${mark.generation}`);
  }

  unmark(mark: PreparedMark): void {
    this.marks = this.marks.filter(({ ticket, table }) => ticket !== mark.ticket || table !== mark.table);
  }

  /** What pointers name stays. */
  makeCurrent({ table, generation }: PreparedMark, named: string | null): void {
    const { problems, everNamed, timeline } = this.#world;
    if (!this.has(table, generation)) problems.push(`${this.name} makes ${nameOf(generation)} CURRENT, which is not there`);
    if (!everNamed.has(`${table} ${generation}`)) problems.push(`${this.name} makes ${nameOf(generation)} of ${table} CURRENT, which no pointer ever named`);
    const all = [generation, ...(this.current.get(table) ?? []).filter((one) => one !== generation)];
    const kept = all.filter((one, index) => index < keptMax || one === named);
    for (const gone of all.filter((one) => !kept.includes(one))) this.#sparedMs.set(`${table} ${gone}`, timeline.nowMs + spareMs);
    this.current.set(table, kept);
  }

  /** Somebody who knows nothing of pointers imports the table again. */
  importByHand(table: string, generation: string): void {
    const all = [generation, ...this.current.get(table) ?? []];
    for (const gone of all.slice(keptMax)) this.#sparedMs.set(`${table} ${gone}`, this.#world.timeline.nowMs + spareMs);
    this.current.set(table, all.slice(0, keptMax));
    this.landed.get(table)!.add(generation);
    this.collect();
  }

  /** Lists a generation again that fell off CURRENT. */
  retain(table: string, generation: string): boolean {
    const current = this.current.get(table) ?? [];
    if (current.length === 0 || !this.has(table, generation)) return false;
    if (!current.includes(generation)) this.current.set(table, [...current, generation]);
    return true;
  }

  /** The generations that are listed here, by table. */
  held(): Map<string, string[]> {
    const held = new Map([...this.current].map(([table, generations]) => [table, [...generations]]));
    for (const { table, generation } of this.marks) held.set(table, [...held.get(table) ?? [], generation]);
    return held;
  }

  /** Another, empty disk is put in. */
  lose(): void {
    for (const [table, generations] of this.landed) for (const generation of generations) this.#gone.add(`${table} ${generation}`);
    this.marks = [];
    this.stages = [];
    this.pointers = { epoch: 0, tables: new Map() };
    for (const kept of [this.current, this.landed, this.#sparedMs]) kept.clear();
  }

  /** Whether a generation was lost with the disk and has not come back. */
  isGone(table: string, generation: string): boolean {
    return this.#gone.has(`${table} ${generation}`);
  }

  /** Whether it is here for a while, though nothing lists it. */
  isSpared(table: string, generation: string): boolean {
    return this.has(table, generation) && (this.#sparedMs.get(`${table} ${generation}`) ?? 0) > this.#world.timeline.nowMs;
  }

  clear(stage: Stage): void {
    this.stages = this.stages.filter((one) => !isSame(one, stage));
  }

  has(table: string, generation: string): boolean {
    return this.landed.get(table)?.has(generation) === true;
  }

  /** Deletes what neither CURRENT nor a mark names. */
  collect(): void {
    const pointers = truth(this.#world).tables;
    for (const [table, landed] of this.landed) {
      const named = new Set([...(this.current.get(table) ?? []), ...this.marks.filter((mark) => mark.table === table).map(({ generation }) => generation)]);
      for (const generation of [...landed].filter((one) => !named.has(one) && !this.isSpared(table, one))) {
        landed.delete(generation);
        this.#world.count("generation collected");
        const pointer = pointers.get(table);
        const nodes = this.#world.commits.get(pointer?.epoch ?? -1)?.tables.get(table)?.nodes ?? [];
        if (pointer?.generation === generation && nodes.includes(this.name)) this.#world.problems.push(`${this.name} deletes ${nameOf(generation)}, which a pointer names`);
      }
    }
  }

  #findStage(stage: Stage): StageFiles | undefined {
    return this.stages.find((one) => isSame(one, stage));
  }

  #requireRoom(table: string): void {
    if (this.isFull) throw new BquerydError("DISK_FULL", `no room for ${table} on ${this.name}`);
  }
}

function isSame(a: Stage, b: Stage): boolean {
  return a.ticket === b.ticket && a.table === b.table && a.fence === b.fence;
}
