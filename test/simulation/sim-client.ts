/** A client in the simulator: calls, merges, and holds every answer against the truth. */
import type { ClientReply, ShardRef } from "../../lib/wire/messages.js";
import type { SimController } from "./sim-controller.js";
import { chance, delayMsMax, drawDelayMs, drawId, pick, pickOne, rowsOf, valueOf, versionOf, type SetPlan, type World } from "./world.js";

/** A call as its client sees it. */
interface PendingCall {
  readonly id: string;
  readonly controller: SimController;
  readonly startedMs: number;
  readonly remainingMs: number;
  readonly isUnknown: boolean;
  readonly sets: readonly SetPlan[];
  /** How it asks; null for partials. */
  readonly rows: { readonly slices: number; readonly rowsMax: number | null } | null;
  readonly isPartial: boolean;
  attempt: number;
  shards: readonly ShardRef[];
  readonly answered: Set<number>;
  readonly leftOut: Set<number>;
  /** Where each shard goes on, and how many rows of it came. */
  readonly next: Map<number, number>;
  readonly rowsBy: Map<number, number>;
  /** Slices that came and for which no credit was given. */
  held: number;
  /** Slices by shard that wait for their turn. */
  readonly untaken: Map<number, number>;
  sum: number;
  wasCancelled: boolean;
  /** How it ended; undefined while it is open. */
  outcome: string | undefined;
}

/** Codes that a call may end with when things break. */
const codesOfFaults = new Set([
  "SHARD_UNAVAILABLE", "UNKNOWN_TABLE", "WORKER_LOST", "GENERATION_GONE", "CORRUPT_CHUNK", "IO", "OBJECT_STORE", "OVERFLOW",
]);

