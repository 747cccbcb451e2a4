/** Whether downloaders and movers of this machine could do their work. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import type { Config } from "../../base/config.js";
import { toBquerydError } from "../../base/errors.js";
import { failed, look, ok, warning, type Check } from "./check.js";

/** Hosts from which nothing goes over a network. */
const ownHosts = /^(127(\.\d{1,3}){3}|localhost|\[::1\])$/;

/** The data directory, and the object store that is not of AWS. `folders` are those that running downloaders and movers have here. */
export async function checkTransfer({ dataDir, downloaders, s3Endpoint }: Pick<Config, "dataDir" | "downloaders" | "s3Endpoint">, folders: ReadonlySet<string>): Promise<readonly Check[]> {
  const isNeeded = downloaders > 0 || folders.has(dataDir);
  return [...await look("data_dir", () => checkWritable(dataDir, isNeeded)), ...checkEndpoint(s3Endpoint)];
}

async function checkWritable(dataDir: string, isNeeded: boolean): Promise<Check[]> {
  const obstacle = await access(dataDir, constants.W_OK | constants.X_OK).then(() => undefined, (cause: unknown) => toBquerydError(cause));
  if (obstacle === undefined) return isNeeded ? [ok("data_dir", `${dataDir} can be written, as downloaders and movers need`)] : [];
  if (obstacle.code === "NOT_FOUND") return []; // Which is told of already.
  if (isNeeded) return [failed("data_dir", `${dataDir} cannot be written by this user, and downloaders and movers put tables there`, "change its permissions, or run them as the user that owns it")];
  return [ok("data_dir", `${dataDir} cannot be written by this user, which is fine for workers; downloaders, movers and import could not`)];
}

/** That it is an address is known by then. */
function checkEndpoint(endpoint: string | undefined): Check[] {
  if (endpoint === undefined) return [];
  const { protocol, hostname, pathname } = new URL(endpoint);
  if (pathname !== "/") return [warning("s3_endpoint", `${endpoint} has a path, and buckets are sought below it`, "leave it out unless the store has one: the bucket is named with each upload and download")];
  if (protocol === "http:" && !ownHosts.test(hostname)) return [warning("s3_endpoint", `${endpoint} is not encrypted, so that others on the way can read tables and change them`, "give https:// where the network is not all yours")];
  return [ok("s3_endpoint", endpoint)];
}
