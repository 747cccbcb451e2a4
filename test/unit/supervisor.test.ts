import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import { planSlots } from "../../lib/cli/up.js";
import { backOff, backOffMs, createSupervisor, stopGraceMs, superviseOn, type SupervisorAction, type SupervisorEvent, type SupervisorState } from "../../lib/cli/supervisor-core.js";

const slots = [
  { id: "c", role: "controller" },
  { id: "w1", role: "worker" },
  { id: "w2", role: "worker" },
] as const;

function begun(): SupervisorState {
  const state = createSupervisor(slots);
  superviseOn(state, { kind: "begin" }, 0);
  return state;
}

function serving(): SupervisorState {
  const state = begun();
  superviseOn(state, { kind: "ready" }, 0);
  return state;
}

/** Actions in short: `start w1`, `SIGTERM c`, `wakeAt 200`, `finished killall`. */
function shortly(actions: readonly SupervisorAction[]): string[] {
  return actions.map((action) => {
    switch (action.kind) {
      case "start": return `start ${action.id}`;
      case "signal": return `${action.signal} ${action.id}`;
      case "wakeAt": return `wakeAt ${action.atMs}`;
      case "finished": return `finished ${action.reason} ${action.failedExitCode}`;
    }
  });
}

function run(state: SupervisorState, event: SupervisorEvent, nowMs: number): string[] {
  return shortly(superviseOn(state, event, nowMs));
}

