import { expect } from "chai";
import { describe, it } from "mocha";
import { describeCluster } from "../../lib/cluster/controller/answers/report.js";
import type { Action } from "../../lib/cluster/controller/events.js";
import { addSession, createSessions, type Sessions } from "../../lib/cluster/controller/peers/sessions.js";
import { observeController } from "../../lib/cluster/metrics/controller-metrics.js";
import { createCallCounts } from "../../lib/cluster/controller/answers/call-counts.js";
import { decodeInfo, type ClusterInfo } from "../../lib/wire/documents.js";
import { assigned, holding, idOf, oneError, Scheduling } from "../support/scheduling.js";
import { ownFacts } from "../support/cluster-info.js";

type Role = "downloader" | "mover";

const [d1, d2, m1, m2] = [idOf("d1"), idOf("d2"), idOf("m1"), idOf("m2")];

/** A controller to which downloaders and movers come. */
class Visited extends Scheduling {
  readonly sessions: Sessions = createSessions();

  visit(id: string, role: Role, { node = "n1", dataDir = "/data" } = {}): Action[] {
    addSession(this.sessions, { kind: "worker", id, peer: id, key: null, node, pid: 7, role, dataDir, startedMs: 0 });
    return this.tell({ kind: "carrierRegistered", workerId: id, node, role, dataDir });
  }

  info(): ClusterInfo {
    return decodeInfo(describeCluster({ own: ownFacts(), state: this.state, sessions: this.sessions, controllers: [] }, this.nowMs));
  }
}

function logged(actions: readonly Action[]): Record<string, unknown>[] {
  return actions.flatMap((action) => (action.kind === "log" ? [{ event: action.event, level: action.level, ...action.facts }] : []));
}

