/** What every registry must do, whatever keeps its state. */
import { expect } from "chai";
import { describe, it } from "mocha";
import { monotonicMs, randomId, wallMs } from "../../lib/base/clock.js";
import type { Pointers, TableSource } from "../../lib/registry/pointers.js";
import type { ControllerRecord, NodeRecord, Registry, RegistryChange } from "../../lib/registry/registry.js";
import { failureOf } from "./failure.js";
import { settleIn, type RegistryHouse } from "./registry-house.js";
import { describeTickets } from "./ticket-suite.js";
import { until } from "./until.js";

/** A controller of this process. */
export function controllerRecord(facts: Partial<ControllerRecord> = {}): ControllerRecord {
  return { id: randomId(), address: "tcp://127.0.0.1:14300", node: "n1", pid: process.pid, startedMs: 1_000, ...facts };
}

/** Describes the behaviour that `name` shares with every other registry. */
export function describeRegistry(name: string, build: () => Promise<RegistryHouse>): void {
  describeTickets(name, build);
  describe(name, () => {
    let house: RegistryHouse;
    let ours: Registry;
    let theirs: Registry;
    settleIn(build, (...all) => { [house, ours, theirs] = all; });

    it("lists nobody at first", async () => {
      expect(await ours.controllers()).to.deep.equal([]);
    });

    it("lists an announced controller to everybody, once, as it was announced last", async () => {
      const record = controllerRecord();
      await ours.announce(record, 60_000);
      await ours.announce({ ...record, address: "tcp://127.0.0.1:14301" }, 60_000);
      expect(await theirs.controllers()).to.deep.equal([{ ...record, address: "tcp://127.0.0.1:14301" }]);
    });

    it("lists the controller that started first before the others", async () => {
      const records = [3, 1, 2].map((startedMs) => controllerRecord({ startedMs }));
      for (const record of records) await ours.announce(record, 60_000);
      expect((await theirs.controllers()).map(({ startedMs }) => startedMs)).to.deep.equal([1, 2, 3]);
    });

    it("drops a controller that withdraws, and lets a stranger withdraw", async () => {
      const record = controllerRecord();
      await ours.announce(record, 60_000);
      await theirs.withdraw(record.id);
      await theirs.withdraw(record.id);
      expect(await ours.controllers()).to.deep.equal([]);
    });

    it("drops a controller whose time is over, and keeps one that renews", async () => {
      const silent = controllerRecord();
      const renewing = controllerRecord();
      await ours.announce(silent, 300);
      await ours.announce(renewing, 300);
      await until("only the renewing one is listed", async () => {
        await ours.announce(renewing, 5_000);
        const listed = await theirs.controllers();
        return listed.length === 1 && listed[0]?.id === renewing.id;
      });
    });

    it("keeps clusters apart", async () => {
      await ours.announce(controllerRecord(), 60_000);
      for (const cluster of ["c", "c1.x", "c2"]) {
        const other = await house.open(cluster);
        expect(await other.controllers()).to.deep.equal([]);
        await other.close();
      }
    });

    it("tells watchers of an announcement, a withdrawal and a listing that runs out", async () => {
      let changes = 0;
      const stop = theirs.watch(() => { changes += 1; });
      const record = controllerRecord();
      await ours.announce(record, 60_000);
      await until("the announcement is noticed", () => changes === 1);
      await ours.withdraw(record.id);
      await until("the withdrawal is noticed", () => changes === 2);
      await ours.announce(record, 50);
      await until("the end of the listing is noticed", async () => changes >= 3 && (await theirs.controllers()).length === 0);
      stop();
    });

    it("does not tell watchers of renewals", async () => {
      const record = controllerRecord();
      // So long that a slow machine renews it in time.
      await ours.announce(record, 1_500);
      let changes = 0;
      const stop = theirs.watch(() => { changes += 1; });
      const endMs = monotonicMs() + 1_700;
      while (monotonicMs() < endMs) await ours.announce(record, 60_000);
      expect(changes).to.equal(0);
      await ours.announce(controllerRecord(), 60_000);
      await until("the new controller is noticed", () => changes > 0);
      expect(changes).to.equal(1);
      stop();
    });

    it("tells a watcher that has stopped nothing", async () => {
      let stopped = 0;
      let watching = 0;
      theirs.watch(() => { stopped += 1; })();
      const stop = theirs.watch(() => { watching += 1; });
      await ours.announce(controllerRecord(), 60_000);
      await until("the other watcher is told", () => watching === 1);
      expect(stopped).to.equal(0);
      stop();
    });

    it("loses none of many announcements at once", async () => {
      const records = Array.from({ length: 20 }, (_, startedMs) => controllerRecord({ startedMs }));
      await Promise.all(records.map((record, index) => (index % 2 === 0 ? ours : theirs).announce(record, 60_000)));
      expect(await ours.controllers()).to.deep.equal(records);
    });

    it("refuses everything once closed, and may be closed again", async () => {
      await ours.close();
      await ours.close();
      const failures = await Promise.allSettled([
        ours.controllers(), ours.announce(controllerRecord(), 1_000), ours.withdraw(randomId()), ours.pointers(), ours.movePointers([{ table: "t.bcolz", generation: null }], 0),
      ]);
      for (const failure of failures) expect(failure).to.have.nested.property("reason.code", "REGISTRY_UNAVAILABLE");
      expect(await theirs.controllers()).to.deep.equal([]);
    });

    it("has no pointers at first", async () => {
      expect(await ours.pointers()).to.deep.equal({ epoch: 0, tables: new Map() });
    });

    it("moves pointers together, each move at a greater epoch, for everybody", async () => {
      const first = await ours.movePointers([change("a.bcolz", 1), change("b.bcolz", 1)], 0);
      expect(first).to.be.greaterThan(0);
      const second = await theirs.movePointers([change("b.bcolz", 2)], first);
      expect(second).to.be.greaterThan(first);
      const expected: Pointers = { epoch: second, tables: new Map([["a.bcolz", { generation: generation(1), epoch: first, source: null }], ["b.bcolz", { generation: generation(2), epoch: second, source: null }]]) };
      for (const registry of [ours, theirs]) expect(await registry.pointers()).to.deep.equal(expected);
    });

    it("moves nothing when the epoch is another, and says which it is", async () => {
      const epoch = await ours.movePointers([change("a.bcolz", 1)], 0);
      for (const expected of [0, epoch - 1, epoch + 1]) {
        const failure = await failureOf(() => theirs.movePointers([change("a.bcolz", 2)], expected));
        expect(failure).to.include({ code: "STALE" });
        expect(failure.details).to.include({ epoch });
      }
      expect((await ours.pointers()).tables.get("a.bcolz")).to.deep.equal({ generation: generation(1), epoch, source: null });
    });

    it("lets one of many moves at once win", async () => {
      const moves = await Promise.allSettled(Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? ours : theirs).movePointers([change("a.bcolz", index)], 0)));
      expect(moves.filter(({ status }) => status === "fulfilled")).to.have.length(1);
      for (const move of moves) if (move.status === "rejected") expect(move.reason).to.have.property("code", "STALE");
    });

    it("names no generation any more when that is asked for", async () => {
      const first = await ours.movePointers([change("a.bcolz", 1)], 0);
      const second = await ours.movePointers([{ table: "a.bcolz", generation: null }], first);
      expect((await theirs.pointers()).tables.get("a.bcolz")).to.deep.equal({ generation: null, epoch: second, source: null });
    });

    it("keeps where a table comes from until a change gives another source", async () => {
      const source: TableSource = { bucket: "s3://shop/d\"a\\il y", replicas: 2, hasManifest: true };
      const first = await ours.movePointers([{ ...change("a.bcolz", 1), source }, change("b.bcolz", 1)], 0);
      const second = await theirs.movePointers([change("a.bcolz", 2), { ...change("b.bcolz", 2), source: { ...source, replicas: null } }], first);
      const third = await ours.movePointers([{ table: "a.bcolz", generation: null }], second);
      expect([...(await theirs.pointers()).tables]).to.have.deep.members([
        ["a.bcolz", { generation: null, epoch: third, source }], ["b.bcolz", { generation: generation(2), epoch: second, source: { ...source, replicas: null } }],
      ]);
      const known = await ours.pointers();
      await house.empty();
      await until("it is empty", async () => (await theirs.pointers()).epoch === 0);
      await theirs.restorePointers(known);
      expect(await ours.pointers()).to.deep.equal(known);
      for (const wrong of [{ ...source, bucket: "" }, { ...source, replicas: 0 }]) {
        expect(await failureOf(() => ours.movePointers([{ ...change("a.bcolz", 3), source: wrong }], third))).to.include({ code: "USAGE" });
      }
    });

    it("lists nodes by name while their movers renew, each once, and those of no other cluster", async () => {
      const other = await house.open("c");
      await ours.announceNode(nodeRecord("n2"), 60_000);
      await theirs.announceNode(nodeRecord("n1"), 60_000);
      await ours.announceNode(nodeRecord("n1"), 60_000);
      await other.announceNode(nodeRecord("n3"), 60_000);
      expect(await theirs.nodes()).to.deep.equal(["n1", "n2"]);
      expect(await other.nodes()).to.deep.equal(["n3"]);
      await other.close();
    });

    it("drops a node that withdraws or whose time is over, and is emptied with the rest", async () => {
      const leaving = nodeRecord("n1");
      await ours.announceNode(leaving, 60_000);
      await ours.announceNode(nodeRecord("n2"), 60_000);
      await ours.announceNode(nodeRecord("n3"), 50);
      await theirs.withdrawNode(leaving.id);
      await theirs.withdrawNode(leaving.id);
      await until("only the one that stays is listed", async () => (await theirs.nodes()).join() === "n2");
      expect(await failureOf(() => ours.announceNode(nodeRecord("a b"), 1_000))).to.include({ code: "USAGE" });
      await house.empty();
      await until("it is empty", async () => (await ours.nodes()).length === 0);
    });

    it("refuses changes that are none", async () => {
      for (const changes of [[], [change("a.bcolz", 1), change("a.bcolz", 2)], [change("../a", 1)], [change("", 1)], [{ table: "a.bcolz", generation: "x" }]]) {
        expect(await failureOf(() => ours.movePointers(changes, 0))).to.include({ code: "USAGE" });
      }
      expect((await ours.pointers()).epoch).to.equal(0);
    });

    it("keeps the pointers of clusters apart", async () => {
      await ours.movePointers([change("a.bcolz", 1)], 0);
      const other = await house.open("c");
      expect(await other.pointers()).to.deep.equal({ epoch: 0, tables: new Map() });
      await other.close();
    });

    it("tells watchers of moved pointers, and of those alone", async () => {
      const changes: RegistryChange[] = [];
      const stop = theirs.watch((change) => { changes.push(change); });
      await ours.movePointers([change("a.bcolz", 1)], 0);
      await until("the move is noticed", () => changes.length > 0);
      await ours.announce(controllerRecord(), 60_000);
      await until("the controller is noticed", () => changes.length > 1);
      expect(changes).to.deep.equal(["pointers", "controllers"]);
      stop();
    });

    it("restores what is lost: of each table what was set last, at an epoch that is not below", async () => {
      const now = await ours.movePointers([change("a.bcolz", 1), change("b.bcolz", 1)], 0);
      const known = [["a.bcolz", { generation: generation(2), epoch: now - 1, source: null }], ["c.bcolz", { generation: generation(3), epoch: now - 2, source: null }]] as const;
      await theirs.restorePointers({ epoch: now - 1, tables: new Map(known) });
      const { epoch, tables } = await ours.pointers();
      expect(epoch).to.be.greaterThan(now);
      expect([...tables].sort(([a], [b]) => (a < b ? -1 : 1)).map(([table, pointer]) => [table, pointer.generation])).to.deep.equal([["a.bcolz", generation(1)], ["b.bcolz", generation(1)], ["c.bcolz", generation(3)]]);
      await theirs.restorePointers({ epoch: now, tables: new Map(known) });
      expect((await ours.pointers()).epoch, "nothing was lost").to.equal(epoch);
    });

    it("goes on when it is emptied: who announces is listed, and what is put back is there, below every later epoch", async () => {
      await ours.announce(controllerRecord(), 60_000);
      const epoch = await ours.movePointers([change("a.bcolz", 1)], 0);
      const known = await theirs.pointers();
      const changes: RegistryChange[] = [];
      const stop = theirs.watch((change) => { changes.push(change); });
      await house.empty();
      await until("the loss is noticed", () => changes.includes("controllers") && changes.includes("pointers"));
      expect(await theirs.controllers()).to.deep.equal([]);
      const record = controllerRecord();
      await ours.announce(record, 60_000);
      expect(await theirs.controllers()).to.deep.equal([record]);
      await theirs.restorePointers(known);
      expect(await ours.pointers()).to.deep.equal(known);
      expect(await ours.movePointers([change("a.bcolz", 2)], epoch)).to.be.greaterThan(epoch);
      const noticed = changes.length;
      await ours.announce(controllerRecord(), 60_000);
      await until("changes are noticed as before", () => changes.length > noticed);
      stop();
    });

    it("sets epochs above those of before, also when nobody could put them back", async () => {
      const epoch = await ours.movePointers([change("a.bcolz", 1)], 0);
      await house.empty();
      await until("the millisecond is over", () => wallMs() > epoch);
      expect(await theirs.movePointers([change("a.bcolz", 2)], 0)).to.be.greaterThan(epoch);
    });
  });
}

function nodeRecord(node: string): NodeRecord {
  return { id: randomId(), node, pid: process.pid };
}

function change(table: string, number: number): { table: string; generation: string } {
  return { table, generation: generation(number) };
}

function generation(number: number): string {
  return String(number).padStart(64, "0");
}
