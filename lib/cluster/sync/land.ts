/**
 * What a mover does for one table: puts what a stage holds into the table's directory, switches to it, or takes it back.
 * Each step may be cut off anywhere and done again.
 *
 * A table of bcolz has one generation and nowhere to put another beside it. It waits in its stage, and switching is one
 * rename of that folder into the place of the table, where nothing may be yet. Between the commit and that rename nobody
 * serves it: the mover does it first of all, as soon as it is told of the commit.
 */
import { dirname } from "node:path";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import type { Files } from "../../base/files.js";
import { isBcolz, readBcolzDirectory } from "../../columns/bcolz/directory.js";
import { landGeneration, promoteGeneration, retainGeneration, takeBackGeneration, type LandingTimes, type PromotionTimes } from "../../columns/directory/landing.js";
import { readPrepared } from "../../columns/files/prepared.js";
import { clearStage, readSeal } from "../../transfer/stage.js";

/** A table of a ticket on this node. */
export interface LandingPlan {
  /** As `fetchTable` filled it. */
  readonly stage: string;
  /** The table's directory, or where it is to be. */
  readonly path: string;
  /** 16 hexadecimal digits. */
  readonly ticket: string;
}

/**
 * Prepares the generation in a stage, and gives it. Afterwards the stage is empty, but for a table of bcolz. Throws NOT_FOUND
 * when the stage is not whole, TABLE_NOT_MANAGED when something else is at the table's place, BUSY when somebody writes the
 * table, DISK_FULL, IO.
 */
export async function landTable(files: Files, { stage, path, ticket }: LandingPlan): Promise<string> {
  return orFail(path, async () => {
    const marked = readPrepared(path).find((one) => one.ticket === ticket);
    const manifest = marked === undefined ? await readSeal(files, stage) : undefined;
    if (marked === undefined && manifest === undefined) throw new BquerydError("NOT_FOUND", `nothing whole lies in ${stage}; download the table again`, { details: { stage } });
    if (manifest?.kind === "bcolz") {
      await requireFree(files, path, manifest.generation);
      return manifest.generation;
    }
    const generation = marked?.generation ?? manifest!.generation;
    if (manifest !== undefined) {
      const names = manifest.files.flatMap(({ name }) => (name === `${generation}.json` ? [] : [name]));
      await landGeneration(files, path, { generation, ticket, stage, names });
    }
    await clearStage(files, stage);
    return generation;
  });
}

/**
 * Makes the prepared generation the current one; nothing where that is done. Throws BUSY when somebody writes the table,
 * TABLE_NOT_MANAGED when something came to the place of a table of bcolz, CORRUPT_FOOTER, DISK_FULL, IO.
 */
export async function promoteTable(files: Files, { stage, path, ticket }: LandingPlan, generation: string, times: PromotionTimes): Promise<void> {
  await orFail(path, async () => {
    await promoteGeneration(files, path, { generation, ticket }, times);
    const manifest = await readSeal(files, stage);
    if (manifest?.kind === "bcolz" && manifest.generation === generation && !await requireFree(files, path, generation)) {
      await files.rename(stage, path);
      await files.syncDirectory(dirname(path));
    }
    await clearStage(files, stage);
  });
}

/** Takes back what a ticket has prepared of a table, and clears its stage. What CURRENT or a pointer names stays. Throws BUSY, IO. */
export async function takeBackTable(files: Files, { stage, path, ticket }: LandingPlan, times: LandingTimes): Promise<void> {
  await orFail(path, async () => {
    await takeBackGeneration(files, path, ticket, times);
    const manifest = times.named === undefined ? undefined : await readSeal(files, stage).catch(() => undefined);
    if (manifest?.kind === "bcolz" && (await times.named?.())?.includes(manifest.generation) === true) return;
    await clearStage(files, stage);
  });
}

/**
 * Keeps a generation that a pointer names and CURRENT does not list any more, where its files are still there; tells whether it is
 * listed then. Else the table is to be fetched again. Throws BUSY, DISK_FULL, IO.
 */
export async function retainTable(files: Files, path: string, generation: string): Promise<boolean> {
  return orFail(path, () => retainGeneration(files, path, generation));
}

/** Tells whether a table of bcolz is at its place already. Throws TABLE_NOT_MANAGED for anything else that is there. */
async function requireFree(files: Files, path: string, generation: string): Promise<boolean> {
  const found = await files.find(path);
  if (found === undefined || (found.isDirectory && (await files.list(path)).length === 0)) return false;
  if (isBcolz(path) && readBcolzDirectory(path).generation === generation) return true;
  throw new BquerydError("TABLE_NOT_MANAGED", `${path} is there already, and a table of bcolz cannot take its place while it is queried; move it away, or import the table and distribute that`, { details: { path } });
}

async function orFail<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw toBquerydError(cause, `put a generation into ${path}`);
  }
}
