/** Whether the directory that a worker is to serve can be. */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { BquerydError, toBquerydError } from "../../../base/errors.js";

/** Throws CONFIG for a data_dir that is not there, is none, or cannot be read. */
export async function requireDataDir(dataDir: string): Promise<void> {
  const facts = await stat(dataDir).catch((cause: unknown) => {
    if (toBquerydError(cause).code !== "NOT_FOUND") throw unreadable(dataDir, cause);
    throw new BquerydError("CONFIG", `data_dir ${dataDir} does not exist; create it, or set data_dir to the directory of your tables`, { details: { dataDir }, cause });
  });
  if (!facts.isDirectory()) {
    throw new BquerydError("CONFIG", `data_dir ${dataDir} is not a directory; set data_dir to the directory of your tables`, { details: { dataDir } });
  }
  await access(dataDir, constants.R_OK | constants.X_OK).catch((cause: unknown) => { throw unreadable(dataDir, cause); });
}

function unreadable(dataDir: string, cause: unknown): BquerydError {
  return new BquerydError("CONFIG", `data_dir ${dataDir} cannot be read by this user; change its permissions, or set data_dir`, { details: { dataDir }, cause });
}
