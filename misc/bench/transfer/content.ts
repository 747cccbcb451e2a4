/** Comparing what came with what it has to be, by hashes made here. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Manifest } from "../../../lib/transfer/manifest.js";

/** Throws naming the first file of a folder that is not what the manifest says. */
export async function requireSame({ files }: Manifest, folder: string): Promise<void> {
  for (const { name, sha256 } of files) {
    const hash = createHash("sha256");
    await pipeline(createReadStream(join(folder, name), { highWaterMark: 1 << 20 }), hash);
    if (hash.digest("hex") !== sha256) throw new Error(`${name} came as another than it is`);
  }
}
