/** A downloader: claims slots of its node one after another, and fetches their tables. Only disks, stores and the registry see it. */
import { boundLog } from "../../../base/bounded-log.js";
import { freshSeed, monotonicMs, randomId, seededRandom } from "../../../base/clock.js";
import type { Config } from "../../../base/config.js";
import { BquerydError, toBquerydError } from "../../../base/errors.js";
import { realFiles, type Files } from "../../../base/files.js";
import type { Log } from "../../../base/log.js";
import { withResolvers } from "../../../base/resolvers.js";
import type { ObjectStore } from "../../../objects/objects.js";
import { openObjectStore } from "../../../objects/open.js";
import type { Registry } from "../../../registry/registry.js";
import { keyOfSlot, type SlotPlace, type TicketPlan } from "../../../registry/tickets.js";
import { createRangeBuffers } from "../../../transfer/fetch/buffers.js";
import { createWriteBack } from "../../../transfer/fetch/write-back.js";
import { createBandwidth, type Bandwidth } from "../../../transfer/fetch/pace.js";
import type { DownloaderFacts } from "../../metrics/downloader-metrics.js";
import { requireDataDir } from "../../worker/holdings/data-dir.js";
import { createProblem, watchRegistry, type Problem, type RegistryWatch } from "../registry-watch.js";
import type { Show, Shown } from "../showing.js";
import { openIncoming, type Incoming } from "../incoming.js";
import { disownStage, incomingFolder } from "../stages.js";
import { tell, type Told } from "../telling.js";
import { claimsMax } from "../tickets/slot-events.js";
import type { Stage } from "../tickets/next.js";
import type { Claim, Ticket, TicketEvent } from "../tickets/ticket.js";
import { createWaking } from "../waking.js";
import { findNextClaim, type NextClaim } from "./core.js";
import type { Lease } from "./lease.js";
import { workAtSlot, type SlotEnd } from "./slot.js";

/** What a downloader needs from the process it runs in. The registry stays the caller's. */
export interface DownloaderOptions {
  readonly config: Config;
  readonly log: Log;
  readonly registry: Registry;
  /** How controllers get to see it; without, they do not. */
  readonly show?: Show | undefined;
  /** Instead of this machine's. */
  readonly files?: Files | undefined;
  /** Instead of the stores that buckets name. */
  readonly openStore?: ((bucket: string) => Promise<ObjectStore>) | undefined;
}

/** A downloader at work. */
export interface RunningDownloader {
  /** What it is called in slots. */
  readonly id: string;
  readonly stopped: Promise<string>;
  /** Stops fetching, hands its slot back, and closes. Never throws. */
  stop(reason: string): Promise<void>;
  /** What metrics are made of. */
  look(): DownloaderFacts;
  /** Takes over what can change while it serves: download_rate, lease, stall. */
  reload(config: Config): void;
}

/** How soon to look again unless something is told: while a ticket is active leases may run out, and else nothing is to be expected. */
const [activeLookMs, idleLookMs] = [1_000, 5_000];
/** For so long slots that were read are tried before all are read anew. */
const seenForMs = 1_000;
/** How long a process that ends tries to tell what became of its slot. */
const farewellMs = 3_000;
const retryMs = 500;

/** A downloader over `config.dataDir`. Throws CONFIG for a data directory that cannot be used, IO where nothing can be written in it. */
export async function startDownloader(options: DownloaderOptions): Promise<RunningDownloader> {
  const { dataDir } = options.config;
  await requireDataDir(dataDir);
  const files = options.files ?? realFiles;
  const incoming = await openIncoming(files, dataDir).catch((cause: unknown) => { throw toBquerydError(cause, `make ${incomingFolder(dataDir)}`); });
  const node = new DownloaderNode(options, incoming);
  await node.open();
  return { id: node.id, stopped: node.stopped, stop: (reason) => node.stop(reason), look: () => node.look(), reload: (config) => { node.reload(config); } };
}

class DownloaderNode {
  id = randomId();
  readonly #end = withResolvers<string>();
  readonly stopped = this.#end.promise;
  #config: Config;
  readonly #log: Log;
  readonly #registry: Registry;
  readonly #registryWatch: RegistryWatch;
  readonly #problem: Problem;
  readonly #files: Files;
  readonly #incoming: Incoming;
  readonly #options: DownloaderOptions;
  readonly #waking = createWaking();
  readonly #stopping = new AbortController();
  readonly #random = seededRandom(freshSeed());
  readonly #buffers = createRangeBuffers();
  readonly #writeBack = createWriteBack();
  #bandwidth: Bandwidth;
  readonly #plans = new Map<string, TicketPlan>();
  #store: { readonly bucket: string; readonly store: ObjectStore } | undefined;
  #seen: { readonly ticket: Ticket; readonly nowMs: number; readonly readMs: number } | undefined;
  #shown: Shown | undefined;
  #doing: { readonly table: string; readonly lease: Lease } | undefined;
  #bytes = 0;
  #retries = 0;
  readonly #ends: Record<SlotEnd, number> = { verified: 0, failed: 0, released: 0, lost: 0 };
  /** Stages to be disowned when they are in sight again. */
  readonly #left: Stage[] = [];
  #stopReason = "";

