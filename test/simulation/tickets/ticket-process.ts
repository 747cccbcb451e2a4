/** A process of a simulated distribution: a program of single steps, between any two of which it can crash or stop for a while. */
import { BquerydError } from "../../../lib/base/errors.js";
import { joinPointers } from "../../../lib/registry/entries.js";
import type { Pointers } from "../../../lib/registry/pointers.js";
import { chance } from "../world.js";
import { checkAlways } from "./ticket-invariants.js";
import { away } from "./ticket-registry.js";
import type { TicketWorld } from "./ticket-world.js";

/** One thing that is done at once, some time after it was wanted; its result is known some time after that. */
export interface Step {
  readonly meanMs: number;
  readonly run: () => void;
}

/** Steps that lead to a T. */
export type Steps<T> = Generator<Step, T, void>;

const nothing: Pointers = { epoch: 0, tables: new Map() };

/** One process and its lives. */
export class TicketProcess {
  readonly name: string;
  /** Undefined: none of its own, as a controller. */
  readonly node: string | undefined;
  isUp = false;
  /** The pointers that it has seen in this life. */
  known = nothing;
  steps = 0;
  #life = 0;
  #stoppedUntilMs = 0;
  readonly #world: TicketWorld;
  readonly #program: (process: TicketProcess) => Steps<void>;

  constructor(world: TicketWorld, facts: { name: string; node?: string }, program: (process: TicketProcess) => Steps<void>) {
    this.#world = world;
    this.name = facts.name;
    this.node = facts.node;
    this.#program = program;
    this.start();
  }

  /** What it is called in this life. */
  get id(): string {
    return `${this.name}.${this.#life}`;
  }

  start(): void {
    if (this.isUp) return;
    this.#life += 1;
    this.isUp = true;
    this.known = this.#world.nodes.find(({ name }) => name === this.node)?.pointers ?? nothing;
    const steps = this.#program(this);
    this.#advance(this.#life, steps, () => steps.next());
  }

  crash(): void {
    if (!this.isUp) return;
    this.isUp = false;
    this.#life += 1;
    this.#world.note(() => `${this.name} crashes`);
  }

  stop(ms: number): void {
    this.#stoppedUntilMs = this.#world.timeline.nowMs + ms;
    this.#world.note(() => `${this.name} stops for ${ms.toFixed(0)} ms`);
  }

  learn(pointers: Pointers): void {
    this.known = joinPointers(this.known, pointers);
    this.#world.everKnown = joinPointers(this.#world.everKnown, this.known);
  }

  /** Goes on to the next step, if it still lives. */
  #advance(life: number, steps: Steps<void>, resume: () => IteratorResult<Step, void>): void {
    const { done, value } = resume();
    if (done === true) return;
    const { random } = this.#world;
    this.#after(life, 2 * value.meanMs * random(), () => {
      this.steps += 1;
      if (this.#crashesNow(false)) return;
      const failure = attempt(value.run);
      checkAlways(this.#world);
      if (this.#crashesNow(true)) return;
      this.#after(life, 2 * random(), () => { this.#advance(life, steps, () => (failure === undefined ? steps.next() : steps.throw(failure.cause))); });
    });
  }

  /** Later, when it is not stopped, if it still lives. */
  #after(life: number, ms: number, happen: () => void): void {
    this.#world.timeline.after(ms, () => {
      const leftMs = this.#stoppedUntilMs - this.#world.timeline.nowMs;
      if (life !== this.#life) return;
      if (leftMs > 0) this.#after(life, leftMs, happen);
      else happen();
    });
  }

  #crashesNow(isDone: boolean): boolean {
    const { crash } = this.#world.options;
    if (crash?.process !== this.name || crash.step !== this.steps || crash.isDone !== isDone) return false;
    this.crash();
    this.#world.timeline.after(2_000, () => { this.start(); });
    return true;
  }
}

/** Does one thing. */
export function* perform<T>(meanMs: number, run: () => T): Steps<T> {
  const results: { value: T }[] = [];
  yield { meanMs, run: () => { results.push({ value: run() }); } };
  return results[0]!.value;
}

/** Waits. */
export function* pause(meanMs: number): Steps<void> {
  yield { meanMs, run: () => undefined };
}

/** Asks the registry, which may be away, and may have done it nevertheless. */
export function* ask<T>(world: TicketWorld, run: () => T): Steps<T> {
  return yield* perform(3, () => {
    if (world.registry.isAway && chance(world.random, 0.7)) throw away();
    const result = run();
    if (world.registry.isAway) throw away();
    return result;
  });
}

/** The failure of a step; anything but an operating one ends the simulation. */
function attempt(run: () => void): { readonly cause: BquerydError } | undefined {
  try {
    run();
    return undefined;
  } catch (cause) {
    if (cause instanceof BquerydError && cause.code !== "USAGE") return { cause };
    throw cause;
  }
}
