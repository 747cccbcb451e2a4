/** One large table to a node by ticket, as a user has it: what the downloader holds in memory of it, and how soon it is in use. */
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { monotonicMs } from "../../../lib/base/clock.js";
import { withCluster } from "../../support/cluster.js";
import { requireSame } from "./content.js";
import { withDaemons } from "./daemons.js";
import { fill, manifestOf, mostMegabytes, peakMegabytes } from "./large.js";
import type { CaseInput, CaseResult } from "./main.js";
import { bucket, credentialsOf } from "./processes.js";

/** Has a node fetch the table, verify it and switch to it. */
export async function measureDownloader(input: CaseInput): Promise<CaseResult[]> {
  const { store, table, scratch } = input;
  const manifest = await manifestOf(table);
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  await fill(input);
  const dataDir = join(scratch, "data");
  await mkdir(dataDir);
  const flags = [`--s3-endpoint=${store.url}`, `--s3-region=${store.region}`];
  return withCluster({ dataDir, workers: 1 }, (cluster) => withDaemons(cluster, { dataDir, flags, env: credentialsOf(store) }, async ({ downloader }) => {
    const startMs = monotonicMs();
    await cluster.rpc.download({ filenames: basename(table), bucket, wait: true, timeout: 3_600 });
    const tookMs = monotonicMs() - startMs;
    await requireSame(manifest, join(dataDir, basename(table)));
    return [
      { figure: "asked to in use", value: bytes / tookMs / 1_000, unit: "MB/s", limit: null },
      { figure: "memory of the downloader", value: peakMegabytes(downloader.pid), unit: "MB", limit: mostMegabytes },
    ];
  }));
}
