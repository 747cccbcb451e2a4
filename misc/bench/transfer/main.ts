/** `bench transfer`: tables to a store and from it, beside curl on the same store in the same run. Answers are compared first. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { BquerydError } from "../../../lib/base/errors.js";
import type { FigureResult, TimedResult } from "../report.js";
import { measureDownloader } from "./downloader.js";
import { measureDownload, measureUpload } from "./large.js";
import { measureMany } from "./many.js";
import { measureResume, measureUnchanged } from "./partly.js";
import { startStore, type StoreProcess } from "./processes.js";
import { measureSwitch } from "./switch.js";
import { wideColumns, writeWide } from "./tables.js";

/** What to measure, on tables that are made for it and removed. */
export interface TransferBench {
  /** Of the large table; 72 bytes each. */
  readonly rows: number;
  readonly runs: number;
  readonly only: readonly string[] | undefined;
  readonly signal: AbortSignal;
  note(sentence: string): void;
  report(result: TimedResult | FigureResult): void;
}

/** A result without what all of a case share. */
export type CaseResult = Omit<TimedResult, "bench" | "mode" | "rows"> | Omit<FigureResult, "bench" | "mode" | "rows">;

/** What the cases share. */
export interface CaseInput {
  readonly store: StoreProcess;
  /** Directory of the large table. */
  readonly table: string;
  readonly rows: number;
  readonly runs: number;
  /** Empty at the start and removed after the case. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

const cases: ReadonlyMap<string, (input: CaseInput) => Promise<CaseResult[]>> = new Map([
  ["download", measureDownload], ["upload", measureUpload], ["many", measureMany], ["unchanged", measureUnchanged], ["resume", measureResume], ["downloader", measureDownloader], ["switch", measureSwitch],
]);

/** Measures the cases one after the other. Throws naming the first thing that is wrong; USAGE. */
export async function benchTransfer({ rows, runs, only, signal, note, report }: TransferBench): Promise<void> {
  const unknown = only?.find((name) => !cases.has(name));
  if (unknown !== undefined) throw new BquerydError("USAGE", `there is no case '${unknown}'; use some of ${[...cases.keys()].join(", ")}`);
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-bench-transfer-"));
  const store = await startStore(folder);
  try {
    note(`making a table in ${folder}`);
    const table = join(folder, "large.bcolz");
    await writeWide(table, rows, Array.from({ length: wideColumns }, (_, column) => column));
    // What is still to be written of it would be written in the time of the first run.
    await promisify(execFile)("sync", { signal });
    for (const [bench, measure] of cases) {
      if (only !== undefined && !only.includes(bench)) continue;
      signal.throwIfAborted();
      const scratch = join(folder, bench);
      await mkdir(scratch);
      await store.empty();
      for (const result of await measure({ store, table, rows, runs, scratch, signal })) report({ bench, mode: "files", rows, ...result });
      await rm(scratch, { recursive: true });
    }
  } finally {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}
