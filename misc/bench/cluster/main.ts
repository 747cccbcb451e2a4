/** `bench cluster`: what a cluster promises beside its answers, each figure held against its limit. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BquerydError } from "../../../lib/base/errors.js";
import type { FigureResult } from "../report.js";
import { measureCancel, measureDeaths } from "./deaths.js";
import { measureIdle } from "./idle.js";
import { measureBeside, measureEmpty, measureOverload, measureSmall } from "./load.js";
import { measureStream } from "./stream.js";
import { writeBenchTables, type BenchTables } from "./tables.js";

/** What to measure, on tables that are made for it and removed. */
export interface ClusterBench {
  /** The shards of the large query are a hundredth of it, at most 10,000; of the streamed rows it is a sixteenth. */
  readonly rows: number;
  /** How long each load lasts. */
  readonly seconds: number;
  readonly only: readonly string[] | undefined;
  readonly signal: AbortSignal;
  note(sentence: string): void;
  report(result: FigureResult): void;
}

/** A figure of a case, in its unit, and the limit it is held against. */
export type Figure = Omit<FigureResult, "bench" | "mode" | "rows">;

/** What the cases share. */
export interface CaseInput {
  readonly tables: BenchTables;
  readonly seconds: number;
  readonly signal: AbortSignal;
}

const cases: ReadonlyMap<string, (input: CaseInput) => Promise<Figure[]>> = new Map([
  ["empty", measureEmpty], ["small", measureSmall], ["beside", measureBeside], ["overload", measureOverload],
  ["idle", measureIdle], ["stream", measureStream], ["deaths", measureDeaths], ["cancel", measureCancel],
]);

/** Measures the cases one after the other; every answer on the way is checked. Throws naming the first wrong one; USAGE. */
export async function benchCluster({ rows, seconds, only, signal, note, report }: ClusterBench): Promise<void> {
  const unknown = only?.find((name) => !cases.has(name));
  if (unknown !== undefined) throw new BquerydError("USAGE", `there is no case '${unknown}'; use some of ${[...cases.keys()].join(", ")}`);
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-bench-cluster-"));
  try {
    note(`making tables in ${folder}`);
    const tables = await writeBenchTables(folder, rows);
    for (const [bench, measure] of cases) {
      if (only !== undefined && !only.includes(bench)) continue;
      signal.throwIfAborted();
      for (const figure of await measure({ tables, seconds, signal })) report({ bench, mode: "cluster", rows, ...figure });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
