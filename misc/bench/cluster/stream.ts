/** Very many rows to one client, and what the controller holds of them meanwhile. */
import { monotonicMs } from "../../../lib/base/clock.js";
import { withCluster } from "../../support/cluster.js";
import type { CaseInput, Figure } from "./main.js";
import { residentMegabytes } from "./processes.js";

const bytesPerRow = 32;

/** Takes every row of the wide table. */
export function measureStream({ tables, signal }: CaseInput): Promise<Figure[]> {
  return withCluster({ dataDir: tables.wideDir, workers: 2 }, async ({ rpc, controllers }) => {
    const startMs = monotonicMs();
    let [rows, most] = [0, 0];
    for await (const table of rpc.rows("wide", ["a", "b", "c", "d"], [], [], { signal })) {
      rows += table.numRows;
      most = Math.max(most, residentMegabytes(controllers[0]!.pid));
    }
    if (rows !== tables.wideRows) throw new Error(`${rows} rows came of ${tables.wideRows}`);
    const seconds = (monotonicMs() - startMs) / 1_000;
    return [
      { figure: "streamed", value: rows * bytesPerRow / 1e6, unit: "MB", limit: null }, { figure: "rate", value: rows * bytesPerRow / 1e6 / seconds, unit: "MB/s", limit: null },
      { figure: "controller, memory at most", value: most, unit: "MB", limit: 150 },
    ];
  });
}
