import { expect } from "chai";
import { describe, it } from "mocha";
import { describeCluster } from "../../lib/cluster/controller/answers/report.js";
import { addSession, createSessions } from "../../lib/cluster/controller/peers/sessions.js";
import type { ClusterInfo } from "../../lib/wire/documents.js";
import { holding, idOf, Scheduling, setHoldings } from "../support/scheduling.js";
import { ownFacts } from "../support/cluster-info.js";

const worker = idOf("w");

/** info() of a cluster of one worker. */
function infoOf(core: Scheduling): ClusterInfo {
  const sessions = createSessions();
  addSession(sessions, { kind: "worker", id: worker, peer: "p", key: null, node: "there", pid: 7, role: "worker", dataDir: "/data", startedMs: 0 });
  const own = ownFacts();
  return describeCluster({ own, state: core.state, sessions, controllers: [] }, core.nowMs);
}

describe("info() of a worker", () => {
  it("counts a table and a set of one name as two", () => {
    const core = new Scheduling();
    core.join(worker, [holding("taxi.bcolz"), ...setHoldings("taxi", 2), holding("bus.bcolz")]);
    expect(infoOf(core).workers[0]).to.include({ tables: 3, shards: 4, rows: 40 });
  });

  it("says what it is at and for how long: a query by its tables, an errand by its name", () => {
    const core = new Scheduling();
    core.join(worker, [holding("taxi.bcolz")]);
    expect(infoOf(core).workers[0]).to.deep.include({ busy: false, running: null });
    const errand = { kind: "readfile", path: "notes.txt" } as const;
    core.tell({ kind: "called", clientId: "client", call: { type: "call", id: idOf("r"), verb: "readfile", tables: [], columns: [], remainingMs: 1_000, errands: [errand] }, body: [] });
    core.wait(250);
    expect(infoOf(core).workers[0]!.running).to.include({ verb: "readfile", subject: "readfile('notes.txt')", shards: 1, seconds: 0.25 });
    core.tell({ kind: "cancelled", clientId: "client", id: idOf("r") });
    core.ready(worker);
    core.call(idOf("q"), ["taxi"]);
    expect(infoOf(core).workers[0]!.running).to.include({ verb: "groupby", subject: "taxi" });
  });
});
