import { expect } from "chai";
import { describe, it } from "mocha";
import { formatDocument } from "../../lib/cli/documents-text.js";
import type { ClusterInfo, GenerationInfo, QueryInfo, TableInfo, WorkerInfo } from "../../lib/index.js";
import { carrierInfo, clusterInfo } from "../support/cluster-info.js";

function worker(place: number, running: WorkerInfo["running"] = null, more: Partial<WorkerInfo> = {}): WorkerInfo {
  return {
    id: (0x1a2b0000 + place).toString(16).padEnd(32, "0"), node: `dqe${place % 3}`, pid: 4_000 + place, role: "worker", busy: running !== null, uptime: 100, last_seen: 0.1, data_dir: "/srv/bcolz",
    tables: 3, shards: 30, rows: 3_000_000, running, ...more,
  };
}

function info(more: Partial<ClusterInfo> = {}): ClusterInfo {
  const workers = [worker(1), worker(2, { query: "f".repeat(32), verb: "groupby", subject: "taxi", shards: 3, seconds: 0.42 })];
  return clusterInfo({ id: "c".repeat(32), node: "dqe1", pid: 4_321, uptime: 185, messages_in: 1, messages_out: 1, workers, clients: 1, calls: 1, ...more });
}

function linesOf(value: unknown): string[] {
  const lines = formatDocument(value)!.split("\n");
  for (const line of lines) expect(line.length, line).to.be.at.most(80);
  return lines;
}

describe("info() at the prompt", () => {
  it("has every process on a line, the busy ones first, with what they have and do", () => {
    expect(linesOf(info({ controllers: [{ id: "d".repeat(32), address: "tcp://127.0.0.1:14301", node: "dqe2", pid: 5 }] }))).to.deep.equal([
      "tcp://127.0.0.1:14300: 2 controllers, 2 workers, 1 client, 1 call",
      "process          node   pid  state           tables  shards    rows",
      "---------------  ----  ----  --------------  ------  ------  ------",
      "controller       dqe1  4321  up 3 min 05 s",
      "controller       dqe2     5  listed",
      "worker 1a2b0002  dqe2  4002  groupby 0.42 s       3      30  3.00 M",
      "worker 1a2b0001  dqe1  4001  idle                 3      30  3.00 M",
    ]);
  });

  it("names downloaders and movers where there are some, with how far they are whatever the table is called", () => {
    const [waiting, busy] = [carrierInfo({ id: "1a2b3c4d".repeat(4), pid: 5 }), carrierInfo({ id: "2b".repeat(16), pid: 6, busy: true, doing: "yellow_tripdata-2024.bcolzs 41 %" })];
    const lines = linesOf(info({ downloaders: [waiting, busy], movers: [carrierInfo({ id: "3c".repeat(16), pid: 7, role: "mover", busy: true, doing: "a long sentence about what it is at" })] }));
    expect(lines.slice(0, 2)).to.deep.equal(["tcp://127.0.0.1:14300:", "  1 controller, 2 workers, 1 client, 1 call, 2 downloaders, 1 mover"]);
    expect(lines.filter((line) => /^(downloader|mover) /.test(line)).map((line) => line.trimEnd())).to.deep.equal([
      "downloader 2b2b  here     6  yellow_tripd… 41 %", "mover 3c3c3c3c   here     7  a long sentence a…", "downloader 1a2b  here     5  idle",
    ]);
    expect(linesOf(info({})).join(" ")).to.not.match(/downloader|mover/);
  });

  it("goes on with queues and warnings, whole sentences over several lines", () => {
    const warning = "workers differ in taxi.bcolz: 1 hold 11111111, 1 hold 22222222; import or copy the table again where it is older";
    const lines = linesOf(info({ queues: [{ affinity: "night", calls: 2, shards: 14 }], warnings: [warning] }));
    expect(lines.slice(-3)).to.deep.equal([
      "queue night: 2 calls, 14 shards waiting",
      "warning: workers differ in taxi.bcolz: 1 hold 11111111, 1 hold 22222222; import",
      " or copy the table again where it is older",
    ]);
  });

  it("tells of workers that left in order lately; of those that were lost the warnings do", () => {
    const departure = (start: string, reason: string, ago: number) => ({ worker: start.padEnd(32, "0"), role: "worker", node: "dqe1", reason, ago, given_back: start === "bb" ? 1 : 0, elsewhere: 0, failed_calls: 0 });
    const warning = "worker cc000000 on dqe1 was lost 5 s ago (connection lost): 1 task given back, 0 calls failed";
    const departures = [departure("cc", "connection lost", 5), departure("aa", "drained after SIGTERM", 8), departure("bb", "drained: it has more memory than memory_limit", 75)];
    expect(linesOf(info({ departures, warnings: [warning] })).slice(-4, -2)).to.deep.equal([
      "left: worker aa000000 on dqe1 8.00 s ago, drained after SIGTERM",
      "left: worker bb000000 on dqe1 1 min 15 s ago, 1 task given back, drained: it ha…",
    ]);
    expect(linesOf(info({ departures: [departure("aa", "drained after SIGTERM", 301)] })).at(-1)).to.match(/^worker /);
    expect(linesOf(info({ departures: Array.from({ length: 32 }, () => departure("aa", "drained after SIGTERM", 8)) })).at(-1)).to.equal("and 30 more left: (await rpc.info()).departures");
  });

  it("fits into 80 x 22, however large the cluster, and counts what it leaves out", () => {
    const running = { query: "f".repeat(32), verb: "execute_code", subject: "fs.readdirSync", shards: 1, seconds: 59.94 };
    const long = { node: "a-node-with-a-long-name.example.org", pid: 4_194_304, tables: 99_999, shards: 100_000, rows: 999_999_999_999 };
    const workers = Array.from({ length: 100 }, (_, place) => worker(place, place % 7 === 0 ? running : null, long));
    const queues = Array.from({ length: 9 }, (_, place) => ({ affinity: `${place}${"x".repeat(254)}`, calls: 1_000_000, shards: 1e12 }));
    const warnings = Array.from({ length: 9 }, (_, place) => `${place} ${"a sentence that says what is wrong ".repeat(4)}`);
    const departures = Array.from({ length: 9 }, () => ({ worker: "e".repeat(32), role: "worker", node: long.node, reason: "drained ".repeat(20), ago: 1, given_back: 0, elsewhere: 0, failed_calls: 0 }));
    const lines = linesOf(info({ workers, queues, departures, warnings }));
    expect(lines.length).to.be.at.most(22);
    const rows = lines.filter((line) => line.startsWith("worker ")).length;
    expect(lines).to.include(`and ${100 - rows} more processes, ${15 - rows} of them busy`);
    expect(lines).to.include("and 5 more queues of 5,000,000 calls");
    expect(lines.at(-1)).to.match(/^and \d more warnings: \(await rpc\.info\(\)\)\.warnings$/);
    const few = linesOf(info({ workers: workers.slice(0, 18) }));
    expect(few.length).to.equal(22);
    expect(few.some((line) => line.startsWith("and "))).to.equal(false);
  });

  it("lets nothing through that moves the cursor", () => {
    expect(formatDocument(info({ warnings: ["\u001b[2J"], queues: [{ affinity: "\u001b[1m", calls: 1, shards: 1 }], workers: [worker(1, null, { node: "\u001b]0;x" })] }))).to.not.include("\u001b");
  });
});