describe("downloaders and movers at a controller", () => {
  it("are in info() beside the workers, with what they say they are at until they say so no more", () => {
    const core = new Visited();
    expect(logged(core.visit(d1, "downloader"))).to.deep.equal([{ event: "downloader.registered", level: "info", downloader: d1, node: "n1" }]);
    core.visit(m1, "mover");
    core.nowMs = 2_000;
    core.tell({ kind: "heartbeat", workerId: d1, doing: "taxi-3.bcolzs 41 %" });
    const { workers, downloaders, movers, warnings } = core.info();
    expect([workers, warnings]).to.deep.equal([[], []]);
    const facts = { node: "n1", pid: 7, uptime: 2, data_dir: "/data" };
    expect(downloaders).to.deep.equal([{ id: d1, ...facts, role: "downloader", busy: true, last_seen: 0, doing: "taxi-3.bcolzs 41 %" }]);
    expect(movers).to.deep.equal([{ id: m1, ...facts, role: "mover", busy: false, last_seen: 2, doing: null }]);
    core.tell({ kind: "heartbeat", workerId: d1 });
    expect(core.info().downloaders[0]).to.include({ busy: false, doing: null });
  });

  it("hold nothing and get no task, whatever they offer and say they have", () => {
    const core = new Visited();
    core.visit(d1, "downloader");
    core.tell({ kind: "holdings", workerId: d1, added: [holding("taxi.bcolz")], removed: [] });
    core.ready(d1);
    expect(oneError(core.call("c1", ["taxi"]))).to.include({ code: "SHARD_UNAVAILABLE" }).and.property("message").to.match(/^no worker is connected/);
    core.join(idOf("w"), [holding("taxi.bcolz")]);
    expect(assigned(core.call("c2", ["taxi"])).map(({ workerId }) => workerId)).to.deep.equal([idOf("w")]);
    core.tell({ kind: "broken", workerId: d1, tables: [{ name: "bus.bcolz", code: "IO", message: "no" }] });
    expect(core.info().warnings.join()).to.not.include("bus.bcolz");
  });

  it("leave with a reason, of which is warned where it was no good-bye", () => {
    const core = new Visited();
    core.visit(d1, "downloader");
    core.visit(m1, "mover");
    core.visit(m2, "mover", { node: "n2" });
    expect(logged(core.tell({ kind: "workerLost", workerId: d1, reason: "SIGTERM", saidBye: true }))).to.deep.equal([
      { event: "downloader.lost", level: "info", downloader: d1, node: "n1", reason: "drained after SIGTERM" },
    ]);
    expect(logged(core.tell({ kind: "workerLost", workerId: m1, reason: "connection lost", saidBye: false }))[0]).to.include({ event: "mover.lost", level: "warn" });
    expect(logged(core.wait(5_000))[0]).to.include({ event: "mover.lost", mover: m2, reason: "heartbeat lost: nothing heard of it for 5000 ms" });
    const { departures, warnings, movers } = core.info();
    expect(departures.map(({ worker, role, reason }) => [worker, role, reason])).to.deep.equal([
      [m2, "mover", "heartbeat lost: nothing heard of it for 5000 ms"], [m1, "mover", "connection lost"], [d1, "downloader", "drained after SIGTERM"],
    ]);
    expect(warnings).to.deep.equal([
      `mover ${m2.slice(0, 8)} on n2 was lost 0 s ago (heartbeat lost: nothing heard of it for 5000 ms): what it was at is taken over when its lease ends; see the log of its node`,
      `mover ${m1.slice(0, 8)} on n1 was lost 5 s ago (connection lost): what it was at is taken over when its lease ends; see the log of its node`,
    ]);
    expect(movers).to.deep.equal([]);
    expect(core.tell({ kind: "heartbeat", workerId: m1 }), "too late").to.deep.equal([]);
  });

  it("go on living by every message, and have one entry however often they register", () => {
    const core = new Visited();
    core.visit(d1, "downloader");
    core.wait(3_000);
    core.tell({ kind: "heartbeat", workerId: d1 });
    core.wait(3_000);
    core.visit(d1, "downloader");
    core.wait(3_000);
    expect(core.info().downloaders.map(({ last_seen: seen }) => seen)).to.deep.equal([3]);
    expect(core.info().departures.map(({ reason }) => reason)).to.deep.equal(["registered again over a new connection"]);
    core.register(d1, [holding("taxi.bcolz")]);
    expect([core.state.carriers.size, core.state.workers.size]).to.deep.equal([0, 1]);
    core.call("c1", ["taxi"]);
    core.visit(d1, "mover");
    expect([core.state.carriers.size, core.state.workers.size, core.state.calls.size]).to.deep.equal([1, 0, 0]);
  });

  it("are warned of on nodes where they cannot work together", () => {
    const core = new Visited();
    core.visit(d1, "downloader");
    expect(core.info().warnings).to.deep.equal(["node n1 has a downloader and no mover, so that nothing it fetches becomes a table; start bqueryd movebcolz there"]);
    core.visit(m1, "mover", { node: "n2" });
    expect(core.info().warnings[1]).to.equal("node n2 has a mover and no downloader, so that it is sent no tables; start bqueryd downloader there");
    core.visit(d2, "downloader", { node: "n2", dataDir: "/other" });
    expect(core.info().warnings.slice(1)).to.deep.equal(["the downloaders and movers of node n2 work in different folders (/data, /other); give them one data_dir"]);
    core.visit(m2, "mover");
    expect(core.info().warnings).to.have.length(1);
    core.visit(idOf("m3"), "mover");
    expect(core.info().warnings[0]).to.equal("node n1 has 2 movers, and one is enough; stop the others");
  });

  it("are counted by role in the metrics", () => {
    const core = new Visited();
    core.join(idOf("w"), []);
    core.visit(d1, "downloader");
    core.visit(d2, "downloader");
    core.visit(m1, "mover");
    const { families } = observeController(() => ({ state: core.state, sessions: core.sessions, calls: createCallCounts(), messagesIn: 0, messagesOut: 0, malformed: 0, isListed: true }));
    const counts = families.find(({ name }) => name === "bqueryd_processes")!;
    expect(counts.read()).to.deep.equal([["worker", 1], ["downloader", 2], ["mover", 1]].map(([role, value]) => ({ labels: { role }, value })));
  });
});