/** With less credit rows go to and fro one by one, which takes as long as the network likes. */
const promptSlices = 8;
/** Time that is enough for any other call while nothing breaks. */
const longMs = 3_000;

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
    const remainingMs = chance(random, 0.2) ? 5 + 100 * random() : longMs + 5_000 * random();
    const rows = chance(random, 0.4) ? { slices: 1 + pick(random, 24), rowsMax: chance(random, 0.5) ? 1 + pick(random, 200) : null } : null;
    const isPartial = chance(random, 0.3);
    const call: PendingCall = {
      id: drawId(random), controller, startedMs: timeline.nowMs, remainingMs, isUnknown, sets: asked, rows, isPartial, attempt: 0, shards: [],
      answered: new Set(), leftOut: new Set(), next: new Map(), rowsBy: new Map(), held: 0, untaken: new Map(), sum: 0, wasCancelled: false, outcome: undefined,
    };
    this.#calls.set(call.id, call);
    const tables = isUnknown ? ["nosuchtable"] : asked.map(({ base }) => base);
    const affinity = chance(random, 0.3) ? { affinity: `key${pick(random, 2)}` } : {};
    const body = [new Uint8Array(pick(random, 100))];
    this.#send(call, () => {
      controller.receiveOfClient(this, { type: "call", id: call.id, verb: "groupby", tables, columns: ["v"], remainingMs, ...affinity, ...(rows === null ? {} : { rows }), ...(isPartial ? { partial: "allow" } : {}) }, body);
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
    else if (header.type === "slice") this.#takeSlice(call, header, body);
    else if (header.type === "leftOut") this.#leaveOut(call, header);
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
    Object.assign(call, { attempt, shards, sum: 0, held: 0 });
    for (const kept of [call.answered, call.leftOut, call.next, call.rowsBy, call.untaken]) kept.clear();
    const names = call.sets.flatMap((set) => set.names);
    if (call.isPartial ? shards.some(({ name }) => !names.includes(name)) : [...names].sort().join() !== shards.map(({ name }) => name).sort().join()) this.#blame(`${call.id} got other shards than it asked for`);
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

  /** Rows of a shard come once, without gaps; the client takes them in the order of shards, and gives credit for what it took. */
  #takeSlice(call: PendingCall, { attempt, ordinal, from, next, rows }: ClientReply & { type: "slice" }, body: readonly Uint8Array[]): void {
    if (attempt !== call.attempt) this.#blame(`a slice of attempt ${attempt} of ${call.id} during ${call.attempt}`);
    if (call.answered.has(ordinal) || call.leftOut.has(ordinal) || from !== (call.next.get(ordinal) ?? 0)) this.#blame(`rows of shard ${ordinal} of ${call.id} came twice or with a gap, at ${from}`);
    if (body.length !== 1) this.#blame(`a slice of ${call.id} has no rows`);
    call.held += 1;
    call.rowsBy.set(ordinal, (call.rowsBy.get(ordinal) ?? 0) + rows);
    if (next === null) call.answered.add(ordinal);
    else call.next.set(ordinal, next);
    call.untaken.set(ordinal, (call.untaken.get(ordinal) ?? 0) + 1);
    if (call.rows !== null && call.held > call.rows.slices) this.#blame(`${call.held} slices of ${call.id} are on their way, more than ${call.rows.slices}`);
    this.#takeInOrder(call, attempt);
  }

  /** Takes what is in order, in its own time; what is of later shards waits. */
  #takeInOrder(call: PendingCall, attempt: number): void {
    const head = headOf(call);
    for (const [ordinal, slices] of call.untaken) {
      if (head >= 0 && ordinal > head) continue;
      call.untaken.delete(ordinal);
      this.#world.timeline.after(3 * this.#world.random(), () => { this.#giveCredit(call, attempt, slices); });
    }
  }

  #giveCredit(call: PendingCall, attempt: number, slices: number): void {
    if (this.isGone || call.outcome !== undefined || call.attempt !== attempt) return;
    call.held -= slices;
    this.#send(call, () => { call.controller.receiveOfClient(this, { type: "credit", id: call.id, attempt, slices }, []); });
  }

  #leaveOut(call: PendingCall, { attempt, ordinal }: ClientReply & { type: "leftOut" }): void {
    if (attempt !== call.attempt || !call.isPartial) this.#blame(`shard ${ordinal} of ${call.id} was left out`);
    if (call.answered.has(ordinal) || call.leftOut.has(ordinal)) this.#blame(`shard ${ordinal} of ${call.id} was left out after it had ended`);
    this.#world.count("shard left out");
    call.leftOut.add(ordinal);
    this.#takeInOrder(call, attempt);
  }

  #finish(call: PendingCall, { cost, retries, leftOut = [] }: ClientReply & { type: "result" }): void {
    call.outcome = call.rows === null ? "result" : "result of rows";
    const head = headOf(call);
    if (leftOut.length < call.leftOut.size || (leftOut.length > 0 && !call.isPartial)) this.#blame(`${call.id} names ${leftOut.length} shards that it goes without`);
    if (call.answered.size === 0 && call.rows === null) this.#blame(`${call.id} is an answer of nothing`);
    if (call.rows !== null) {
      this.#checkRows(call, head);
      this.#checkTime(call);
      return;
    }
    const truth = call.shards.reduce((sum, { generation, ordinal }) => sum + (call.leftOut.has(ordinal) ? 0 : valueOf(generation)), 0);
    if (head >= 0) this.#blame(`${call.id} ended with ${call.answered.size} of ${call.shards.length} shards`);
    if (call.sum !== truth) this.#blame(`${call.id} gave ${call.sum}, the truth is ${truth}`);
    if (!this.#world.faults && (retries > 0 || cost?.shards !== call.shards.length)) this.#blame(`${call.id} took ${retries} retries and ${cost?.shards} shards`);
    this.#checkTime(call);
  }

  /** All rows of all shards, or as many from the first on as were asked for. */
  #checkRows(call: PendingCall, head: number): void {
    const leading = call.shards.filter(({ ordinal }) => head < 0 || ordinal <= head).reduce((sum, { ordinal }) => sum + (call.leftOut.has(ordinal) ? 0 : (call.rowsBy.get(ordinal) ?? 0)), 0);
    const isEnough = call.rows!.rowsMax !== null && leading >= call.rows!.rowsMax;
    if (head >= 0 && !isEnough) this.#blame(`${call.id} ended with ${leading} rows, before shard ${head}`);
    for (const { ordinal, generation } of call.shards) {
      if (call.answered.has(ordinal) && call.rowsBy.get(ordinal) !== rowsOf(generation)) this.#blame(`shard ${ordinal} of ${call.id} gave ${call.rowsBy.get(ordinal)} rows of ${rowsOf(generation)}`);
    }
  }

  #fail(call: PendingCall, code: string): void {
    call.outcome = code;
    const elapsedMs = this.#world.timeline.nowMs - call.startedMs;
    const isRight = code === "CANCELLED" ? call.wasCancelled
      : code === "DEADLINE" ? elapsedMs >= call.remainingMs && (this.#world.faults || call.remainingMs < longMs || (call.rows?.slices ?? Infinity) < promptSlices)
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

/** The first shard that has not ended; -1 when all have. */
function headOf(call: PendingCall): number {
  return call.shards.findIndex((_, ordinal) => !call.answered.has(ordinal) && !call.leftOut.has(ordinal));
}