describe("supervisor", () => {
  it("starts every process at the beginning", () => {
    expect(run(createSupervisor(slots), { kind: "begin" }, 0)).to.deep.equal(["start c", "start w1", "start w2"]);
  });

  it("ends downloaders and the mover with the workers, and controllers after the last of them", () => {
    const slotsOfUp = planSlots({ workers: 1, downloaders: 2 });
    expect(slotsOfUp.map(({ id }) => id)).to.deep.equal(["controller", "worker 1", "downloader 1", "downloader 2", "mover"]);
    expect(planSlots({ workers: 1, downloaders: 0 }).map(({ role }) => role)).to.deep.equal(["controller", "worker"]);
    const state = createSupervisor(slotsOfUp);
    run(state, { kind: "begin" }, 0);
    run(state, { kind: "ready" }, 0);
    expect(run(state, { kind: "exited", id: "mover", exitCode: 0 }, 1_000), "killall has not reached the controller yet").to.deep.equal(["wakeAt 1200"]);
    expect(run(state, { kind: "tick" }, 1_200)).to.deep.equal(["start mover"]);
    expect(run(state, { kind: "stop", reason: "SIGINT" }, 2_000)).to.deep.equal([`wakeAt ${2_000 + stopGraceMs}`, "SIGTERM worker 1", "SIGTERM downloader 1", "SIGTERM downloader 2", "SIGTERM mover"]);
    for (const id of ["worker 1", "downloader 1", "mover"]) expect(run(state, { kind: "exited", id, exitCode: 0 }, 2_100)).to.deep.equal([]);
    expect(run(state, { kind: "exited", id: "downloader 2", exitCode: 0 }, 2_200)).to.deep.equal(["SIGTERM controller"]);
  });

  it("starts a process that died again, later each time it dies soon", () => {
    const state = serving();
    expect(run(state, { kind: "exited", id: "w1", exitCode: null }, 1_000)).to.deep.equal(["wakeAt 1200"]);
    // A timer that fires early must not be the last.
    expect(run(state, { kind: "tick" }, 1_199.6)).to.deep.equal(["wakeAt 1200"]);
    expect(run(state, { kind: "tick" }, 1_200)).to.deep.equal(["start w1"]);
    expect(run(state, { kind: "exited", id: "w1", exitCode: 70 }, 2_000)).to.deep.equal(["wakeAt 2400"]);
    expect([1, 2, 3, 20].map(backOffMs)).to.deep.equal([200, 400, 800, 10_000]);
  });

  it("starts a process that was killed before all were ready again, too", () => {
    const state = begun();
    expect(run(state, { kind: "exited", id: "w1", exitCode: null }, 1_000)).to.deep.equal(["wakeAt 1200"]);
    expect(run(state, { kind: "tick" }, 1_200)).to.deep.equal(["start w1"]);
  });

  it("forgets earlier deaths after a long run", () => {
    const state = serving();
    run(state, { kind: "exited", id: "w1", exitCode: null }, 0);
    run(state, { kind: "tick" }, 200);
    const diedMs = 200 + backOff.forgottenAfterMs;
    expect(run(state, { kind: "exited", id: "w1", exitCode: null }, diedMs)).to.deep.equal([`wakeAt ${diedMs + backOff.firstMs}`]);
  });

  it("starts a worker again that ended well, and a controller that did not", () => {
    const state = serving();
    expect(run(state, { kind: "exited", id: "w2", exitCode: 0 }, 0)).to.deep.equal(["wakeAt 200"]);
    expect(run(state, { kind: "exited", id: "c", exitCode: null }, 0)).to.deep.equal(["wakeAt 200"]);
  });

  it("ends everything after killall: when the controller ends well", () => {
    const state = serving();
    run(state, { kind: "exited", id: "w1", exitCode: 0 }, 0);
    expect(run(state, { kind: "exited", id: "c", exitCode: 0 }, 10)).to.deep.equal([`wakeAt ${10 + stopGraceMs}`, "SIGTERM w2"]);
    expect(run(state, { kind: "tick" }, 1_000)).to.deep.equal(["wakeAt 15010"]);
    expect(run(state, { kind: "exited", id: "w2", exitCode: 0 }, 1_000)).to.deep.equal(["finished killall undefined"]);
  });

  it("ends workers before the controller, each told once", () => {
    const state = serving();
    expect(run(state, { kind: "stop", reason: "SIGINT" }, 0)).to.deep.equal([`wakeAt ${stopGraceMs}`, "SIGTERM w1", "SIGTERM w2"]);
    expect(run(state, { kind: "exited", id: "w1", exitCode: 0 }, 1)).to.deep.equal([]);
    expect(run(state, { kind: "exited", id: "w2", exitCode: 0 }, 2)).to.deep.equal(["SIGTERM c"]);
    expect(run(state, { kind: "exited", id: "c", exitCode: 0 }, 3)).to.deep.equal(["finished SIGINT undefined"]);
  });

  it("kills what has not ended in time, and at once when asked twice", () => {
    const late = serving();
    run(late, { kind: "stop", reason: "SIGINT" }, 0);
    expect(run(late, { kind: "tick" }, stopGraceMs)).to.deep.equal(["SIGKILL w1", "SIGKILL w2", "SIGKILL c"]);
    const twice = serving();
    run(twice, { kind: "stop", reason: "SIGINT" }, 0);
    expect(run(twice, { kind: "stop", reason: "SIGINT" }, 1)).to.deep.equal(["SIGKILL w1", "SIGKILL w2", "SIGKILL c"]);
  });

  it("a process that does not start ends the others and is told by its exit code", () => {
    const state = begun();
    expect(run(state, { kind: "exited", id: "w1", exitCode: 78 }, 5)).to.deep.equal([`wakeAt ${5 + stopGraceMs}`, "SIGTERM w2"]);
    expect(run(state, { kind: "exited", id: "w2", exitCode: 0 }, 6)).to.deep.equal(["SIGTERM c"]);
    expect(run(state, { kind: "exited", id: "c", exitCode: 0 }, 7)).to.deep.equal(["finished w1 did not start 78"]);
  });

  it("whatever happens, a stop ends with every process gone, none started after it and none told twice", () => {
    const happening = fc.oneof(
      fc.record({ kind: fc.constant("exited" as const), id: fc.constantFrom("c", "w1", "w2"), exitCode: fc.constantFrom(0, 1, null) }),
      fc.record({ kind: fc.constant("tick" as const) }),
      fc.record({ kind: fc.constant("ready" as const) }),
    );
    fc.assert(fc.property(fc.array(happening, { maxLength: 30 }), (events) => {
      const state = begun();
      let nowMs = 0;
      for (const event of events) superviseOn(state, event, (nowMs += 300));
      const actions = [...superviseOn(state, { kind: "stop", reason: "test" }, nowMs)];
      for (const id of ["c", "w1", "w2"]) actions.push(...superviseOn(state, { kind: "exited", id, exitCode: 0 }, nowMs));
      for (const id of ["w1", "w2", "c"]) actions.push(...superviseOn(state, { kind: "exited", id, exitCode: 0 }, nowMs));
      expect(state.finished).to.equal(true);
      expect([...state.processes.values()].filter(({ running }) => running)).to.deep.equal([]);
      const words = shortly(actions);
      expect(words.filter((word) => word.startsWith("start"))).to.deep.equal([]);
      expect(new Set(words.filter((word) => word.startsWith("SIGTERM"))).size).to.equal(words.filter((word) => word.startsWith("SIGTERM")).length);
    }));
  });
});