describe("lists at the prompt", () => {
  const table: TableInfo = { table: "taxi", kind: "set", shards: 10, rows: 1_000_000, holders: 2, generations: [], columns: ["vendor", "pickup", "fare"].map((name) => ({ name, dtype: "int64" })) };
  const query: QueryInfo = {
    query: "ab".repeat(16), verb: "groupby", subject: "taxi", tables: ["taxi"], client: "c".repeat(32), affinity: "night", state: "running", shards_done: 3, shards: 10, queued: 0.5, running: 1.25, workers: 2, controller: "d".repeat(32),
  };

  it("of tables and of queries are aligned tables", () => {
    expect(linesOf([table])).to.deep.equal(["table  kind  shards       rows  holders  columns", "-----  ----  ------  ---------  -------  --------------------", "taxi   set       10  1,000,000        2  vendor, pickup, fare"]);
    expect(linesOf([query])).to.deep.equal([
      "query     verb     of    affinity  state    shards  workers   since",
      "--------  -------  ----  --------  -------  ------  -------  ------",
      "abababab  groupby  taxi  night     running    3/10        2  1.75 s",
    ]);
  });

  it("of very many queries end with a count of those that are left out", () => {
    expect(linesOf(Array.from({ length: 60 }, () => query)).at(-1)).to.equal("and 10 more");
  });

  it("are printed as they are when they are something else", () => {
    for (const value of [undefined, null, 5, "text", [], {}, [1], [{ table: "taxi" }], { ...info(), workers: 5 }]) expect(formatDocument(value)).to.equal(undefined);
  });
});

describe("generations() at the prompt", () => {
  it("has one on a line: what is in use, when it came, and how each node has it", () => {
    const of = { shards: 1, lacking: 0, bytes: 1, written: "2026-01-02T03:04:05.678Z" };
    const generations: GenerationInfo[] = [
      { ...of, generation: "b".repeat(64), in_use: true, rows: 1_200, nodes: [{ node: "dqe1", state: "current", shards: 1 }, { node: "dqe2", state: "prepared", shards: 1 }] },
      { ...of, generation: "a".repeat(64), in_use: false, rows: 1_000, written: null, nodes: [{ node: "dqe1", state: "kept", shards: 1 }] },
    ];
    expect(linesOf(generations).map((line) => line.trimEnd())).to.deep.equal([
      "generation             rows  written              nodes",
      "------------  ------  -----  -------------------  ---------------------",
      "bbbbbbbbbbbb  in use  1,200  2026-01-02 03:04:05  dqe1, dqe2 (prepared)",
      "aaaaaaaaaaaa          1,000                       dqe1 (kept)",
    ]);
  });
});
