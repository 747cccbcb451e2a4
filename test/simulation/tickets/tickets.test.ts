import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed } from "../../../lib/base/clock.js";
import { runTicketSimulation, type TicketReport } from "./ticket-simulator.js";
import type { TicketOptions } from "./ticket-world.js";

/** The report of a run in which everything held; else fails with the end of its story. */
function requireSound(seed: number, options: TicketOptions): TicketReport {
  const report = runTicketSimulation(seed, options);
  if (report.problems.length === 0) return report;
  const { trace } = runTicketSimulation(seed, { ...options, trace: true });
  return expect.fail([`seed ${seed}, ${JSON.stringify(options)}`, ...report.problems.slice(0, 10), ...trace.slice(-200)].join("\n"));
}

function sumCounts(reports: readonly TicketReport[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [what, count] of reports.flatMap(({ counts }) => [...counts])) sums.set(what, (sums.get(what) ?? 0) + count);
  return sums;
}

describe("simulation of tickets", function simulation() {
  this.timeout(120_000);

  it("brings every table to every node when nothing breaks, also by two tickets for one table", () => {
    const counts = sumCounts([0, 1].map((seed) => requireSound(seed, { faults: false })));
    expect(counts.get("ticket created")).to.be.greaterThan(5).and.equal(counts.get("ticket done")).and.equal(counts.get("ticket committed"));
  });

  it("switches everywhere or nowhere, deletes nothing in use, brings every node what it should hold and leaves nothing behind, while everything breaks", () => {
    const seeds = [2_013, 2_025, 2_035, 2_042, 2_092, ...Array.from({ length: 12 }, (_, index) => 2_000 + index)];
    const counts = sumCounts(seeds.map((seed) => requireSound(seed, { faults: true })));
    // A simulation in which nothing happens proves nothing.
    for (const what of [
      "ticket done", "ticket failed", "ticket cancelled", "slot taken over", "fenced off", "mover promote", "mover takeBack", "generation collected", "created twice",
      "fault process crashed", "fault process stopped", "fault slow owner", "fault registry away", "fault registry emptied", "fault disk full", "cancel refused",
      "join created", "join done", "rolled back", "fault tables lost", "fault imported by hand",
    ]) expect(counts.get(what) ?? 0, what).to.be.at.least(3);
    const once = ["fault node lost", "node new", "giveUp made", "pointers put back", "mover settle", "refused TABLE_NOT_MANAGED", "superseded made", "generation retained", "refilled from disks", "join failed", "join cancelled"];
    for (const what of once) expect(counts.get(what) ?? 0, what).to.be.at.least(1);
  });

  it("comes to the same end when a process crashes before or after any of its steps", () => {
    for (const process of ["node0.downloader0", "node0.mover", "controller0"]) {
      // From a step on that is drawn: each is in one run or another.
      for (let step = 1 + 5 * (freshSeed() % 3); step <= 60; step += 15) {
        const report = requireSound(step, { faults: false, orders: 2, crash: { process, step: step + 20, isDone: step % 2 === 1 } });
        expect(report.counts.get("ticket done"), `${process} crashes at ${step}`).to.equal(2);
      }
    }
  });

  it("tells the same story again from the same seed", () => {
    const first = runTicketSimulation(7, { trace: true });
    const second = runTicketSimulation(7, { trace: true });
    expect(second.trace).to.deep.equal(first.trace);
    expect(second.steps).to.equal(first.steps);
  });
});
