/** What processes take that nobody asks anything. */
import { setTimeout as delay } from "node:timers/promises";
import { withCluster } from "../../support/cluster.js";
import type { CaseInput, Figure } from "./main.js";
import { processorSeconds, residentMegabytes } from "./processes.js";

/** A process that has just started has code to compile and memory to give back: it is left alone for so many times as long as it is measured. */
const settleTimes = 4;
const megabytesMax = 100;
const corePercentMax = 0.5;

/** Memory and processor time of a controller and a worker over so many seconds. */
export function measureIdle({ tables, seconds, signal }: CaseInput): Promise<Figure[]> {
  return withCluster({ dataDir: tables.smallDir, workers: 1 }, async ({ rpc, controllers, workers }) => {
    await rpc.close();
    await delay(settleTimes * seconds * 1_000, undefined, { signal });
    const processes = [["controller", controllers[0]!.pid], ["worker", workers[0]!.pid]] as const;
    const before = processes.map(([, pid]) => processorSeconds(pid));
    await delay(seconds * 1_000, undefined, { signal });
    return processes.flatMap(([role, pid], index): Figure[] => [
      { figure: `${role}, memory`, value: residentMegabytes(pid), unit: "MB", limit: megabytesMax },
      { figure: `${role}, of a core`, value: Math.round((processorSeconds(pid) - before[index]!) / seconds * 1e4) / 100, unit: "%", limit: corePercentMax },
    ]);
  });
}
