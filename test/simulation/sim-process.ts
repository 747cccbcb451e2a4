/** What every process in the simulator has: a steady clock of its own, timers by it, and that it can be stopped. */
import type { World } from "./world.js";

/** A timer is never early. */
const timerGrainMs = 0.001;

/** A process. Its clock is ahead of others by any time and runs a little faster or slower, so that nothing is to compare them. */
export class SimProcess {
  /** Whether it was ever stopped, or its clock leapt: then it is late for what it has to do. */
  wasDisturbed = false;
  readonly #world: World;
  readonly #rate: number;
  #offsetMs: number;
  /** What happens to a stopped process waits here. */
  #inbox: (() => void)[] = [];
  #isStopped = false;

  constructor(world: World) {
    this.#world = world;
    this.#offsetMs = 1e6 * world.random();
    this.#rate = world.faults ? 0.999 + 0.002 * world.random() : 1;
  }

  get nowMs(): number {
    return this.#offsetMs + this.#rate * this.#world.timeline.nowMs;
  }

  /** Lets something happen at a time of its clock. */
  at(atMs: number, happen: () => void): void {
    this.#world.timeline.after(Math.max(0, (atMs - this.nowMs) / this.#rate) + timerGrainMs, () => { this.perform(happen); });
  }

  after(delayMs: number, happen: () => void): void {
    this.at(this.nowMs + delayMs, happen);
  }

  /** Lets something happen now, or when the process goes on. */
  perform(happen: () => void): void {
    if (this.#isStopped) this.#inbox.push(happen);
    else happen();
  }

  /** Stops it for a while, as SIGSTOP does. */
  stop(durationMs: number): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.wasDisturbed = true;
    this.#world.timeline.after(durationMs, () => {
      this.#isStopped = false;
      const waiting = this.#inbox;
      this.#inbox = [];
      for (const happen of waiting) this.perform(happen);
    });
  }

  /** Its clock leaps forward, as where a machine slept. */
  leap(ms: number): void {
    this.#offsetMs += ms;
    this.wasDisturbed = true;
  }
}
