/** Who sends and fetches tables for `bench transfer`, in a process of its own, so that its memory is that of a transfer. */
import { basename, join } from "node:path";
import { mapBounded } from "../../../lib/base/bounded.js";
import { monotonicMs } from "../../../lib/base/clock.js";
import { realFiles } from "../../../lib/base/files.js";
import { keepYoungSmall } from "../../../lib/base/garbage.js";
import type { ObjectStore } from "../../../lib/objects/objects.js";
import { openS3 } from "../../../lib/objects/s3/store.js";
import { createRangeBuffers } from "../../../lib/transfer/fetch/buffers.js";
import { fetchTable, type FetchProgress } from "../../../lib/transfer/fetch/fetch.js";
import { createBandwidth } from "../../../lib/transfer/fetch/pace.js";
import { createWriteBack } from "../../../lib/transfer/fetch/write-back.js";
import { manifestKey } from "../../../lib/transfer/manifest.js";
import { uploadTables } from "../../../lib/transfer/send/upload.js";
import { settingsOf } from "../../../test/support/s3/stage.js";
import { peakMegabytes } from "./large.js";
import { bucket, type AgentReport, type Job, type StoreFacts } from "./processes.js";

/** Tables that are fetched side by side. */
const tablesAtOnce = 2;

// As the daemons do.
keepYoungSmall();
const facts = JSON.parse(process.argv[2]!) as StoreFacts;
const counted = { bytes: 0 };
const store = counting(await openS3({ bucket, prefix: "" }, settingsOf(facts)));
const buffers = createRangeBuffers();
const writeBack = createWriteBack();
process.once("disconnect", () => { void store.close(); });
process.on("message", (job: Job) => { void report(job); });
process.send!("ready");

async function report(job: Job): Promise<void> {
  counted.bytes = 0;
  const startMs = monotonicMs();
  const before = process.cpuUsage();
  const outcome = await (job.verb === "send" ? send(job) : fetch(job)).catch((cause: unknown) => ({ failure: String(cause), moved: 0 }));
  const tookMs = monotonicMs() - startMs;
  const { user, system } = process.cpuUsage(before);
  process.send!({ ...outcome, tookMs, processorMs: (user + system) / 1_000, readBytes: counted.bytes, peakMegabytes: peakMegabytes(process.pid) } satisfies AgentReport);
}

async function send({ paths }: Extract<Job, { verb: "send" }>): Promise<{ failure: string | null; moved: number }> {
  const sent = await uploadTables(store, paths);
  return { failure: null, moved: sent.reduce((sum, { bytesSent }) => sum + bytesSent, 0) };
}

async function fetch({ tables, stages, directories, cutAt }: Extract<Job, { verb: "fetch" }>): Promise<{ failure: string | null; moved: number }> {
  const cut = new AbortController();
  const onProgress = ({ bytesDone, bytesTotal }: FetchProgress): void => {
    if (cutAt !== null && bytesDone >= bytesTotal * cutAt) cut.abort();
  };
  const tools = { store, files: realFiles, buffers, writeBack, bandwidth: createBandwidth(undefined), signal: cut.signal };
  const fetched = await mapBounded(tables, tablesAtOnce, (table) => fetchTable(tools, {
    table, manifestKey: manifestKey(table), stage: join(stages, table), directory: join(directories, basename(table)), onProgress,
  }));
  return { failure: null, moved: fetched.flatMap(({ files }) => files).reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** The store, whose bytes that are read are counted. */
function counting(inner: ObjectStore): ObjectStore {
  return {
    ...inner,
    async *read(key, options) {
      for await (const piece of inner.read(key, options)) {
        counted.bytes += piece.length;
        yield piece;
      }
    },
  };
}