  constructor(options: DownloaderOptions, incoming: Incoming) {
    this.#options = options;
    this.#incoming = incoming;
    this.#config = options.config;
    this.#log = boundLog(options.log, monotonicMs);
    this.#registry = options.registry;
    this.#registryWatch = watchRegistry(this.#log);
    this.#problem = createProblem(this.#log, "downloader.failed");
    this.#files = options.files ?? realFiles;
    this.#bandwidth = createBandwidth(options.config.downloadRateBytes);
  }

  async open(): Promise<void> {
    this.#shown = await this.#options.show?.({ role: "downloader", describeDoing: () => this.#describeDoing(), onShutdown: (reason) => { void this.stop(reason); } });
    if (this.#shown !== undefined) this.id = this.#shown.id;
    const stopWatching = this.#registry.watch((change) => {
      if (change === "pointers") return;
      this.#waking.wake();
      this.#doing?.lease.check();
    });
    void this.#run().finally(async () => {
      stopWatching();
      await this.#closeStore();
      await this.#shown?.close(this.#stopReason);
      this.#end.resolve(this.#stopReason);
    });
  }

  look(): DownloaderFacts {
    return {
      isStopping: this.#stopping.signal.aborted, isRegistryUp: this.#registryWatch.isUp(), isRunning: this.#doing !== undefined,
      bytes: this.#bytes, retries: this.#retries, slots: this.#ends,
    };
  }

  reload(config: Config): void {
    if (config.downloadRateBytes !== this.#config.downloadRateBytes) this.#bandwidth = createBandwidth(config.downloadRateBytes);
    this.#config = { ...this.#config, downloadRateBytes: config.downloadRateBytes, leaseMs: config.leaseMs, stallMs: config.stallMs };
  }

  async stop(reason: string): Promise<void> {
    if (!this.#stopping.signal.aborted) {
      this.#stopReason = reason;
      this.#stopping.abort(new BquerydError("CANCELLED", `the downloader ends: ${reason}`));
      this.#waking.wake();
    }
    await this.stopped;
  }

  #describeDoing(): string | null {
    if (this.#doing === undefined) return null;
    const { table, lease } = this.#doing;
    const progress = lease.progress();
    return progress === undefined || progress.bytesTotal === 0 ? table : `${table} ${Math.floor(100 * progress.bytesDone / progress.bytesTotal)} %`;
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      let waitMs = 0;
      try {
        await this.#incoming.require();
        for (; this.#left.length > 0; this.#left.shift()) await disownStage(this.#files, this.#config.dataDir, this.#left[0]!);
        const found = await this.#findWork();
        this.#registryWatch.noteUp();
        if (found.next !== undefined) await this.#work(found.next);
        else {
          await this.#closeStore();
          this.#problem.noteNone();
          waitMs = found.isActive ? Math.min(activeLookMs, this.#config.leaseMs) : idleLookMs;
        }
      } catch (cause) {
        const isPassing = this.#registryWatch.notePassing(cause);
        if (!isPassing) this.#problem.note(cause);
        waitMs = isPassing ? retryMs : activeLookMs;
      }
      if (waitMs > 0) await this.#waking.wait(waitMs);
    }
  }

  /** The slot to claim, and whether tickets are under way that may have one later. */
  async #findWork(): Promise<{ readonly next: NextClaim | undefined; readonly isActive: boolean }> {
    const { tickets } = this.#registry;
    const { node } = this.#config;
    const again = this.#findAgain();
    if (again !== undefined) return { next: again, isActive: true };
    const { heads, nowMs } = await tickets.list();
    const open = heads.filter(({ state, counts }) => state === "active" && counts.queued + counts.downloading > 0);
    for (const id of [...this.#plans.keys()]) if (!open.some((head) => head.id === id)) this.#plans.delete(id);
    let isActive = false;
    for (const head of open) {
      const plan = this.#plans.get(head.id) ?? await tickets.plan(head.id);
      if (plan === undefined) continue;
      this.#plans.set(head.id, plan);
      if (!plan.nodes.includes(node)) continue;
      isActive = true;
      const ticket: Ticket = { head, plan, slots: await tickets.slots(plan, node) };
      const next = findNextClaim([ticket], node, this.id, nowMs);
      if (next === undefined) continue;
      this.#seen = { ticket, nowMs, readMs: monotonicMs() };
      return { next, isActive };
    }
    return { next: undefined, isActive };
  }

  /** One more slot of the ticket that was looked at a moment ago: to read a thousand slots for each small table would take longer than the tables. */
  #findAgain(): NextClaim | undefined {
    if (this.#seen === undefined || monotonicMs() - this.#seen.readMs > seenForMs) return this.#seen = undefined;
    const next = findNextClaim([this.#seen.ticket], this.#config.node, this.id, this.#seen.nowMs);
    if (next === undefined) this.#seen = undefined;
    return next;
  }

  /** What was claimed, or another has, is none to be claimed any more. */
  #forgetSlot({ node, table }: SlotPlace, isOurs: boolean): void {
    if (this.#seen === undefined) return;
    const { ticket } = this.#seen;
    const slots = new Map(ticket.slots);
    slots.delete(keyOfSlot({ node, table }));
    this.#seen = isOurs ? { ...this.#seen, ticket: { ...ticket, slots } } : undefined;
  }

  async #work({ ticket: { plan }, place }: NextClaim): Promise<void> {
    const { leaseMs, stallMs, dataDir } = this.#config;
    const told = await this.#insist(plan, { kind: "claim", ...place, process: this.id, leaseMs });
    if (told?.head?.state === "failed") this.#log.warn({ event: "ticket.failed", ticket: plan.id, message: told.head.reason ?? `begun ${claimsMax} times` });
    const { slot } = told ?? {};
    const isOurs = slot?.state === "downloading" && slot.owner === this.id;
    this.#forgetSlot(place, isOurs);
    if (!isOurs) return;
    const claim: Claim = { ...place, process: this.id, fence: slot.fence };
    this.#log.debug({ event: "slot.claimed", ticket: plan.id, table: claim.table, fence: claim.fence });
    try {
      const end = await workAtSlot({
        plan, claim, dataDir, incoming: this.#incoming, onLeft: (stage) => { this.#left.push(stage); }, leaseMs, stallMs, files: this.#files, log: this.#log, random: this.#random, signal: this.#stopping.signal,
        tools: { buffers: this.#buffers, writeBack: this.#writeBack, bandwidth: { take: (bytes, signal) => this.#take(bytes, signal) } },
        openStore: () => this.#openStore(plan.bucket),
        tell: (event) => tell(this.#registry.tickets, plan, event), insist: (event) => this.#insist(plan, event),
        onRegistryFailure: (cause) => { this.#registryWatch.notePassing(cause); },
        onRetry: () => { this.#retries += 1; },
        onLease: (lease) => { this.#doing = { table: claim.table, lease }; },
      });
      this.#ends[end] += 1;
    } finally {
      this.#doing = undefined;
    }
  }

  /** Tells until it is answered; of a process that ends for a few seconds more. */
  async #insist(plan: TicketPlan, event: TicketEvent): Promise<Told | undefined> {
    let farewellEndsMs: number | undefined;
    for (;;) {
      try {
        const told = await tell(this.#registry.tickets, plan, event);
        this.#registryWatch.noteUp();
        return told;
      } catch (cause) {
        if (!this.#registryWatch.notePassing(cause)) throw cause;
      }
      if (this.#stopping.signal.aborted) {
        farewellEndsMs ??= monotonicMs() + farewellMs;
        if (monotonicMs() >= farewellEndsMs) return undefined;
      }
      await this.#waking.wait(retryMs);
    }
  }

  #take(bytes: number, signal: AbortSignal): Promise<void> {
    this.#bytes += bytes;
    return this.#bandwidth.take(bytes, signal);
  }

  /** The store of a bucket, kept while one table of it comes after another. */
  async #openStore(bucket: string): Promise<ObjectStore> {
    if (this.#store?.bucket === bucket) return this.#store.store;
    await this.#closeStore();
    const open = this.#options.openStore ?? ((name: string) => openObjectStore(name, this.#config));
    this.#store = { bucket, store: await open(bucket) };
    return this.#store.store;
  }

  async #closeStore(): Promise<void> {
    const closing = this.#store;
    this.#store = undefined;
    await closing?.store.close().catch((cause: unknown) => { this.#log.warn({ event: "store.unclosed", message: toBquerydError(cause).message }); });
  }
}
