/**
 * The registry in the simulator, as far as table pointers go: somebody moves them from version to version while queries run,
 * also to versions that only lie beside the current ones, which nodes make current later; it is emptied and away for a while, controllers hear of it late and put back what it lost. Clients hold answers against
 * what was named at their epoch.
 */
import { seededRandom } from "../../lib/base/clock.js";
import { joinPointers, lacks, nextEpoch } from "../../lib/registry/entries.js";
import type { Pointers, TablePointer } from "../../lib/registry/pointers.js";
import type { ClientReply } from "../../lib/wire/messages.js";
import type { SimController } from "./sim-controller.js";
import { chance, generationOf, layBeside, makeCurrent, pickOne, versionOf, type SetPlan, type World } from "./world.js";

/** What one life of a controller knows. */
interface Known {
  readonly life: number;
  pointers: Pointers;
}

const nothing: Pointers = { epoch: 0, tables: new Map() };
/** While something may happen; after that it only heals. */
const activeMs = 4_000;
/** How long it is away, and what it takes to see that, at most. */
const awayMs = 1_000;
/** Between two switches of a set: longer than a query takes, so that what it reads is kept. */
const betweenSwitchesMs = 2_500;
const registries = new WeakMap<World, SimRegistry>();

/** Gives a world its registry, which draws from a chance of its own: half of them are never given a pointer. */
export function startRegistry(world: World, seed: number): void {
  registries.set(world, new SimRegistry(world, seed));
}

/** The registry of a world that has been given one. */
export function registryOf(world: World): SimRegistry {
  return registries.get(world)!;
}

class SimRegistry {
  readonly #world: World;
  readonly #random: () => number;
  readonly #known = new Map<SimController, Known>();
  /** The pointers at each epoch. */
  readonly #history = new Map<number, ReadonlyMap<string, TablePointer>>();
  /** The highest epoch that each client has seen, and what it had seen when it asked. */
  readonly #seen = new Map<string, number>();
  readonly #seenAtCall = new Map<string, number>();
  #pointers = nothing;
  /** What whoever moves pointers knows. */
  #moved = nothing;
  #isAway = false;
  /** When each set was switched the last time. */
  readonly #switchedMs = new Map<string, number>();

  constructor(world: World, seed: number) {
    this.#world = world;
    this.#random = seededRandom(seed ^ 0x5eed);
    if (chance(this.#random, 0.5)) this.#keepHappening();
  }

  /** A controller begins a life: it knows nothing yet. */
  start(controller: SimController): void {
    this.#known.set(controller, { life: controller.life, pointers: nothing });
    this.#read(controller);
  }

  /** Calls `then` when the controller knows the epoch, or has looked for it. */
  reach(controller: SimController, epoch: number, then: () => void): void {
    const known = this.#known.get(controller)!;
    if (epoch <= known.pointers.epoch) {
      then();
      return;
    }
    this.#world.timeline.after((this.#isAway ? awayMs : 60) * this.#random(), () => {
      if (!controller.isUp || controller.life !== known.life) return;
      this.#read(controller);
      then();
    });
  }

  /** What a client says with a call. */
  ask(clientId: string, callId: string): { epoch?: number } {
    const epoch = this.#seen.get(clientId) ?? 0;
    this.#seenAtCall.set(callId, epoch);
    return epoch === 0 ? {} : { epoch };
  }

  /** What is wrong with the shards that a call was given. */
  judge(clientId: string, { id, epoch = 0, shards }: ClientReply & { type: "accepted" }): string[] {
    const seen = this.#seenAtCall.get(id) ?? 0;
    this.#seen.set(clientId, Math.max(epoch, this.#seen.get(clientId) ?? 0));
    if (epoch > 0) this.#world.count("resolved by pointers");
    const back = epoch < seen ? [`${id} went back to epoch ${epoch} after ${seen}`] : [];
    const pointers = this.#history.get(epoch);
    const other = shards.filter(({ name, generation }) => (pointers?.get(name)?.generation ?? generation) !== generation);
    return [...back, ...other.map(({ name, generation }) => `${id} reads version ${versionOf(generation)} of ${name}, not the one named at epoch ${epoch}`)];
  }

