/** The disk of a simulated node: stages, generations beside each other in table directories, marks and CURRENT. It outlives processes. */
import { BquerydError } from "../../../lib/base/errors.js";
import type { PreparedMark, Stage } from "../../../lib/cluster/sync/tickets/next.js";
import { nameOf, truth, type TicketWorld } from "./ticket-world.js";

/** Generations that CURRENT lists of a table. */
const keptMax = 2;

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
  }

  unmark(mark: PreparedMark): void {
    this.marks = this.marks.filter(({ ticket, table }) => ticket !== mark.ticket || table !== mark.table);
  }

  makeCurrent({ table, generation }: PreparedMark): void {
    if (!this.has(table, generation)) this.#world.problems.push(`${this.name} makes ${nameOf(generation)} CURRENT, which is not there`);
    this.current.set(table, [generation, ...(this.current.get(table) ?? []).filter((one) => one !== generation)].slice(0, keptMax));
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
      for (const generation of [...landed].filter((one) => !named.has(one))) {
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
