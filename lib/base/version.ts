/** The version of this program. */
import { readFileSync } from "node:fs";

/** The version in package.json, `0.1.0`: what processes tell each other and --version prints. */
export const version: string = readVersion();

function readVersion(): string {
  // From dist/lib/base/ to the root of the package.
  const facts: unknown = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  if (typeof facts === "object" && facts !== null && "version" in facts && typeof facts.version === "string") return facts.version;
  throw new Error("package.json has no version");
}
