/** What every registry must do, whatever keeps its state. */
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { monotonicMs, randomId } from "../../lib/base/clock.js";
import type { ControllerRecord, Registry } from "../../lib/registry/registry.js";
import { until } from "./until.js";

/** One fresh shared state, and connections to it. */
export interface RegistryHouse {
  open(cluster: string): Promise<Registry>;
  remove(): Promise<void>;
}

/** A controller of this process. */
export function controllerRecord(facts: Partial<ControllerRecord> = {}): ControllerRecord {
  return { id: randomId(), address: "tcp://127.0.0.1:14300", node: "n1", pid: process.pid, startedMs: 1_000, ...facts };
}

/** Describes the behaviour that `name` shares with every other registry. */
export function describeRegistry(name: string, build: () => Promise<RegistryHouse>): void {
  describe(name, () => {
    let house: RegistryHouse;
    let ours: Registry;
    let theirs: Registry;
    beforeEach(async () => {
      house = await build();
      ours = await house.open("c1");
      theirs = await house.open("c1");
    });
    afterEach(async () => {
      await ours.close();
      await theirs.close();
      await house.remove();
    });

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
      await ours.announce(record, 200);
      let changes = 0;
      const stop = theirs.watch(() => { changes += 1; });
      const endMs = monotonicMs() + 300;
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
      const failures = await Promise.allSettled([ours.controllers(), ours.announce(controllerRecord(), 1_000), ours.withdraw(randomId())]);
      for (const failure of failures) expect(failure).to.have.nested.property("reason.code", "REGISTRY_UNAVAILABLE");
      expect(await theirs.controllers()).to.deep.equal([]);
    });
  });
}
