/** A mover: keeps a node's tables in step with tickets and pointers, step by step, and looks after tickets as all movers do. */
import { setTimeout as sleep } from "node:timers/promises";
import { boundLog } from "../../../base/bounded-log.js";
import { monotonicMs, randomId } from "../../../base/clock.js";
import type { Config } from "../../../base/config.js";
import { toBquerydError } from "../../../base/errors.js";
import { realFiles, type Files } from "../../../base/files.js";
import type { Log } from "../../../base/log.js";
import { withResolvers } from "../../../base/resolvers.js";
import { spareMsOf } from "../../../columns/directory/collect.js";
import type { Registry } from "../../../registry/registry.js";
import type { Slot, TicketHead, TicketPlan } from "../../../registry/tickets.js";
import type { MoverFacts } from "../../metrics/mover-metrics.js";
import { requireDataDir } from "../../worker/holdings/data-dir.js";
import { createProblem, watchRegistry, type Problem, type RegistryWatch } from "../registry-watch.js";
import type { Show, Shown } from "../showing.js";
import { removeEmptyFolders } from "../stages.js";
import { tell } from "../telling.js";
import { nextForMover, noteUnknown, unknownStagePatienceMs, type MoverStep } from "../tickets/next.js";
import type { Ticket } from "../tickets/ticket.js";
import { createWaking } from "../waking.js";
import { announceNode, type Announcing } from "./announcing.js";
import { hasSurplus, openNodeDisk, type DiskView, type NodeDisk } from "./disk.js";
import { Joins } from "./joins.js";
import { Knowledge } from "./knowledge.js";
import { createSolePlace, type SolePlace } from "./sole.js";
import { collectTable, doStep, isWaiting, type StepTools } from "./steps.js";
import { tendTickets, type TendTools } from "./tend.js";

/** What a mover needs from the process it runs in. The registry stays the caller's. */
export interface MoverOptions {
  readonly config: Config;
  readonly log: Log;
  readonly registry: Registry;
  /** How controllers get to see it; without, they do not. */
  readonly show?: Show | undefined;
  /** Instead of this machine's. */
  readonly files?: Files | undefined;
}

/** A mover at work. */
export interface RunningMover {
  readonly id: string;
  readonly stopped: Promise<string>;
  /** Finishes the step under way and closes. Never throws. */
  stop(reason: string): Promise<void>;
  /** What metrics are made of. */
  look(): MoverFacts;
  /** Takes over what can change while it serves: stall, keep_generations, timeout. */
  reload(config: Config): void;
}

/** How soon to look again unless something is told: while something is under way, while nothing is, and while another has the place. */
const [busyLookMs, idleLookMs, standbyLookMs] = [1_000, 5_000, 2_000];
/** What is told while steps are being done is looked at after so long. */
const stepsMsMax = 200;
/** A step that failed is tried again after a pause that doubles. */
const [firstPauseMs, longestPauseMs] = [250, 30_000];
const retryMs = 500;

/** A mover over `config.dataDir`. Throws CONFIG for a data directory that cannot be used. */
export async function startMover(options: MoverOptions): Promise<RunningMover> {
  await requireDataDir(options.config.dataDir);
  const node = new MoverNode(options);
  await node.open();
  return { id: node.id, stopped: node.stopped, stop: (reason) => node.stop(reason), look: () => node.look(), reload: (config) => { node.reload(config); } };
}

interface Failing {
  readonly failures: number;
  readonly dueMs: number;
}

class MoverNode {
  id = randomId();
  readonly #end = withResolvers<string>();
  readonly stopped = this.#end.promise;
  #config: Config;
  readonly #log: Log;
  readonly #registry: Registry;
  readonly #registryWatch: RegistryWatch;
  readonly #files: Files;
  readonly #options: MoverOptions;
  readonly #waking = createWaking();
  readonly #problem: Problem;
  readonly #place: SolePlace;
  readonly #plans = new Map<string, TicketPlan>();
  readonly #knowledge: Knowledge;
  readonly #joins: Joins;
  #disk: NodeDisk | undefined;
  #announcing: Announcing | undefined;
  readonly #rests: TendTools["rests"] = new Map();
  #unknownSince: ReadonlyMap<string, number> = new Map();
  /** Steps that failed, by what they are. */
  readonly #failing = new Map<string, Failing>();
  /** How often steps were done that are still to be done. */
  readonly #repeated = new Map<string, number>();
  /** Tables of which generations may be collected, and when. */
  readonly #collecting = new Map<string, number>();
  readonly #steps: Record<MoverStep["kind"] | "collect", number> = { prepare: 0, promote: 0, settle: 0, takeBack: 0, clear: 0, collect: 0 };
  #failures = 0;
  #doing: string | null = null;
  #shown: Shown | undefined;
  #stopReason: string | undefined;

