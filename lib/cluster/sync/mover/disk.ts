/** What lies on a node for the sake of tickets: marks, stages, and the generations that tables keep. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { monotonicMs } from "../../../base/clock.js";
import { BquerydError } from "../../../base/errors.js";
import { isSystemError, type Files } from "../../../base/files.js";
import { isBcolz, readBcolzDirectory } from "../../../columns/bcolz/directory.js";
import { readCurrent } from "../../../columns/directory/current.js";
import { currentName } from "../../../columns/files/footer.js";
import { readPrepared } from "../../../columns/files/prepared.js";
import { isTableName } from "../../../columns/names.js";
import { keyOfSlot, type Slot } from "../../../registry/tickets.js";
import { readSeal } from "../../../transfer/stage.js";
import { listStages, listTicketFolders, stagePath } from "../stages.js";
import type { MoverView, PreparedMark, Stage } from "../tickets/next.js";
import type { Ticket } from "../tickets/ticket.js";

/** What a look at the disk found. */
export interface DiskView extends Pick<MoverView, "marks" | "stages" | "kept"> {
  /** Tickets that have a folder for stages, which may be empty. */
  readonly folders: readonly string[];
  /** The stage of a mark of a table of bcolz, which waits there. */
  readonly waiting: ReadonlyMap<PreparedMark, Stage>;
}

/** A node's disk that is looked at again and again. */
export interface NodeDisk {
  /** A table was worked at: its marks are read anew with the next look. */
  noteChanged(table: string): void;
  /** Looks; tickets hold the slots of this node. Throws the system's error. */
  look(tickets: readonly Ticket[]): Promise<DiskView>;
}

/** All marks are read again after so long, in case that somebody else has changed them all the same. */
const knownForMs = 10_000;

/** A disk of which nothing is known yet but the tables that have marks: those are looked for in all tables, once. Throws the system's error. */
export async function openNodeDisk(files: Files, dataDir: string, node: string): Promise<NodeDisk> {
  const looked = new Set((await readdir(dataDir)).filter((name) => isTableName(name) && marksOf(dataDir, name).length > 0));
  /** Nobody but the one mover writes marks. */
  const known = new Map<string, readonly PreparedMark[]>();
  let knownSinceMs = monotonicMs();
  function findMarks(table: string): readonly PreparedMark[] {
    const marks = known.get(table) ?? marksOf(dataDir, table);
    known.set(table, marks);
    return marks;
  }
  return {
    noteChanged(table) { known.delete(table); },
    async look(tickets) {
      const underWay = tickets.filter(({ head: { state } }) => state === "active" || state === "committed");
      const comingTables = underWay.flatMap(({ slots }) => [...slots.keys()].map(tableOf));
      if (monotonicMs() - knownSinceMs > knownForMs) {
        known.clear();
        knownSinceMs = monotonicMs();
      }
      const marks = [...new Set([...looked, ...comingTables])].flatMap(findMarks);
      looked.clear();
      // What is under way may be given a mark before the next look, when its ticket may be over.
      for (const table of [...comingTables, ...marks.map((mark) => mark.table)]) looked.add(table);
      for (const table of [...known.keys()]) if (!looked.has(table)) known.delete(table);
      const waiting = new Map<PreparedMark, Stage>();
      const stages: Stage[] = [];
      const folders = await listTicketFolders(files, dataDir);
      for (const stage of (await listStages(files, dataDir, folders)).sort((a, b) => b.fence - a.fence)) {
        const mark = await findWaiting(files, dataDir, stage, slotOf(underWay, node, stage));
        if (mark === undefined || [...waiting.keys()].some((one) => isSame(one, mark))) stages.push(stage);
        else waiting.set(mark, stage);
      }
      return { marks: [...marks, ...waiting.keys()], stages, folders, waiting, kept: keptOf(dataDir, underWay, new Set(marks.map(keyOfMark))) };
    },
  };
}

/**
 * Tells whether the directory of a table holds generations that neither CURRENT nor a mark names. None counts as too many
 * while the one that a pointer names is not among those named: then nothing is to be removed there.
 */
export async function hasSurplus(files: Files, dataDir: string, table: string, pointed: string | null): Promise<boolean> {
  const path = join(dataDir, table);
  const names = await files.list(path).catch((): string[] => []);
  const named = new Set([...generationsOf(path, table), ...marksOf(dataDir, table).map(({ generation }) => generation)]);
  if (pointed !== null && !named.has(pointed)) return false;
  return names.includes(currentName) && names.some((name) => /^[0-9a-f]{64}\.json$/.test(name) && !named.has(name.slice(0, 64)));
}

/** Generations that wait in the directory of a table. What cannot be read is for whoever writes there to tell about. */
export function marksOf(dataDir: string, table: string): PreparedMark[] {
  try {
    return readPrepared(join(dataDir, table)).map(({ ticket, generation }) => ({ ticket, table, generation }));
  } catch (cause) {
    if (cause instanceof BquerydError) return [];
    throw cause;
  }
}

/**
 * What a whole stage of bcolz stands for: it waits there until it takes its place, as what a mark names does. One that the
 * slot has not come to prepare yet is a stage as others are.
 */
async function findWaiting(files: Files, dataDir: string, stage: Stage, slot: Slot | undefined): Promise<PreparedMark | undefined> {
  const isComing = slot?.state === "queued" || slot?.state === "downloading" || slot?.state === "verified" || slot?.state === "failed";
  if (isComing) return undefined;
  const seal = await readSeal(files, stagePath(dataDir, stage)).catch((cause: unknown) => {
    if (cause instanceof BquerydError || isSystemError(cause, "EIO")) return undefined;
    throw cause;
  });
  if (seal?.kind !== "bcolz" || (slot !== undefined && slot.generation !== seal.generation)) return undefined;
  return { ticket: stage.ticket, table: stage.table, generation: seal.generation };
}

/** What CURRENT lists of the tables that are not switched yet and have no mark that says so. */
function keptOf(dataDir: string, tickets: readonly Ticket[], marked: ReadonlySet<string>): Map<string, readonly string[]> {
  const committed = tickets.filter(({ head }) => head.state === "committed");
  const tables = new Set(committed.flatMap(({ head, slots }) => [...slots].flatMap(([key, { state }]) => {
    const table = tableOf(key);
    return state === "prepared" && !marked.has(keyOfMark({ ticket: head.id, table })) ? [table] : [];
  })));
  return new Map([...tables].map((table) => [table, generationsOf(join(dataDir, table), table)]));
}

/** The generations of a table: what CURRENT lists, the one of a table of bcolz, none of what is damaged or not there. */
export function generationsOf(path: string, table: string): readonly string[] {
  try {
    return isBcolz(path) ? [readBcolzDirectory(path).generation] : readCurrent(path, table);
  } catch (cause) {
    // Whatever is wrong with it: nothing says that it is there.
    if (cause instanceof BquerydError) return [];
    throw cause;
  }
}

function slotOf(tickets: readonly Ticket[], node: string, { ticket, table }: Stage): Slot | undefined {
  return tickets.find(({ head }) => head.id === ticket)?.slots.get(keyOfSlot({ node, table }));
}

function keyOfMark({ ticket, table }: Pick<PreparedMark, "ticket" | "table">): string {
  return `${ticket} ${table}`;
}

/** Names of nodes and tables have no spaces. */
function tableOf(key: string): string {
  return key.slice(key.lastIndexOf(" ") + 1);
}

function isSame(a: PreparedMark, b: PreparedMark): boolean {
  return a.ticket === b.ticket && a.table === b.table && a.generation === b.generation;
}
