import { expect } from "chai";
import { describe, it } from "mocha";
import { runSimulation } from "./simulator.js";
import type { SimulationReport } from "./world.js";

const seeds = Array.from({ length: 200 }, (_, seed) => seed);

/** The seed, what went wrong, and the end of the story as a run with a trace tells it. */
function describeFailure({ seed, problems }: SimulationReport, faults: boolean): string {
  const { trace } = runSimulation(seed, { faults, trace: true });
  return [`seed ${seed}, faults ${faults}`, ...problems.slice(0, 10), ...trace.slice(-200)].join("\n");
}

function sumCounts(reports: readonly SimulationReport[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [what, count] of reports.flatMap(({ counts }) => [...counts])) sums.set(what, (sums.get(what) ?? 0) + count);
  return sums;
}

describe("simulation of a cluster", function simulation() {
  this.timeout(120_000);

  it("answers every call rightly and once when nothing breaks", () => {
    for (const seed of seeds.slice(0, 40)) {
      const report = runSimulation(seed, { faults: false });
      if (report.problems.length > 0) expect.fail(describeFailure(report, false));
      expect(report.counts.get("answer result"), `seed ${seed}`).to.be.greaterThan(10);
      expect(report.counts.get("answer result of rows"), `seed ${seed}`).to.be.greaterThan(5);
    }
  });

  it("answers every call once, rightly or with an error in time, while everything breaks", () => {
    const reports = seeds.map((seed) => runSimulation(seed));
    const failed = reports.find(({ problems }) => problems.length > 0);
    if (failed !== undefined) expect.fail(describeFailure(failed, true));
    const counts = sumCounts(reports);
    // A simulation in which nothing happens proves nothing.
    for (const what of ["answer result", "answer result of rows", "shard left out", "answer DEADLINE", "answer CANCELLED", "answer BUSY", "call restarted", "log task.retried", "log worker.lost", "fault repeated message"]) {
      expect(counts.get(what) ?? 0, what).to.be.at.least(20);
    }
  });

  it("tells the same story again from the same seed", () => {
    const first = runSimulation(7, { trace: true });
    const second = runSimulation(7, { trace: true });
    expect(second.trace).to.deep.equal(first.trace);
    expect(second.steps).to.equal(first.steps);
  });
});
