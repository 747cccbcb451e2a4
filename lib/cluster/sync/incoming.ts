/**
 * The folder of all stages as a process found it when it began. Where that is gone, or another one is in its place, the disk of the
 * data directory was unmounted, or all was moved away: nothing is lacking then that should be brought, least of all to the disk below.
 */
import { BquerydError } from "../../base/errors.js";
import type { Files } from "../../base/files.js";
import { incomingFolder } from "./stages.js";

/** That folder. */
export interface Incoming {
  /** Throws IO where it is not there. */
  require(): Promise<void>;
  isThere(): Promise<boolean>;
}

/** Makes the folder where there is none. Throws the system's error. */
export async function openIncoming(files: Files, dataDir: string): Promise<Incoming> {
  const path = incomingFolder(dataDir);
  await files.makeDirectory(path);
  const identity = (await files.find(path))?.identity;
  // What cannot be looked at, as of a server that is away, is not there either.
  const isThere = async (): Promise<boolean> => (await files.find(path).catch(() => undefined))?.identity === identity;
  return {
    isThere,
    async require() {
      if (await isThere()) return;
      throw new BquerydError("IO", `data_dir ${dataDir} is not what it was: ${path} is gone, or another one; mount its disk again or put it back, or start this process again to fill it anew`, { details: { dataDir } });
    },
  };
}
