/**
 * Where the time of a question goes, in milliseconds of waiting:
 *
 *   route    what nobody computed in: the way there and back, and waiting for the slower worker
 *   decode   what scanning takes longer without any cache; in the other columns nothing is decoded
 *   kernel   scanning, a worker
 *   merge    merging partials: a worker's share, and the client
 *   render   finishing the columns of the result, and making arrays of them
 */
import { monotonicMs } from "../../lib/base/clock.js";
import type { GroupbyQuery, Rpc, Summary } from "../../lib/index.js";
import { cacheOfMode, materialize, type Bench } from "./asking.js";
import type { Case } from "./cases.js";
import { median } from "./measure.js";
import type { Profile } from "./report.js";

interface Sample {
  readonly summary: Summary;
  readonly renderMs: number;
}

/** The profile of a question: medians over as many runs as it is timed. */
export async function profileCase({ rows, rpc, runs, signal }: Bench, { name, query }: Pick<Case, "name" | "query">): Promise<Profile> {
  const samples = { warm: [] as Sample[], bypass: [] as Sample[] };
  for (let run = -runs.warmUps; run < runs.timed; run++) {
    for (const mode of ["warm", "bypass"] as const) {
      signal.throwIfAborted();
      const sample = await takeSample(rpc, { ...query, cache: cacheOfMode[mode] });
      if (run >= 0) samples[mode].push(sample);
    }
  }
  const scanOf = ({ summary }: Sample): number => summary.scannedMs / Math.max(1, summary.workers);
  const kernelMs = medianOf(samples.warm, scanOf);
  const mergeMs = medianOf(samples.warm, ({ summary }) => summary.mergedMs);
  const renderMs = medianOf(samples.warm, (sample) => sample.renderMs);
  const totalMs = medianOf(samples.warm, ({ summary, renderMs: own }) => summary.durationMs - summary.renderedMs + own);
  return {
    bench: name, mode: "profile", rows, totalMs, kernelMs, mergeMs, renderMs,
    routeMs: Math.max(0, totalMs - kernelMs - mergeMs - renderMs),
    decodeMs: Math.max(0, medianOf(samples.bypass, scanOf) - kernelMs),
  };
}

async function takeSample(rpc: Rpc, query: GroupbyQuery): Promise<Sample> {
  const table = await rpc.groupby(query);
  const startMs = monotonicMs();
  materialize(table);
  return { summary: table.summary, renderMs: table.summary.renderedMs + monotonicMs() - startMs };
}

function medianOf(samples: readonly Sample[], of: (sample: Sample) => number): number {
  return median(samples.map(of));
}
