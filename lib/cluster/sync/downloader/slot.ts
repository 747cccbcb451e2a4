/** Fetches one table for a slot that this process has claimed, to an end that is told: verified, failed, handed back, or lost. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../../base/clock.js";
import { BquerydError, toBquerydError } from "../../../base/errors.js";
import type { Files } from "../../../base/files.js";
import type { Log } from "../../../base/log.js";
import { isTableName } from "../../../columns/names.js";
import type { ObjectStore } from "../../../objects/objects.js";
import type { TicketPlan } from "../../../registry/tickets.js";
import { fetchTable, type FetchTools } from "../../../transfer/fetch/fetch.js";
import { findSourceKind } from "../../../transfer/fetch/table-source.js";
import { manifestKey, type Manifest } from "../../../transfer/manifest.js";
import type { Incoming } from "../incoming.js";
import { disownStage, inheritStage, ownStage, stagePath } from "../stages.js";
import type { Told } from "../telling.js";
import type { Stage } from "../tickets/next.js";
import type { Claim, TicketEvent } from "../tickets/ticket.js";
import { judgeFailure } from "./core.js";
import { keepLease, type Lease } from "./lease.js";

/** A claim, and what it is worked on with. */
export interface SlotWork {
  readonly plan: TicketPlan;
  readonly claim: Claim;
  readonly files: Files;
  readonly dataDir: string;
  readonly incoming: Incoming;
  readonly leaseMs: number;
  readonly stallMs: number;
  readonly log: Log;
  readonly random: Random;
  readonly tools: Omit<FetchTools, "store" | "signal" | "files">;
  readonly openStore: () => Promise<ObjectStore>;
  /** Tells the ticket of an event. Throws REGISTRY_UNAVAILABLE. */
  readonly tell: (event: TicketEvent) => Promise<Told>;
  /** Tells until the registry answers; undefined when the process ends before. */
  readonly insist: (event: TicketEvent) => Promise<Told | undefined>;
  readonly onRegistryFailure: (cause: unknown) => void;
  readonly onRetry: () => void;
  /** The stage is out of sight, and its mark still says that this process writes there. */
  readonly onLeft: (stage: Stage) => void;
  /** The lease is kept from here on. */
  readonly onLease: (lease: Lease) => void;
  /** Aborted when the process is to end. */
  readonly signal: AbortSignal;
}

/** How the work at a slot ended: `lost` when another process has it by now, or the ticket is over. */
export type SlotEnd = "verified" | "failed" | "released" | "lost";

/** Works at a slot until it has come to an end. Throws only what nobody expects. */
export async function workAtSlot(work: SlotWork): Promise<SlotEnd> {
  const { plan, claim, files, dataDir, leaseMs, stallMs, signal, log } = work;
  const stage = { ticket: plan.id, table: claim.table, fence: claim.fence };
  const facts = { ticket: plan.id, table: claim.table, fence: claim.fence };
  const own = new AbortController();
  const stop = (): void => { own.abort(signal.reason); };
  signal.addEventListener("abort", stop, { once: true });
  let lost: Told | undefined;
  let stalled: BquerydError | undefined;
  const lease = keepLease({
    leaseMs, stallMs, onFailure: work.onRegistryFailure,
    renew: (progress) => work.tell({ kind: "renew", ...claim, leaseMs, bytesDone: progress?.bytesDone ?? 0, bytesTotal: progress?.bytesTotal ?? null }),
    onLost(told) {
      lost = told;
      own.abort(new BquerydError("STALE", "the slot is another's"));
    },
    onStalled() {
      stalled = new BquerydError("OBJECT_STORE", `nothing of ${claim.table} has come for ${Math.round(stallMs / 1_000)} s; see whether ${plan.bucket} answers, or raise stall`, { details: { table: claim.table } });
      own.abort(stalled);
    },
  });
  work.onLease(lease);
  let outcome: Manifest | BquerydError;
  try {
    outcome = signal.aborted ? stopped() : await fetchWithTries(work, lease, own.signal);
  } finally {
    signal.removeEventListener("abort", stop);
    await lease.stop();
    // Nothing of this process writes there any more: whoever claims the slot next may go on with it.
    if (!(await work.incoming.isThere())) work.onLeft(stage);
    else await disownStage(files, dataDir, stage).catch((cause: unknown) => { log.warn({ event: "slot.kept", ...facts, message: toBquerydError(cause).message }); });
  }
  if (lost !== undefined) {
    log.info({ event: "slot.lost", ...facts, message: lost.reason ?? "the ticket is gone" });
    return "lost";
  }
  if (outcome instanceof BquerydError && stalled !== undefined) return fail(work, facts, stalled);
  // Where the disk has gone meanwhile nothing is whole, for no fault of the ticket: it is anybody's to claim.
  if (!(await work.incoming.isThere())) return release(work, facts);
  if (outcome instanceof BquerydError) return signal.aborted ? release(work, facts) : fail(work, facts, outcome);
  const bytes = outcome.files.reduce((sum, file) => sum + file.bytes, 0);
  const told = await work.insist({ kind: "verified", ...claim, bytes });
  if (told === undefined || told.how === "refused" || told.how === "gone") {
    log.info({ event: "slot.lost", ...facts, message: told?.reason ?? "the process ends, or the ticket is gone" });
    return "lost";
  }
  log.info({ event: "slot.verified", ...facts, bytes, generation: outcome.generation });
  return "verified";
}

