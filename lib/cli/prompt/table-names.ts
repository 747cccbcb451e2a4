/** The tables of the cluster for Tab: asked for beside what the user asks, and kept for a while. */
import { monotonicMs } from "../../base/clock.js";
import type { TableInfo } from "../../wire/documents.js";

/** The tables that are known. */
export interface TableNames {
  /** Those of the last answer; asks for new ones, which come later, where they are old. */
  now(): readonly TableInfo[];
}

const keptMs = 5_000;

/** Asks at once, and then whenever the tables are wanted and older than some seconds. */
export function keepTableNames(ask: () => Promise<readonly TableInfo[]>): TableNames {
  let tables: readonly TableInfo[] = [];
  let askedMs = -Infinity;
  function refresh(): void {
    if (monotonicMs() - askedMs < keptMs) return;
    askedMs = monotonicMs();
    // Of a cluster that does not answer the next question tells; Tab offers what was known.
    ask().then((found) => { tables = found; }, () => undefined);
  }
  refresh();
  return {
    now() {
      refresh();
      return tables;
    },
  };
}
