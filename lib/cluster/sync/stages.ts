/**
 * Where downloaders put what they fetch: a folder beside the tables whose name no table has, on the same disk.
 *
 *   DATA_DIR/.bqueryd-incoming/LOCK                                the mover at work here
 *   DATA_DIR/.bqueryd-incoming/TICKET/FENCE/TABLE                  what one claim of a slot has fetched
 *   DATA_DIR/.bqueryd-incoming/TICKET/FENCE/TABLE.manifest.json    all of it is there
 *   DATA_DIR/.bqueryd-incoming/TICKET/FENCE/TABLE.owner            the process that writes it, as long as it does
 *
 * Each claim has a stage of its own, and only the process that made the claim writes there. So two never write one stage,
 * however late one of them learns that its lease is over.
 */
import { dirname, join } from "node:path";
import { isSystemError, type Files } from "../../base/files.js";
import { formatMark, parseMark, readMark } from "../../columns/directory/marks.js";
import { removeDirectoryIfEmpty, removeIfThere } from "../../columns/directory/remove.js";
import { isTableName } from "../../columns/names.js";
import { clearStage, unsealStage } from "../../transfer/stage.js";
import type { Stage } from "./tickets/next.js";

const besides = /(?:\.manifest\.json|\.owner|\.[0-9a-f]{32}\.tmp)$/;

/** The folder of all stages below a data directory. */
export function incomingFolder(dataDir: string): string {
  return join(dataDir, ".bqueryd-incoming");
}

/** The folder of a stage. */
export function stagePath(dataDir: string, { ticket, fence, table }: Stage): string {
  return join(incomingFolder(dataDir), ticket, String(fence), table);
}

/** The tickets that have a folder below a data directory. Throws the system's error. */
export async function listTicketFolders(files: Files, dataDir: string): Promise<string[]> {
  return (await listIfThere(files, incomingFolder(dataDir))).filter((name) => /^[0-9a-f]{16}$/.test(name));
}

/** All stages of tickets below a data directory, also what is left of some. Throws the system's error. */
export async function listStages(files: Files, dataDir: string, tickets: readonly string[]): Promise<Stage[]> {
  const stages: Stage[] = [];
  for (const ticket of tickets) stages.push(...await listStagesOf(files, dataDir, ticket));
  return stages;
}

/** Says that this process writes a stage; `process` is what it is called in the registry. Throws the system's error. */
export async function ownStage(files: Files, dataDir: string, stage: Stage, process: string): Promise<void> {
  const path = ownerPath(dataDir, stage);
  await files.makeDirectory(dirname(path));
  await removeIfThere(files, path);
  await files.create(path, Buffer.from(formatMark(process)));
}

/** Says that nobody writes a stage any more. Throws the system's error. */
export async function disownStage(files: Files, dataDir: string, stage: Stage): Promise<void> {
  await removeIfThere(files, ownerPath(dataDir, stage));
}

/** Who writes a stage: a process that runs, one of another container, of which nobody here can tell whether it runs, or nobody. */
export async function findWriter(files: Files, dataDir: string, stage: Stage): Promise<"alive" | "foreign" | "none"> {
  const mark = await readMark(files, ownerPath(dataDir, stage));
  const state = mark === undefined ? "none" : parseMark(mark).state;
  return state === "gone" ? "none" : state;
}

/**
 * Makes what an earlier claim of the slot has fetched the beginning of this one, and tells whether there was some: the
 * latest stage that nobody writes any more. This one's own folder is still empty. Throws the system's error.
 */
export async function inheritStage(files: Files, dataDir: string, stage: Stage): Promise<boolean> {
  const earlier = (await listStagesOf(files, dataDir, stage.ticket)).filter(({ table, fence }) => table === stage.table && fence < stage.fence);
  for (const one of earlier.sort((a, b) => b.fence - a.fence)) {
    if (await findWriter(files, dataDir, one) !== "none") continue;
    await unsealStage(files, stagePath(dataDir, one));
    try {
      await files.rename(stagePath(dataDir, one), stagePath(dataDir, stage));
      await disownStage(files, dataDir, one);
      return true;
    } catch (cause) {
      if (!isSystemError(cause, "ENOENT")) throw cause;
    }
  }
  return false;
}

/** Removes a stage and what says whose it is. Throws the system's error. */
export async function removeStage(files: Files, dataDir: string, stage: Stage): Promise<void> {
  await clearStage(files, stagePath(dataDir, stage));
  await disownStage(files, dataDir, stage);
}

/** Removes the folder of a ticket that is over, as far as nothing is in it any more. Throws the system's error. */
export async function removeEmptyFolders(files: Files, dataDir: string, ticket: string): Promise<void> {
  const folder = join(incomingFolder(dataDir), ticket);
  for (const fence of await listIfThere(files, folder)) await removeDirectoryIfEmpty(files, join(folder, fence));
  await removeDirectoryIfEmpty(files, folder);
}

async function listStagesOf(files: Files, dataDir: string, ticket: string): Promise<Stage[]> {
  const folder = join(incomingFolder(dataDir), ticket);
  const fences = (await listIfThere(files, folder)).filter((name) => /^[1-9]\d{0,8}$/.test(name));
  const stages: Stage[] = [];
  for (const fence of fences) {
    const names = (await listIfThere(files, join(folder, fence))).map((name) => name.replace(besides, ""));
    for (const table of new Set(names.filter(isTableName))) stages.push({ ticket, table, fence: Number(fence) });
  }
  return stages;
}

function ownerPath(dataDir: string, stage: Stage): string {
  return `${stagePath(dataDir, stage)}.owner`;
}

async function listIfThere(files: Files, path: string): Promise<string[]> {
  try {
    return await files.list(path);
  } catch (cause) {
    if (isSystemError(cause, "ENOENT") || isSystemError(cause, "ENOTDIR")) return [];
    throw cause;
  }
}
