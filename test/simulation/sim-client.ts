/** A client in the simulator: calls, asks another controller where one is lost, merges, and holds every answer against the truth. */
import type { ClientMessage, ClientReply, ShardRef } from "../../lib/wire/messages.js";
import type { SimController } from "./sim-controller.js";
import { openSimLink, type SimLink } from "./sim-link.js";
import { SimProcess } from "./sim-process.js";
import { registryOf } from "./sim-registry.js";
import { expiryMs, heartbeatMs } from "./sim-worker.js";
import { chance, delayMsMax, drawId, pick, pickOne, rowsOf, valueOf, versionOf, type SetPlan, type World } from "./world.js";

/** A call as its client sees it. */
interface PendingCall {
  readonly id: string;
  /** What it asks, but for the time that is left. */
  readonly asked: Omit<ClientMessage & { type: "call" }, "remainingMs">;
  readonly body: readonly Uint8Array[];
  /** The connection it was asked on last; undefined while no controller is up. */
  link: SimLink | undefined;
  sends: number;
  /** On the timeline, and by the clock of the client. */
  readonly startedMs: number;
  readonly deadlineMs: number;
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
  /** Of an errand: what came of it since it was sent last. */
  told: number;
  wasCancelled: boolean;
  /** How it ended; undefined while it is open. */
  outcome: string | undefined;
}

/** Codes that a call may end with when things break. */
const codesOfFaults = new Set([
  "SHARD_UNAVAILABLE", "UNKNOWN_TABLE", "WORKER_LOST", "GENERATION_GONE", "CORRUPT_CHUNK", "IO", "OBJECT_STORE", "OVERFLOW", "STALE",
]);

/** With less credit rows go to and fro one by one, which takes as long as the network likes. */
const promptSlices = 8;
/** Time that is enough for any other call while nothing breaks. */
const longMs = 3_000;

/** As lib/client/session.ts has it: how often a call is sent at least, and how long the client waits beyond the deadline. */
const sendsMin = 3;
const graceMs = 500;
const lookAgainMs = 100;
/** Times by different clocks, which run at most so much faster or slower. */
const clockTolerance = 0.005;

/** A client process. */
export class SimClient {
  readonly id: string;
  isGone = false;
  readonly #world: World;
  readonly #controllers: readonly SimController[];
  readonly #process: SimProcess;
  readonly #calls = new Map<string, PendingCall>();
  /** When controllers were lost that were not heard of since, by address. */
  readonly #lost = new Map<string, number>();
  #link: SimLink | undefined;
  #heardMs = 0;

  constructor(world: World, controllers: readonly SimController[]) {
    this.#world = world;
    this.#controllers = controllers;
    this.#process = new SimProcess(world);
    this.id = drawId(world.random);
    this.#beat();
  }

  /** Asks one question, and perhaps takes it back. */
  ask(): void {
    this.#process.perform(() => { this.#ask(); });
  }