/** The manifest of what was fetched, or why nothing was. */
async function fetchWithTries(work: SlotWork, lease: Lease, signal: AbortSignal): Promise<Manifest | BquerydError> {
  const { plan, claim, log, random, files, dataDir, incoming } = work;
  const stage = { ticket: plan.id, table: claim.table, fence: claim.fence };
  let isOwned = false;
  for (let attempts = 1; ; attempts++) {
    try {
      if (!isTableName(claim.table)) throw new BquerydError("BAD_INPUT", `'${claim.table}' does not name a table; ask for NAME.bcolz or NAME-0.bcolzs`);
      await incoming.require();
      if (!isOwned) {
        await ownStage(files, dataDir, stage, claim.process);
        if (await inheritStage(files, dataDir, stage)) log.info({ event: "slot.resumed", ticket: plan.id, table: claim.table, fence: claim.fence });
        isOwned = true;
      }
      return await fetchOnce(work, lease, signal);
    } catch (cause) {
      const failure = toBquerydError(cause, `download ${claim.table}`);
      if (signal.aborted || !(await incoming.isThere())) return failure;
      const verdict = judgeFailure(failure, attempts, random);
      if (verdict.kind === "fail") return failure;
      work.onRetry();
      log.warn({ event: "slot.retried", ticket: plan.id, table: claim.table, attempts, code: failure.code, message: failure.message });
      await sleep(verdict.pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return failure;
    }
  }
}

async function fetchOnce({ plan, claim, files, dataDir, tools, openStore }: SlotWork, lease: Lease, signal: AbortSignal): Promise<Manifest> {
  const { table } = claim;
  const store = await openStore();
  const asked = plan.tables.find((one) => one.table === table)?.manifest ?? null;
  // Without a manifest named, the one that was sent last is the best there is.
  const found = asked ?? (await findSourceKind({ store, signal }, table) === "manifest" ? manifestKey(table) : null);
  return fetchTable({ ...tools, store, files, signal }, {
    table, manifestKey: found, stage: stagePath(dataDir, { ticket: plan.id, table, fence: claim.fence }), directory: join(dataDir, table),
    onProgress: (progress) => { lease.note(progress); },
  });
}

type Facts = Readonly<{ ticket: string; table: string; fence: number }>;

async function release({ claim, insist, log }: SlotWork, facts: Facts): Promise<SlotEnd> {
  const told = await insist({ kind: "release", ...claim });
  log.info({ event: "slot.released", ...facts, ...(told === undefined ? { message: "the registry was not told; another downloader begins when the lease is over" } : {}) });
  return "released";
}

async function fail({ claim, insist, log }: SlotWork, facts: Facts, { code, message }: BquerydError): Promise<SlotEnd> {
  const reason = `${code}: ${message}`;
  const told = await insist({ kind: "failed", ...claim, reason });
  if (told?.how !== "made" && told?.how !== "already") return "lost";
  log.warn({ event: "slot.failed", ...facts, code, message });
  if (told.head?.state === "failed") log.warn({ event: "ticket.failed", ticket: facts.ticket, message: told.head.reason ?? reason });
  return "failed";
}

function stopped(): BquerydError {
  return new BquerydError("CANCELLED", "the process ends");
}