  #keepHappening(): void {
    this.#world.timeline.after(300 * this.#random(), () => {
      if (this.#world.timeline.nowMs < activeMs) this.#happen();
      else this.#isAway = false;
      if (this.#world.timeline.nowMs < 2 * activeMs) this.#keepHappening();
    });
  }

  #happen(): void {
    if (this.#world.faults && chance(this.#random, 0.1)) this.#empty();
    else if (this.#world.faults && chance(this.#random, 0.4)) this.#goAway();
    else if (chance(this.#random, 0.5)) this.#switch();
    else this.#move();
  }

  /** Lays a new version of a set beside the others on every node, names it at once, and lets each node make it current later. */
  #switch(): void {
    const { nodes, timeline } = this.#world;
    const set = pickOne(this.#random, this.#world.sets);
    const { base } = set;
    if (this.#isAway || timeline.nowMs < (this.#switchedMs.get(base) ?? 0) + betweenSwitchesMs) return;
    this.#switchedMs.set(base, timeline.nowMs);
    this.#world.count("version switched");
    const version = 1 + Math.max(...nodes.flatMap(({ versions, waiting }) => [...versions.get(base)!, ...waiting.get(base) ?? []]));
    for (const node of nodes) {
      layBeside(node, base, version);
      this.#world.notice(node, base);
      timeline.after(1_500 * this.#random(), () => {
        makeCurrent(node, base, version);
        this.#world.notice(node, base);
      });
    }
    this.#name(set, version);
  }

  #empty(): void {
    this.#world.count("fault registry emptied");
    this.#pointers = nothing;
    this.#tell();
  }

  #goAway(): void {
    this.#world.count("fault registry away");
    this.#isAway = true;
    this.#world.timeline.after(awayMs * this.#random(), () => {
      this.#isAway = false;
      this.#tell();
    });
  }

  /** Moves all pointers of a set to the newest version that every node has, or takes them away, after putting back what was lost. */
  #move(): void {
    if (this.#isAway) return;
    const set = pickOne(this.#random, this.#world.sets);
    const version = Math.min(...this.#world.nodes.map(({ versions }) => versions.get(set.base)![0]!));
    const pointed = this.#moved.tables.get(set.names[0]!)?.generation ?? null;
    // Not back from what was named before nodes have made it current.
    this.#name(set, Math.max(version, pointed === null ? 0 : versionOf(pointed)), chance(this.#random, 0.05));
  }

  #name({ base, names }: SetPlan, version: number, isTakenAway = false): void {
    this.#moved = joinPointers(this.#moved, this.#pointers);
    const epoch = nextEpoch(this.#moved.epoch, Math.floor(this.#world.timeline.nowMs));
    const moved = names.map((name) => [name, { generation: isTakenAway ? null : generationOf(name, version), epoch, source: null }] as const);
    this.#put({ epoch, tables: new Map([...this.#moved.tables, ...moved]) });
    this.#moved = this.#pointers;
    this.#world.note(() => `registry: ${base} at ${isTakenAway ? "no version" : `version ${version}`}, epoch ${epoch}`);
  }

  #put(pointers: Pointers): void {
    this.#pointers = pointers;
    this.#history.set(pointers.epoch, pointers.tables);
    this.#tell();
  }

  /** Each controller hears of a change in its own time. */
  #tell(): void {
    for (const [controller, { life }] of this.#known) {
      this.#world.timeline.after(chance(this.#random, 0.2) ? 1_000 * this.#random() : 5, () => {
        if (controller.isUp && controller.life === life) this.#read(controller);
      });
    }
  }

  #read(controller: SimController): void {
    if (this.#isAway) return;
    const known = this.#known.get(controller)!;
    if (lacks(this.#pointers, known.pointers)) this.#put(joinPointers(this.#pointers, known.pointers));
    if (this.#pointers.epoch <= known.pointers.epoch) return;
    known.pointers = joinPointers(known.pointers, this.#pointers);
    const pointed = [...known.pointers.tables].flatMap(([name, { generation }]) => (generation === null ? [] : [[name, generation] as const]));
    controller.notePointers({ kind: "pointers", epoch: known.pointers.epoch, pointed: new Map(pointed) });
  }
}