  constructor(options: MoverOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#log = boundLog(options.log, monotonicMs);
    this.#registry = options.registry;
    this.#registryWatch = watchRegistry(this.#log);
    this.#problem = createProblem(this.#log, "mover.failed");
    this.#files = options.files ?? realFiles;
    this.#place = createSolePlace(this.#files, options.config.dataDir);
    const { registry, config } = options;
    this.#knowledge = new Knowledge({ registry, files: this.#files, log: this.#log, config });
    this.#joins = new Joins({ registry, files: this.#files, log: this.#log, node: config.node, dataDir: config.dataDir, knowledge: this.#knowledge, planOf: (id) => this.#planOf(id) });
  }

  async open(): Promise<void> {
    this.#shown = await this.#options.show?.({ role: "mover", describeDoing: () => this.#doing, onShutdown: (reason) => { void this.stop(reason); } });
    if (this.#shown !== undefined) this.id = this.#shown.id;
    const { node, expiryMs } = this.#config;
    this.#announcing = announceNode(this.#registry, { id: this.id, node, pid: process.pid }, expiryMs, this.#log);
    const stopWatching = this.#registry.watch((change) => {
      if (change !== "tickets") this.#knowledge.noteChanged();
      this.#waking.wake();
    });
    void this.#run().finally(async () => {
      stopWatching();
      await Promise.all([this.#announcing?.close(), this.#knowledge.close()]);
      await this.#place.release().catch((cause: unknown) => { this.#log.warn({ event: "mover.failed", message: toBquerydError(cause).message }); });
      await this.#shown?.close(this.#stopReason ?? "");
      this.#end.resolve(this.#stopReason ?? "");
    });
  }

  look(): MoverFacts {
    return {
      isStopping: this.#isStopping(), isRegistryUp: this.#registryWatch.isUp(), isHolder: this.#place.isHeld(),
      steps: this.#steps, failures: this.#failures, failing: this.#failing.size,
    };
  }

  reload({ stallMs, keepGenerations, timeoutMs }: Config): void {
    this.#config = { ...this.#config, stallMs, keepGenerations, timeoutMs };
  }

  async stop(reason: string): Promise<void> {
    this.#stopReason ??= reason;
    this.#waking.wake();
    await this.stopped;
  }

  #isStopping(): boolean {
    return this.#stopReason !== undefined;
  }

  async #run(): Promise<void> {
    let isStandby = false;
    while (!this.#isStopping()) {
      let waitMs = standbyLookMs;
      try {
        const isHolder = await this.#place.hold();
        if (!isHolder && !isStandby) this.#log.info({ event: "mover.standby", message: `another movebcolz is at work in ${this.#config.dataDir}; this one stands in when it has ended` });
        if (isHolder && isStandby) this.#log.info({ event: "mover.atWork" });
        isStandby = !isHolder;
        if (isHolder) waitMs = await this.#sweep();
        else await this.#standBy();
        this.#registryWatch.noteUp();
        this.#problem.noteNone();
      } catch (cause) {
        const isPassing = this.#registryWatch.notePassing(cause);
        if (!isPassing) this.#problem.note(cause);
        waitMs = isPassing ? retryMs : busyLookMs;
        // Told of a change just now, it would try in vain without a pause.
        if (this.#waking.isDue()) await sleep(retryMs / 5);
      }
      if (waitMs > 0 && !this.#isStopping()) await this.#waking.wait(waitMs);
    }
  }

  async #standBy(): Promise<void> {
    this.#disk = undefined;
    await this.#knowledge.close();
  }

  /** Does all there is to do, and gives how long to wait then. */
  async #sweep(): Promise<number> {
    const { node, stallMs } = this.#config;
    if (this.#waking.isDue()) await this.#waking.wait(0);
    await this.#knowledge.look();
    this.#disk ??= await this.#openDisk();
    const { heads, nowMs } = await this.#registry.tickets.list();
    const tended = await tendTickets({
      registry: this.#registry, log: this.#log, stallMs, followPointers: () => this.#knowledge.follow(), planOf: (id) => this.#planOf(id), rests: this.#rests,
    }, heads, nowMs);
    if (tended) return 0;
    const tickets = await this.#readTickets(heads);
    const view = await this.#disk.look(tickets);
    // Marks are judged by the pointers as they are after the tickets were read: a commit moves both at once. Those of an active ticket are not.
    const active = new Set(heads.flatMap(({ id, state }) => (state === "active" ? [id] : [])));
    if (view.marks.some(({ ticket }) => !active.has(ticket))) await this.#knowledge.follow();
    const steps = nextForMover({ node, tickets, pointers: this.#knowledge.pointers, ...view, unknownMs: this.#noteUnknown(view, heads) });
    const isWhole = await this.#doSteps(steps, view);
    if (!isWhole) return 0;
    if (await this.#joins.look({ tickets, nowMs })) return 0;
    await this.#collect(view);
    const underWay = new Set(heads.filter(isUnderWay).map(({ id }) => id));
    await this.#removeFolders(view, heads);
    for (const id of [...this.#plans.keys()]) if (!underWay.has(id)) this.#plans.delete(id);
    return this.#restMs(underWay.size > 0 || view.marks.length + view.stages.length > 0);
  }

  /** The disk as one before left it, which may have died before it collected what it took off CURRENT. */
  async #openDisk(): Promise<NodeDisk> {
    const { dataDir, node } = this.#config;
    for (const table of this.#knowledge.pointers.tables.keys()) this.#collecting.set(table, 0);
    return openNodeDisk(this.#files, dataDir, node);
  }

  async #removeFolders({ folders, stages, marks }: DiskView, heads: readonly TicketHead[]): Promise<void> {
    const inUse = new Set([...stages, ...marks].map(({ ticket }) => ticket));
    const states = new Map(heads.map((head) => [head.id, head]));
    for (const ticket of folders) {
      const head = states.get(ticket);
      const isOver = head === undefined ? monotonicMs() - (this.#unknownSince.get(ticket) ?? Infinity) >= unknownStagePatienceMs : !isUnderWay(head);
      if (isOver && !inUse.has(ticket)) await removeEmptyFolders(this.#files, this.#config.dataDir, ticket);
    }
  }

  async #planOf(id: string): Promise<TicketPlan | undefined> {
    const plan = this.#plans.get(id) ?? await this.#registry.tickets.plan(id);
    if (plan !== undefined) this.#plans.set(id, plan);
    return plan;
  }

  /** Every ticket, with the slots of this node of those under way. */
  async #readTickets(heads: readonly TicketHead[]): Promise<Ticket[]> {
    const tickets: Ticket[] = [];
    for (const head of heads) {
      const plan = isUnderWay(head) ? await this.#planOf(head.id) : endedPlan(head.id);
      if (plan === undefined) continue;
      const isOurs = plan.nodes.includes(this.#config.node);
      const slots = isOurs ? await this.#registry.tickets.slots(plan, this.#config.node) : new Map<string, Slot>();
      tickets.push({ head, plan, slots });
    }
    return tickets;
  }

  #noteUnknown({ marks, folders }: DiskView, heads: readonly TicketHead[]): ReadonlyMap<string, number> {
    const nowMs = monotonicMs();
    const left = [...marks.map(({ ticket }) => ticket), ...folders];
    this.#unknownSince = noteUnknown(this.#unknownSince, left, new Set(heads.map(({ id }) => id)), nowMs);
    return new Map([...this.#unknownSince].map(([id, sinceMs]) => [id, nowMs - sinceMs]));
  }

  /** Does steps that are due, one by one, and tells whether all were; what is told meanwhile ends it early. */
  async #doSteps(steps: readonly MoverStep[], view: DiskView): Promise<boolean> {
    const keys = new Set(steps.map(keyOf));
    for (const known of [this.#failing, this.#repeated]) for (const key of known.keys()) if (!keys.has(key)) known.delete(key);
    const tools = this.#toolsOf(view);
    const startMs = monotonicMs();
    let hasDone = false;
    for (const step of steps) {
      const failing = this.#failing.get(keyOf(step));
      if (failing !== undefined && failing.dueMs > monotonicMs()) continue;
      if (this.#isStopping() || (this.#waking.isDue() && monotonicMs() - startMs > stepsMsMax)) return false;
      hasDone = await this.#tryStep(tools, step, failing?.failures ?? 0) || hasDone;
    }
    // What was done leads to more, as a commit.
    return !hasDone;
  }

  async #tryStep(tools: StepTools, step: MoverStep, failures: number): Promise<boolean> {
    const { kind, table } = step;
    this.#disk?.noteChanged(table);
    this.#doing = `${kind} ${table}`;
    try {
      const end = await doStep(tools, step, failures);
      if (end === "later") this.#pause(step, failures);
      else this.#noteDone(step);
      return end === "done";
    } catch (cause) {
      const failure = toBquerydError(cause, `${kind} ${table}`);
      if (failure.code === "REGISTRY_UNAVAILABLE" || failure.code === "STALE") throw failure;
      this.#failures += 1;
      this.#pause(step, failures);
      const facts = { event: "step.failed", step: kind, ticket: step.ticket, table, code: failure.code, message: failure.message };
      // Once, and then now and again: whoever writes the table may take long.
      if (isWaiting(failure) ? failures === 3 : Number.isInteger(Math.log2(failures + 1))) this.#log.warn(facts);
      return false;
    } finally {
      this.#doing = null;
    }
  }

  /** What is to be done again right after it was done does not come to an end by being done. */
  #noteDone(step: MoverStep): void {
    const times = this.#repeated.get(keyOf(step)) ?? 0;
    this.#repeated.set(keyOf(step), times + 1);
    this.#steps[step.kind] += 1;
    this.#joins.noteChanged();
    if (times === 0) this.#failing.delete(keyOf(step));
    else this.#pause(step, times);
  }

  #pause(step: MoverStep, failures: number): void {
    this.#failing.set(keyOf(step), { failures: failures + 1, dueMs: monotonicMs() + Math.min(longestPauseMs, firstPauseMs * 2 ** failures) });
  }

  /** Removes generations that have been off CURRENT for long enough. */
  async #collect(view: DiskView): Promise<void> {
    for (const [table, dueMs] of this.#collecting) {
      if (dueMs > monotonicMs() || this.#isStopping()) continue;
      this.#collecting.delete(table);
      const { dataDir } = this.#config;
      const pointed = this.#knowledge.pointers.tables.get(table)?.generation ?? null;
      try {
        if (!await hasSurplus(this.#files, dataDir, table, pointed)) continue;
        await collectTable(this.#toolsOf(view), table);
        this.#steps.collect += 1;
        // What is spared, as a query may still read it, goes another time.
        if (await hasSurplus(this.#files, dataDir, table, pointed)) this.#collectLater(table);
      } catch (cause) {
        this.#log.debug({ event: "step.failed", step: "collect", table, message: toBquerydError(cause).message });
        this.#collectLater(table);
      }
    }
  }

  #collectLater(table: string): void {
    this.#collecting.set(table, monotonicMs() + spareMsOf(this.#config.timeoutMs) + busyLookMs);
  }

  #toolsOf({ waiting }: DiskView): StepTools {
    const { dataDir, node, keepGenerations, timeoutMs } = this.#config;
    return {
      files: this.#files, dataDir, node, log: this.#log, keepGenerations, timeoutMs, waiting,
      named: (table) => this.#knowledge.named(table),
      pointedMs: (table, generation) => this.#knowledge.pointedMs(table, generation),
      tell: async (ticket, event) => {
        const plan = await this.#planOf(ticket);
        return plan === undefined ? { how: "gone", reason: null, slot: undefined, head: null, epoch: undefined } : tell(this.#registry.tickets, plan, event);
      },
      collectLater: (table) => { this.#collectLater(table); },
    };
  }

  #restMs(isBusy: boolean): number {
    const dueMs = Math.min(this.#joins.dueMs, this.#knowledge.isKept ? Infinity : monotonicMs() + busyLookMs, ...[...this.#failing.values()].map((one) => one.dueMs), ...this.#collecting.values());
    return Math.min(isBusy ? busyLookMs : idleLookMs, Math.max(1, dueMs - monotonicMs()));
  }
}

function isUnderWay({ state }: TicketHead): boolean {
  return state === "active" || state === "committed";
}

/** Of a ticket that is over nothing but its head counts. */
function endedPlan(id: string): TicketPlan {
  return { id, bucket: "", tables: [], nodes: [], replicas: null };
}

function keyOf(step: MoverStep): string {
  return JSON.stringify(step);
}
