/** Many small shards, where requests take the time and not bytes. */
import { mkdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { contentKey } from "../../../lib/transfer/manifest.js";
import { measureInTurn } from "../measure.js";
import { requireSame } from "./content.js";
import { manifestOf } from "./large.js";
import type { CaseInput, CaseResult } from "./main.js";
import { curlDown } from "./peer.js";
import { startAgent } from "./processes.js";
import { writeMany } from "./tables.js";

/** Shards at most, of so many rows each. */
const [shardsMax, shardRows] = [1_000, 1_000];

/** Sends and fetches a set of small shards, a thousandth of the rows of them at most. */
export async function measureMany({ store, rows, runs, scratch, signal }: CaseInput): Promise<CaseResult[]> {
  const shards = Math.max(2, Math.min(shardsMax, Math.floor(rows / 1_000)));
  const source = join(scratch, "source");
  await mkdir(source);
  const paths = await writeMany(source, shards, shardRows);
  const manifests = await Promise.all(paths.map(manifestOf));
  const bytes = manifests.flatMap(({ files }) => files).reduce((sum, file) => sum + file.bytes, 0);
  const agent = await startAgent(store);
  try {
    const { tookMs } = await agent.run({ verb: "send", paths });
    const [ours, theirs] = [join(scratch, "ours"), join(scratch, "theirs")];
    const clear = async (): Promise<void> => {
      for (const folder of [ours, theirs]) await rm(folder, { recursive: true, force: true });
      await mkdir(theirs);
    };
    const fetch = async (): Promise<void> => {
      await agent.run({ verb: "fetch", tables: paths.map((path) => basename(path)), stages: ours, directories: join(scratch, "none"), cutAt: null });
    };
    const files = manifests.flatMap(({ table, files: each }) => each.map(({ sha256 }) => ({ path: join(theirs, `${table}.${sha256}`), key: contentKey(table, sha256) })));
    await clear();
    await fetch();
    for (const manifest of manifests) await requireSame(manifest, join(ours, manifest.table));
    const [mine, peer] = await measureInTurn([fetch, () => curlDown(store, files, { scratch, signal })], { warmUps: 0, timed: runs }, signal, clear);
    return [
      { times: mine!, bytes, peer: { name: "curl && sync", times: peer! } },
      { figure: "shards", value: shards, unit: "", limit: null },
      { figure: "shards sent", value: shards / tookMs * 1_000, unit: "1/s", limit: null },
      { figure: "shards fetched", value: shards / mine!.medianMs * 1_000, unit: "1/s", limit: null },
    ];
  } finally {
    await agent.close();
  }
}
