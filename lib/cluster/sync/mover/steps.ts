/** One step of a mover: done on the disk, and then told. Each may be cut off anywhere and done again. */
import { join } from "node:path";
import { wallMs } from "../../../base/clock.js";
import { toBquerydError, unreachable, type BquerydError, type ErrorCode } from "../../../base/errors.js";
import type { Files } from "../../../base/files.js";
import type { Log } from "../../../base/log.js";
import { spareMsOf } from "../../../columns/directory/collect.js";
import { collectGenerations, type LandingTimes } from "../../../columns/directory/landing.js";
import { landTable, promoteTable, takeBackTable, type LandingPlan } from "../land.js";
import { findWriter, removeStage, stagePath } from "../stages.js";
import type { Told } from "../telling.js";
import type { MoverStep, PreparedMark, Stage } from "../tickets/next.js";
import type { TicketEvent } from "../tickets/ticket.js";

/** What steps work with. */
export interface StepTools {
  readonly files: Files;
  readonly dataDir: string;
  readonly node: string;
  readonly log: Log;
  readonly keepGenerations: number;
  readonly timeoutMs: number;
  /** The stage in which a table of bcolz waits. */
  readonly waiting: ReadonlyMap<PreparedMark, Stage>;
  /** Tells a ticket of an event. Throws REGISTRY_UNAVAILABLE. */
  readonly tell: (ticket: string, event: TicketEvent) => Promise<Told>;
  /** The generations that pointers name of a table right now. Throws REGISTRY_UNAVAILABLE. */
  readonly named: (table: string) => Promise<readonly string[]>;
  /** When the pointer of a table was set, as far as known, if it names that generation. */
  readonly pointedMs: (table: string, generation: string) => number | undefined;
  /** The table has generations that nothing needs, and may lose them later. */
  readonly collectLater: (table: string) => void;
}

/** What a step came to: `later` when it has to wait for somebody. */
export type StepEnd = "done" | "later";

/** After these another try does not help, and the slot fails with the reason. */
const lastingCodes: readonly ErrorCode[] = ["TABLE_NOT_MANAGED", "DISK_FULL", "BAD_INPUT", "UNSUPPORTED_FORMAT", "UNSUPPORTED_DTYPE", "CORRUPT_FOOTER", "CORRUPT_CHUNK", "CORRUPT_DICTIONARY", "INTERNAL"];
/** Tries of what may help, before it counts as lasting. */
const triesMax = 5;

/** Does a step, which failed so many times before. Throws what may pass: whoever writes the table, the registry away, the disk. */
export async function doStep(tools: StepTools, step: MoverStep, failures: number): Promise<StepEnd> {
  switch (step.kind) {
    case "prepare": return prepare(tools, step, failures);
    case "promote": return promote(tools, step);
    case "settle": return settle(tools, step);
    case "takeBack": return takeBack(tools, step);
    case "clear": return clear(tools, step);
    default: return unreachable(step);
  }
}

async function prepare(tools: StepTools, { ticket, table, fence }: Stage, failures: number): Promise<StepEnd> {
  const { files, node, log } = tools;
  const at = { node, table, fence };
  try {
    const generation = await landTable(files, landingOf(tools, ticket, table, { ticket, table, fence }));
    await showWorkers(tools, table);
    const told = await tools.tell(ticket, { kind: "prepared", ...at, generation });
    if (told.how === "made") log.info({ event: "slot.prepared", ticket, table, generation });
    noteFailed(tools, ticket, told);
  } catch (cause) {
    const failure = toBquerydError(cause, `put ${table} into place`);
    if (failure.code === "REGISTRY_UNAVAILABLE" || failure.code === "STALE") throw failure;
    if (failure.code === "NOT_FOUND") {
      // The downloader's next claim fetches what is lacking.
      log.warn({ event: "slot.unstaged", ticket, table, message: failure.message });
      await tools.tell(ticket, { kind: "unstaged", ...at });
      return "done";
    }
    const isLasting = lastingCodes.includes(failure.code) || (failure.code !== "BUSY" && failures + 1 >= triesMax);
    if (!isLasting) throw failure;
    log.warn({ event: "slot.failed", ticket, table, code: failure.code, message: failure.message });
    noteFailed(tools, ticket, await tools.tell(ticket, { kind: "refused", ...at, reason: `${failure.code}: ${failure.message}` }));
  }
  return "done";
}

