/** A client in the simulator: calls, merges, and holds every answer against the truth. */
import type { ClientReply, ShardRef } from "../../lib/wire/messages.js";
import type { SimController } from "./sim-controller.js";
import { chance, delayMsMax, drawDelayMs, drawId, pick, pickOne, valueOf, versionOf, type SetPlan, type World } from "./world.js";

/** A call as its client sees it. */
interface PendingCall {
  readonly id: string;
  readonly controller: SimController;
  readonly startedMs: number;
  readonly remainingMs: number;
  readonly isUnknown: boolean;
  readonly sets: readonly SetPlan[];
  attempt: number;
  shards: readonly ShardRef[];
  readonly answered: Set<number>;
  sum: number;
  wasCancelled: boolean;
  /** How it ended; undefined while it is open. */
  outcome: string | undefined;
}

/** Codes that a call may end with when things break. */
const codesOfFaults = new Set([
  "SHARD_UNAVAILABLE", "UNKNOWN_TABLE", "WORKER_LOST", "GENERATION_GONE", "CORRUPT_CHUNK", "IO", "OBJECT_STORE", "OVERFLOW",
]);

const controllerLost = "controller lost";

/** A client process. */
export class SimClient {
  readonly id: string;
  isGone = false;
  readonly #world: World;
  readonly #calls = new Map<string, PendingCall>();
  readonly #lastUpMs = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
    this.id = drawId(world.random);
  }

  /** Asks one question of a controller, and perhaps takes it back. */
  ask(controller: SimController): void {
    const { random, timeline, sets } = this.#world;
    const isUnknown = chance(random, 0.03);
    const asked = chance(random, 0.2) ? [...sets] : [pickOne(random, sets)];
    const remainingMs = chance(random, 0.2) ? 5 + 100 * random() : 3_000 + 5_000 * random();
    const call: PendingCall = {
      id: drawId(random), controller, startedMs: timeline.nowMs, remainingMs, isUnknown, sets: asked, attempt: 0, shards: [],
      answered: new Set(), sum: 0, wasCancelled: false, outcome: undefined,
    };
    this.#calls.set(call.id, call);
    const tables = isUnknown ? ["nosuchtable"] : asked.map(({ base }) => base);
    const affinity = chance(random, 0.3) ? { affinity: `key${pick(random, 2)}` } : {};
    const body = [new Uint8Array(pick(random, 100))];
    this.#send(call, () => {
      controller.receiveOfClient(this, { type: "call", id: call.id, verb: "groupby", tables, columns: ["v"], remainingMs, ...affinity }, body);
    });
    if (chance(random, 0.1)) timeline.after(30 * random(), () => { this.#cancel(call); });
  }

  receive(header: ClientReply, body: readonly Uint8Array[]): void {
    if (this.isGone || !("id" in header)) return;
    const call = this.#calls.get(header.id);
    this.#world.note(() => `client ${this.id.slice(0, 4)} <- ${header.type} ${header.id.slice(0, 4)}`);
    if (call?.outcome === controllerLost) return;
    if (call === undefined) this.#blame(`an answer to ${header.id}, which was never asked`);
    else if (call.outcome !== undefined) this.#blame(`${header.type} of ${call.id} after its final answer (${call.outcome})`);
    else if (header.type === "accepted") this.#accept(call, header.attempt, header.shards);
    else if (header.type === "partial") this.#merge(call, header, body);
    else if (header.type === "result") this.#finish(call, header);
    else this.#fail(call, header.code);
  }

  /** Its controller is gone: nothing will come any more. */
  loseController(controller: SimController): void {
    for (const call of this.#calls.values()) if (call.controller === controller) call.outcome ??= controllerLost;
  }

  /** The process ends without a word. */
  vanish(controllers: readonly SimController[]): void {
    this.isGone = true;
    for (const controller of controllers) this.#world.timeline.after(5_000 * this.#world.random(), () => { controller.noteClientGone(this); });
  }

  /** What the client still waits for; everything must have ended by now. */
  checkEnd(): void {
    for (const call of this.#calls.values()) {
      if (!this.isGone && call.outcome === undefined) this.#blame(`no final answer of ${call.id}`);
      this.#world.count(`answer ${this.isGone ? "client gone" : call.outcome ?? "none"}`);
    }
  }

  #cancel(call: PendingCall): void {
    if (call.outcome !== undefined || this.isGone) return;
    call.wasCancelled = true;
    this.#send(call, () => { call.controller.receiveOfClient(this, { type: "cancel", id: call.id }, []); });
  }

  /** What is on its way to a controller that dies is lost with the connection. */
  #send(call: PendingCall, arrive: () => void): void {
    const { random, timeline } = this.#world;
    const { controller } = call;
    const { life } = controller;
    const atMs = Math.max(this.#lastUpMs.get(controller.address) ?? 0, timeline.nowMs + drawDelayMs(random));
    this.#lastUpMs.set(controller.address, atMs);
    timeline.at(atMs, () => {
      if (controller.isUp && controller.life === life) arrive();
      else call.outcome ??= controllerLost;
    });
  }

  #accept(call: PendingCall, attempt: number, shards: readonly ShardRef[]): void {
    if (attempt !== call.attempt + 1 || attempt > 2) this.#blame(`attempt ${attempt} of ${call.id} after ${call.attempt}`);
    if (attempt === 2) this.#world.count("call restarted");
    Object.assign(call, { attempt, shards, sum: 0 });
    call.answered.clear();
    const names = call.sets.flatMap((set) => set.names);
    if ([...names].sort().join() !== shards.map(({ name }) => name).sort().join()) this.#blame(`${call.id} got other shards than it asked for`);
    for (const set of call.sets) {
      const versions = new Set(shards.filter(({ name }) => set.names.includes(name)).map(({ generation }) => versionOf(generation)));
      if (versions.size > 1) this.#blame(`${call.id} mixes versions of ${set.base}`);
    }
  }

  #merge(call: PendingCall, { attempt, block }: ClientReply & { type: "partial" }, body: readonly Uint8Array[]): void {
    if (attempt !== call.attempt) this.#blame(`a partial of attempt ${attempt} of ${call.id} during ${call.attempt}`);
    for (let ordinal = block.start; ordinal < Math.min(block.start + block.size, call.shards.length); ordinal++) {
      if (call.answered.has(ordinal)) this.#blame(`shard ${ordinal} of ${call.id} was answered twice`);
      call.answered.add(ordinal);
    }
    const frame = body[0]!;
    call.sum += new DataView(frame.buffer, frame.byteOffset).getFloat64(0, true);
  }

  #finish(call: PendingCall, { cost, retries }: ClientReply & { type: "result" }): void {
    call.outcome = "result";
    const truth = call.shards.reduce((sum, { generation }) => sum + valueOf(generation), 0);
    if (call.answered.size !== call.shards.length) this.#blame(`${call.id} ended with ${call.answered.size} of ${call.shards.length} shards`);
    if (call.sum !== truth) this.#blame(`${call.id} gave ${call.sum}, the truth is ${truth}`);
    if (!this.#world.faults && (retries > 0 || cost?.shards !== call.shards.length)) this.#blame(`${call.id} took ${retries} retries and ${cost?.shards} shards`);
    this.#checkTime(call);
  }

  #fail(call: PendingCall, code: string): void {
    call.outcome = code;
    const elapsedMs = this.#world.timeline.nowMs - call.startedMs;
    const isRight = code === "CANCELLED" ? call.wasCancelled
      : code === "DEADLINE" ? elapsedMs >= call.remainingMs
      : code === "BUSY" || (code === "UNKNOWN_TABLE" && call.isUnknown) || (this.#world.faults && codesOfFaults.has(code));
    if (!isRight) this.#blame(`${call.id} failed with ${code} after ${elapsedMs} ms`);
    this.#checkTime(call);
  }

  #checkTime({ id, startedMs, remainingMs }: PendingCall): void {
    const overMs = this.#world.timeline.nowMs - startedMs - remainingMs;
    if (overMs > 2 * delayMsMax + 1) this.#blame(`the answer to ${id} came ${overMs} ms past its time`);
  }

  #blame(problem: string): void {
    this.#world.problems.push(problem);
  }
}