  #ask(): void {
    const { random, sets } = this.#world;
    if (chance(random, 0.12)) {
      this.#askErrand(drawId(random));
      return;
    }
    const isUnknown = chance(random, 0.03);
    const asked = chance(random, 0.2) ? [...sets] : [pickOne(random, sets)];
    const remainingMs = chance(random, 0.2) ? 5 + 100 * random() : longMs + 5_000 * random();
    const rows = chance(random, 0.4) ? { slices: 1 + pick(random, 24), rowsMax: chance(random, 0.5) ? 1 + pick(random, 200) : null } : null;
    const isPartial = chance(random, 0.3);
    const id = drawId(random);
    const tables = isUnknown ? ["nosuchtable"] : asked.map(({ base }) => base);
    const affinity = chance(random, 0.3) ? { affinity: `key${pick(random, 2)}` } : {};
    this.#begin({
      asked: { type: "call", id, verb: "groupby", tables, columns: ["v"], ...affinity, ...(rows === null ? {} : { rows }), ...(isPartial ? { partial: "allow" as const } : {}) },
      remainingMs, isUnknown, sets: asked, rows, isPartial,
    });
  }

  /** Lets a worker sleep a little, or call a function that nobody else calls. */
  #askErrand(id: string): void {
    const { random } = this.#world;
    const errand = chance(random, 0.5) ? { kind: "sleep" as const, seconds: 0.05 * random() } : { kind: "execute_code" as const, function: `module.f${id}` };
    const asked = { type: "call" as const, id, verb: errand.kind, tables: [], columns: [], errands: [errand] };
    this.#begin({ asked, remainingMs: longMs + 5_000 * random(), isUnknown: false, sets: [], rows: null, isPartial: false });
  }

  #begin(facts: Pick<PendingCall, "asked" | "remainingMs" | "isUnknown" | "sets" | "rows" | "isPartial">): void {
    const { random, timeline } = this.#world;
    const call: PendingCall = {
      ...facts, id: facts.asked.id, body: [new Uint8Array(pick(random, 100))], link: undefined, sends: 0,
      startedMs: timeline.nowMs, deadlineMs: this.#process.nowMs + facts.remainingMs, attempt: 0, shards: [], told: 0,
      answered: new Set(), leftOut: new Set(), next: new Map(), rowsBy: new Map(), held: 0, untaken: new Map(), sum: 0, wasCancelled: false, outcome: undefined,
    };
    this.#calls.set(call.id, call);
    this.#process.at(call.deadlineMs + graceMs, () => { this.#giveUp(call, "late"); });
    if (chance(random, 0.15)) this.#process.after(30 * random(), () => { this.#cancel(call); });
    this.#send(call);
  }

  receive(link: SimLink, header: ClientReply, body: readonly Uint8Array[]): void {
    this.#process.perform(() => { if (!this.isGone && link.isOpen) this.#receive(link, header, body); });
  }

  #receive(link: SimLink, header: ClientReply, body: readonly Uint8Array[]): void {
    this.#heardMs = this.#process.nowMs;
    this.#lost.delete(link.controller.address);
    if (header.type === "heartbeat" && !header.known) this.#lose(link);
    if (!("id" in header)) return;
    const call = this.#calls.get(header.id);
    this.#world.note(() => `client ${this.id.slice(0, 4)} <- ${header.type} ${header.id.slice(0, 4)}`);
    if (call?.outcome === "late") return; // It waited no longer.
    if (header.type === "accepted") registryOf(this.#world).judge(this.id, header).forEach((problem) => { this.#blame(problem); });
    if (call === undefined) this.#blame(`an answer to ${header.id}, which was never asked`);
    else if (call.outcome !== undefined) this.#blame(`${header.type} of ${call.id} after its final answer (${call.outcome})`);
    else if (header.type === "accepted") this.#accept(call, header.attempt, header.shards);
    else if (header.type === "partial") this.#merge(call, header, body);
    else if (header.type === "slice") this.#takeSlice(call, header, body);
    else if (header.type === "leftOut") this.#leaveOut(call, header);
    else if (header.type === "result") this.#finish(call, header);
    else if (header.type === "answer") call.told += 1;
    else this.#fail(call, header.code);
  }

  /** The socket has noticed that a connection is gone. */
  noteGone(link: SimLink): void {
    this.#world.timeline.after(100 * this.#world.random(), () => { this.#process.perform(() => { this.#lose(link); }); });
  }

  /** Nothing gets through to that end any more. */
  halfClose(end: "client" | "controller"): void {
    if (this.#link !== undefined) this.#link.isDeaf[end] = true;
  }

  /** Stops the process for a while, as SIGSTOP does. */
  freeze(durationMs: number): void {
    this.#process.stop(durationMs);
  }

  leapClock(ms: number): void {
    this.#process.leap(ms);
  }

  /** The process ends without a word. */
  vanish(): void {
    this.isGone = true;
    if (this.#link !== undefined) this.#hangUp(this.#link);
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
    call.link?.sendUp({ type: "cancel", id: call.id });
  }

  /** Ends a call without an answer. */
  #giveUp(call: PendingCall, outcome: string): void {
    if (call.outcome !== undefined || this.isGone) return;
    call.link?.sendUp({ type: "cancel", id: call.id });
    call.outcome = outcome;
    // A stopped controller, and nobody else, may let a client wait until it loses patience.
    if (!this.#world.faults) this.#blame(`${call.id} ended with ${outcome}`);
  }

  /** Sends a call on the connection there is, or to the controller that was not lost, or longest ago. */
  #send(call: PendingCall): void {
    if (call.outcome !== undefined || this.isGone) return;
    this.#link ??= this.#connect();
    call.link = this.#link;
    if (this.#link === undefined) {
      this.#process.after(lookAgainMs, () => { this.#send(call); });
      return;
    }
    call.sends += 1;
    Object.assign(call, { attempt: 0, told: 0 });
    call.link!.sendUp({ ...call.asked, remainingMs: Math.max(0, call.deadlineMs - this.#process.nowMs), ...registryOf(this.#world).ask(this.id, call.id) }, call.body);
  }

  #connect(): SimLink | undefined {
    const up = this.#controllers.filter(({ isUp }) => isUp);
    if (up.length === 0) return undefined;
    const first = Number.parseInt(this.id.slice(0, 8), 16) % up.length;
    const inTurn = [...up.slice(first), ...up.slice(0, first)];
    const since = ({ address }: SimController): number => this.#lost.get(address) ?? -1;
    const controller = inTurn.reduce((best, candidate) => (since(candidate) < since(best) ? candidate : best));
    const link = openSimLink(this.#world, this, controller);
    this.#heardMs = this.#process.nowMs;
    link.sendUp({ type: "hello", clientId: this.id, version: "1" });
    return link;
  }

  /** Asks what went over a connection elsewhere, or there again. */
  #lose(link: SimLink): void {
    if (!link.isOpen || this.isGone) return;
    this.#hangUp(link);
    this.#lost.set(link.controller.address, this.#process.nowMs);
    if (this.#link === link) this.#link = undefined;
    const sendsMax = Math.max(sendsMin, this.#controllers.length + 1);
    for (const call of [...this.#calls.values()].filter((candidate) => candidate.link === link && candidate.outcome === undefined)) {
      this.#world.count("call asked again");
      if (call.sends < sendsMax && call.asked.verb !== "execute_code") this.#send(call);
      else this.#giveUp(call, "controller lost");
    }
  }

  /** The controller learns of it in its own time. */
  #hangUp(link: SimLink): void {
    link.isOpen = false;
    this.#world.timeline.after(5_000 * this.#world.random(), () => { link.controller.noteClientGone(link); });
  }

  #beat(): void {
    this.#process.after(heartbeatMs, () => {
      if (this.isGone) return;
      if (this.#link !== undefined && this.#process.nowMs - this.#heardMs > expiryMs) this.#lose(this.#link);
      else this.#link?.sendUp({ type: "heartbeat" });
      this.#beat();
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
      const { sends } = call;
      this.#process.after(3 * this.#world.random(), () => { if (call.sends === sends) this.#giveCredit(call, attempt, slices); });
    }
  }

  #giveCredit(call: PendingCall, attempt: number, slices: number): void {
    if (this.isGone || call.outcome !== undefined || call.attempt !== attempt) return;
    call.held -= slices;
    call.link?.sendUp({ type: "credit", id: call.id, attempt, slices });
  }

  #leaveOut(call: PendingCall, { attempt, ordinal }: ClientReply & { type: "leftOut" }): void {
    if (attempt !== call.attempt || !call.isPartial) this.#blame(`shard ${ordinal} of ${call.id} was left out`);
    if (call.answered.has(ordinal) || call.leftOut.has(ordinal)) this.#blame(`shard ${ordinal} of ${call.id} was left out after it had ended`);
    this.#world.count("shard left out");
    call.leftOut.add(ordinal);
    this.#takeInOrder(call, attempt);
  }

  #finish(call: PendingCall, { cost, retries, leftOut = [] }: ClientReply & { type: "result" }): void {
    if (call.asked.verb !== "groupby" || call.told > 0) {
      this.#finishErrand(call);
      return;
    }
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

  #finishErrand(call: PendingCall): void {
    const { id, asked: { verb }, told } = call;
    call.outcome = `result of ${verb}`;
    if (verb === "groupby" || told !== 1) this.#blame(`${id}, a call of ${verb}, was told ${told} times what an errand came to`);
    if (verb === "execute_code" && !this.#world.begun.has(`module.f${id}`)) this.#blame(`${id} has a result and was not begun`);
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
      : code === "DEADLINE" ? (elapsedMs >= call.remainingMs * (1 - clockTolerance) || this.#world.hasLeapt) && (this.#world.faults || call.remainingMs < longMs || (call.rows?.slices ?? Infinity) < promptSlices)
      : code === "BUSY" || (code === "CONNECTION_LOST" && this.#world.faults) || (code === "UNKNOWN_TABLE" && call.isUnknown) || (this.#world.faults && codesOfFaults.has(code));
    if (!isRight) this.#blame(`${call.id} failed with ${code} after ${elapsedMs} ms`);
    this.#checkTime(call);
  }

  #checkTime({ id, startedMs, remainingMs }: PendingCall): void {
    const overMs = this.#world.timeline.nowMs - startedMs - remainingMs * (1 + clockTolerance);
    if (overMs > graceMs + 2 * delayMsMax + 1 && !this.#process.wasDisturbed) this.#blame(`the answer to ${id} came ${overMs} ms past its time`);
  }

  #blame(problem: string): void {
    this.#world.problems.push(problem);
  }
}

/** The first shard that has not ended; -1 when all have. */
function headOf(call: PendingCall): number {
  return call.shards.findIndex((_, ordinal) => !call.answered.has(ordinal) && !call.leftOut.has(ordinal));
}
