import { expect } from "chai";
import { cp, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { createTables } from "../../lib/columns/write/writer.js";
import { compareScans, hasSetInMotion, scanHoldings, type Scan, type ScanDifference, type ScannedTable } from "../../lib/cluster/worker/holdings/holdings.js";
import { watchHoldings, type HoldingsWatch } from "../../lib/cluster/worker/holdings/holdings-watch.js";
import type { Holding } from "../../lib/wire/messages.js";
import { addPrepared, removePrepared } from "../../lib/columns/files/prepared.js";
import { openTable } from "../../lib/columns/read/open.js";
import { failureOf } from "../support/failure.js";
import { unsyncedFiles, writeShards, writeTable as writeColumns, type PlainColumn } from "../support/write-table.js";
import { createSilentLog } from "../support/silent-log.js";
import { until } from "../support/until.js";

/** Writes a table of the given values, or puts it in the place of the one there. */
async function writeTable(path: string, values: number[]): Promise<void> {
  const writer = await createTables({ paths: [path], columns: [{ name: "v", dtype: "float64" }], set: false, replace: true, sort: null });
  await writer.append(0, [{ dtype: "float64", rows: values.length, values: Float64Array.from(values), nulls: null }]);
  await writer.commit();
}

describe("worker holdings", () => {
  let dataDir = "";

  beforeEach(async () => { dataDir = await mkdtemp(join(tmpdir(), "bqueryd-test-")); });
  afterEach(async () => { await rm(dataDir, { recursive: true }); });

  /** Scans twice around a change and compares. */
  async function differenceOf(change: () => Promise<void>): Promise<ScanDifference> {
    const before = await scanHoldings(dataDir, new Map());
    await change();
    return compareScans(before, await scanHoldings(dataDir, before));
  }

  it("finds tables and shards, and nothing else", async () => {
    await writeTable(join(dataDir, "taxi.bcolz"), [1, 2]);
    await writeTable(join(dataDir, "trips-10.bcolzs"), [1, 2, 3]);
    await mkdir(join(dataDir, "unfinished.bcolz"));
    await mkdir(join(dataDir, "photos"));
    await writeFile(join(dataDir, "notes.bcolz"), "not a directory");
    const scan = await scanHoldings(dataDir, new Map());
    expect([...scan].map(([name, { holding }]) => [name, holding?.rows])).to.deep.equal([["taxi.bcolz", 2], ["trips-10.bcolzs", 3]]);
  });

  it("tells of the generations that a table keeps beside the current one", async () => {
    await writeTable(join(dataDir, "taxi.bcolz"), [1, 2]);
    const before = (await scanHoldings(dataDir, new Map())).get("taxi.bcolz")!.holding!;
    expect(before).to.not.have.property("kept");
    await writeTable(join(dataDir, "taxi.bcolz"), [1, 2, 3]);
    const { generation, rows, bytes, set, columns, writtenMs } = before;
    const after = (await scanHoldings(dataDir, new Map())).get("taxi.bcolz")!.holding!;
    expect(after).to.deep.include({ rows: 3, kept: [{ generation, rows, bytes, set, columns, writtenMs }] });
    await rm(join(dataDir, "taxi.bcolz", `${generation}.json`));
    expect((await scanHoldings(dataDir, new Map())).get("taxi.bcolz")!.holding, "one that cannot be read").to.deep.include({ rows: 3 }).and.not.have.property("kept");
  });

  it("tells of generations that wait in PREPARED, of a table without a current one as well, until CURRENT has them", async () => {
    const path = join(dataDir, "taxi.bcolz");
    await writeTable(path, [1, 2]);
    const first = await writeColumns(join(dataDir, "aside.bcolz"), [{ name: "v", dtype: "float64", values: [1, 2, 3] }]);
    await cp(join(dataDir, "aside.bcolz"), join(dataDir, "bus.bcolz"), { recursive: true, filter: (from) => !from.endsWith("CURRENT") });
    await cp(join(dataDir, "aside.bcolz"), path, { recursive: true, filter: (from) => !from.endsWith("CURRENT") });
    await rm(join(dataDir, "aside.bcolz"), { recursive: true });
    const scans: Scan[] = [await scanHoldings(dataDir, new Map())];
    const next = async (): Promise<ScanDifference> => {
      scans.push(await scanHoldings(dataDir, scans.at(-1)!));
      return compareScans(scans.at(-2)!, scans.at(-1)!);
    };
    const [current] = [...scans[0]!.values()].map(({ holding }) => holding!.generation);
    expect([...scans[0]!.keys()]).to.deep.equal(["taxi.bcolz"]);
    for (const name of ["taxi.bcolz", "bus.bcolz"]) await addPrepared(unsyncedFiles, join(dataDir, name), { generation: first, ticket: "a".repeat(16) });
    const { added, changed } = await next();
    expect(added.map(({ name, rows, prepared }) => ({ name, rows, prepared }))).to.deep.equal([{ name: "bus.bcolz", rows: 3, prepared: true }]);
    expect(changed).to.have.length(1);
    expect(changed[0]).to.nested.include({ "generation": current, "rows": 2, "kept[0].generation": first, "kept[0].prepared": true });
    expect(hasSetInMotion(scans[0]!, scans[1]!)).to.equal(false);
    const table = openTable(join(dataDir, "bus.bcolz"), { generation: first });
    expect(table.rows).to.equal(3);
    table.close();
    expect(await failureOf(() => openTable(join(dataDir, "bus.bcolz")))).to.include({ code: "NOT_FOUND" });
    await writeFile(join(path, "CURRENT"), `${first}\n${current}\n`);
    await removePrepared(unsyncedFiles, path, { generation: first, ticket: "a".repeat(16) });
    expect((await next()).changed.map(({ generation, kept }) => [generation, kept?.map(({ prepared }) => prepared)])).to.deep.equal([[first, [undefined]]]);
    await removePrepared(unsyncedFiles, join(dataDir, "bus.bcolz"), { generation: first, ticket: "a".repeat(16) });
    expect((await next()).removed, "what was taken back").to.deep.equal(["bus.bcolz"]);
    expect(await failureOf(() => openTable(join(dataDir, "bus.bcolz"), { generation: first }))).to.include({ code: "GENERATION_GONE" });
    await writeFile(join(path, "PREPARED"), "damaged");
    expect((await next()).removed, "a table whose PREPARED is damaged can do without").to.deep.equal([]);
  });

  it("takes a table whose CURRENT is as it was from the scan before, unread", async () => {
    await writeTable(join(dataDir, "taxi.bcolz"), [1]);
    const before = await scanHoldings(dataDir, new Map());
    const after = await scanHoldings(dataDir, before);
    expect(after.get("taxi.bcolz")).to.equal(before.get("taxi.bcolz"));
  });

  it("tells what was added, changed and removed", async () => {
    for (const name of ["kept.bcolz", "changed.bcolz", "removed.bcolz"]) await writeTable(join(dataDir, name), [1]);
    const { added, changed, removed, broken } = await differenceOf(async () => {
      await writeTable(join(dataDir, "added.bcolz"), [1, 2]);
      await writeTable(join(dataDir, "changed.bcolz"), [1, 2, 3]);
      await rm(join(dataDir, "removed.bcolz"), { recursive: true });
    });
    expect(added.map(({ name, rows }) => [name, rows])).to.deep.equal([["added.bcolz", 2]]);
    expect(changed.map(({ name, rows }) => [name, rows])).to.deep.equal([["changed.bcolz", 3]]);
    expect(removed).to.deep.equal(["removed.bcolz"]);
    expect(broken).to.deep.equal([]);
  });

  it("leaves out a table that broke, names the reason once and takes it back when it is mended", async () => {
    const path = join(dataDir, "taxi.bcolz");
    await writeTable(path, [1]);
    const scans: Scan[] = [await scanHoldings(dataDir, new Map())];
    const next = async (): Promise<ScanDifference> => {
      scans.push(await scanHoldings(dataDir, scans.at(-1)!));
      return compareScans(scans.at(-2)!, scans.at(-1)!);
    };
    const aside = join(dataDir, "aside");
    await cp(join(path, "CURRENT"), aside);
    await writeFile(join(path, "CURRENT"), `${"0".repeat(64)}\n`);
    const { broken, removed } = await next();
    expect(broken.map(({ name }) => name)).to.deep.equal(["taxi.bcolz"]);
    expect(removed).to.deep.equal(["taxi.bcolz"]);
    expect(await next()).to.deep.equal({ added: [], changed: [], removed: [], broken: [] });
    await rename(aside, join(path, "CURRENT"));
    expect((await next()).added.map(({ name }) => name)).to.deep.equal(["taxi.bcolz"]);
  });

  describe("watched", () => {
    const { log, events } = createSilentLog();
    const names = new Set<string>();
    let watched: HoldingsWatch | undefined;

    beforeEach(async () => {
      names.clear();
      events.length = 0;
      await writeTable(join(dataDir, "first.bcolz"), [1]);
      watched = await watchHoldings({
        dataDir, log,
        onChange: (added, removed) => {
          for (const name of removed) names.delete(name);
          for (const { name } of added) names.add(name);
        },
      });
    });
    afterEach(async () => { await watched?.close(); });

    it("are told of before the watch is there", () => {
      expect([...names]).to.deep.equal(["first.bcolz"]);
    });

    it("are told of as they come and go", async () => {
      await writeTable(join(dataDir, "second.bcolz"), [1]);
      await until("the new table is told of", () => names.has("second.bcolz"));
      await rm(join(dataDir, "first.bcolz"), { recursive: true });
      await until("the removed table is told of", () => !names.has("first.bcolz"));
      const told = events.map(({ event, table }) => `${event} ${String(table)}`);
      expect(told).to.include.members(["table.added second.bcolz", "table.removed first.bcolz"]);
    });

    it("are told of by the time a rescan that was asked for ends, even while one is under way", async () => {
      await writeTable(join(dataDir, "second.bcolz"), [1]);
      const earlier = watched!.rescan();
      await writeTable(join(dataDir, "third.bcolz"), [1]);
      await watched!.rescan();
      expect([...names].sort()).to.deep.equal(["first.bcolz", "second.bcolz", "third.bcolz"]);
      await earlier;
    });

    it("are none while the directory cannot be read, and come back with it", async () => {
      const aside = `${dataDir}-aside`;
      await rename(dataDir, aside);
      await watched!.rescan();
      expect(names.size).to.equal(0);
      expect(events.filter(({ event }) => event === "data_dir.lost")).to.have.lengthOf(1);
      await rename(aside, dataDir);
      await watched!.rescan();
      expect([...names]).to.deep.equal(["first.bcolz"]);
    });
  });

  describe("of sets that are replaced", () => {
    const pathOf = (shard: number): string => join(dataDir, `taxi-${shard}.bcolzs`);
    const column = (value: bigint): PlainColumn[] => [{ name: "v", dtype: "int64", values: Array.from({ length: 12 }, () => value) }];
    const writeSet = (count: number, value: bigint): Promise<string[]> => writeShards(Array.from({ length: count }, (_, shard) => pathOf(shard)), column(value), { replace: true });

    it("are in motion while some shard is new and no import is whole, and only until a scan has seen it", async () => {
      await writeSet(4, 1n);
      const before = await scanHoldings(dataDir, new Map());
      await writeSet(3, 2n);
      const after = await scanHoldings(dataDir, before);
      const mixed = new Map([...before].map(([name, table]) => [name, name === "taxi-0.bcolzs" ? after.get(name)! : table]));
      expect([hasSetInMotion(before, mixed), hasSetInMotion(mixed, mixed), hasSetInMotion(before, after), hasSetInMotion(before, before)]).to.deep.equal([true, false, false, false]);
      // The new set is whole, and what is left of the old one is about to go.
      expect(hasSetInMotion(before, new Map([...after, ["taxi-3.bcolzs", before.get("taxi-3.bcolzs")!]]))).to.equal(false);
      expect([hasSetInMotion(before, new Map([...before].slice(1))), hasSetInMotion(new Map(), new Map([...before].slice(1)))]).to.deep.equal([false, true]);
    });

    it("are in no motion while what was prepared before becomes CURRENT shard by shard", async () => {
      await writeSet(2, 1n);
      const old = await scanHoldings(dataDir, new Map());
      await writeSet(2, 2n);
      const young = await scanHoldings(dataDir, old);
      const shard = (name: string, isPromoted: boolean): [string, ScannedTable] => {
        const [current, kept] = (isPromoted ? [young, old] : [old, young]).map((scan) => scan.get(name)!.holding!);
        return [name, { stamp: `${isPromoted}`, holding: { ...current!, kept: [isPromoted ? kept! : { ...kept!, prepared: true }] }, problem: null }];
      };
      const names = [...old.keys()];
      const prepared = new Map(names.map((name) => shard(name, false)));
      const half = new Map(names.map((name, index) => shard(name, index === 0)));
      expect([hasSetInMotion(prepared, half), hasSetInMotion(old, half)]).to.deep.equal([false, true]);
      // What is kept has been in use, and comes again by an import.
      const kept = new Map(names.map((name) => [name, { ...prepared.get(name)!, holding: { ...old.get(name)!.holding!, kept: [young.get(name)!.holding!] } }] as [string, ScannedTable]));
      expect(hasSetInMotion(kept, half)).to.equal(true);
    });

    it("are told of when they are whole, whichever number of shards takes the place of which", async () => {
      const held = new Map<string, Holding>();
      let broken = 0;
      await writeSet(3, 0n);
      const watched = await watchHoldings({
        dataDir, log: createSilentLog().log,
        onChange: (added, removed) => {
          for (const name of removed) held.delete(name);
          for (const holding of added) held.set(holding.name, holding);
          const ofSet = new Map<string, number>();
          for (const { set } of held.values()) ofSet.set(set!.id, (ofSet.get(set!.id) ?? 0) + 1);
          if (![...held.values()].some(({ set }) => ofSet.get(set!.id) === set!.count)) broken++;
        },
      });
      let isDone = false;
      const scans = (async () => { while (!isDone) await watched.rescan(); })();
      for (let round = 1; round <= 40; round++) await writeSet(1 + (round * 7) % 12, BigInt(round));
      isDone = true;
      await scans;
      await watched.close();
      expect(broken).to.equal(0);
    }).timeout(30_000);
  });

  it("are told of no more once the watch is closed", async () => {
    let changes = 0;
    const watched = await watchHoldings({ dataDir, log: createSilentLog().log, onChange: () => { changes++; } });
    await watched.close();
    await writeTable(join(dataDir, "taxi.bcolz"), [1]);
    await watched.rescan();
    expect(changes).to.equal(0);
  });
});