async function promote(tools: StepTools, mark: PreparedMark): Promise<StepEnd> {
  const { files, node, log, keepGenerations } = tools;
  const { ticket, table, generation } = mark;
  await withCollection(tools, table, async () => {
    await promoteTable(files, landingOf(tools, ticket, table, tools.waiting.get(findWaiting(tools, mark))), generation, { ...timesOf(tools, table), keepGenerations, pointedMs: tools.pointedMs(table, generation) });
  });
  tools.collectLater(table);
  const told = await tools.tell(ticket, { kind: "switched", node, table });
  if (told.how === "made") log.info({ event: "slot.switched", ticket, table, generation });
  return "done";
}

async function settle({ tell, node }: StepTools, { ticket, table }: MoverStep & { readonly kind: "settle" }): Promise<StepEnd> {
  await tell(ticket, { kind: "switched", node, table });
  return "done";
}

async function takeBack(tools: StepTools, mark: PreparedMark): Promise<StepEnd> {
  const { ticket, table } = mark;
  const stage = tools.waiting.get(findWaiting(tools, mark));
  await withCollection(tools, table, () => takeBackTable(tools.files, landingOf(tools, ticket, table, stage), timesOf(tools, table)));
  tools.log.info({ event: "slot.takenBack", ticket, table, generation: mark.generation });
  return "done";
}

async function clear({ files, dataDir }: StepTools, stage: Stage): Promise<StepEnd> {
  // Who writes there finds out soon that it is in vain.
  if (await findWriter(files, dataDir, stage) === "alive") return "later";
  await removeStage(files, dataDir, stage);
  return "done";
}

/** Collects what a table does not need any more; tells whether there may be more of it later. Throws BUSY, IO. */
export async function collectTable(tools: StepTools, table: string): Promise<void> {
  await withCollection(tools, table, () => collectGenerations(tools.files, join(tools.dataDir, table), timesOf(tools, table)));
}

/** Where a table is landed from, and where to. One without a stage of its own has nothing in any. */
function landingOf({ dataDir }: StepTools, ticket: string, table: string, stage: Stage | undefined): LandingPlan {
  return { stage: stagePath(dataDir, stage ?? { ticket, table, fence: 0 }), path: join(dataDir, table), ticket };
}

/** The mark as the look at the disk had it. */
function findWaiting({ waiting }: StepTools, { ticket, table, generation }: PreparedMark): PreparedMark {
  const found = [...waiting.keys()].find((mark) => mark.ticket === ticket && mark.table === table && mark.generation === generation);
  return found ?? { ticket, table, generation };
}

/** Does what may remove generations of a table, and logs which it has removed. */
async function withCollection(tools: StepTools, table: string, work: () => Promise<void>): Promise<void> {
  const before = await generationsIn(tools, table);
  try {
    await work();
  } finally {
    const after = new Set(await generationsIn(tools, table));
    for (const generation of before) if (!after.has(generation)) tools.log.info({ event: "generation.collected", table, generation });
  }
  await showWorkers(tools, table);
}

async function generationsIn({ files, dataDir }: StepTools, table: string): Promise<string[]> {
  const names = await files.list(join(dataDir, table)).catch(() => []);
  return names.flatMap((name) => /^([0-9a-f]{64})\.json$/.exec(name)?.[1] ?? []);
}

/**
 * Makes the workers of this node look at a table now: they are told of what happens in data_dir, but not of what happens
 * in a table. Where this fails they find it a little later.
 */
async function showWorkers({ files, dataDir }: StepTools, table: string): Promise<void> {
  await files.touch(join(dataDir, table), wallMs()).catch(() => undefined);
}

function timesOf({ timeoutMs, named }: StepTools, table: string): LandingTimes {
  return { nowMs: wallMs(), spareMs: spareMsOf(timeoutMs), named: () => named(table) };
}

function noteFailed({ log }: StepTools, ticket: string, { head }: Told): void {
  if (head?.state === "failed") log.warn({ event: "ticket.failed", ticket, message: head.reason ?? "for no reason given" });
}

/** Tells whether a failure of a step is one that nobody has to be told of: somebody writes the table, and will have done. */
export function isWaiting(failure: BquerydError): boolean {
  return failure.code === "BUSY";
}
