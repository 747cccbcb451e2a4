import { EventEmitter } from "node:events";
import { expect } from "chai";
import { describe, it } from "mocha";
import { formatTop, type Sample } from "../../lib/cli/top-view.js";
import { watchTop } from "../../lib/cli/top.js";
import { displayWidth } from "../../lib/base/text-width.js";
import type { DownloadInfo } from "../../lib/wire/download-documents.js";
import { carrierInfo, clusterInfo, workerInfo } from "../support/cluster-info.js";

const table = { table: "taxi", kind: "set", shards: 10, rows: 1_000, holders: 1, generations: [], columns: [] } as const;

function sample(atMs: number, more: Parameters<typeof clusterInfo>[0] = {}): Sample {
  return { atMs, info: clusterInfo(more), tables: [table], downloads: [] };
}

describe("top", () => {
  const room = { columns: 120, rows: 40 };

  it("shows processes, what runs, what waits and what was served", () => {
    const workers = [workerInfo(), workerInfo({ id: "v", pid: 3, busy: true, running: { query: "q", verb: "groupby", subject: "taxi", shards: 4, seconds: 1.5 } })];
    const lines = formatTop(sample(0, { workers, clients: 2, calls: 3, queues: [{ affinity: "a", calls: 2, shards: 7 }], served: { calls: 5, failures: 1, bytes_in: 1_000, bytes_out: 2_000 } }), undefined, room);
    expect(lines.slice(0, 4)).to.deep.equal([
      "bqueryd 0.1.0  tcp://127.0.0.1:14300 on here, up 1 min 00 s", "1 controller, 2 workers (1 busy), 2 clients; 1 table (10 shards, 1,000 rows)",
      "3 calls under way, 2 waiting with 7 shards in 1 queue", "5 calls since the start, 1 failed; 1.00 kB in, 2.00 kB out",
    ]);
    expect(lines.filter((line) => line.startsWith("here"))).to.have.length(2);
    expect(lines.find((line) => line.startsWith("here"))).to.match(/^here +3 +worker +4 shards 1\.50 s +10 +1,000 /);
  });

  it("shows downloaders and movers where there are some, with what they are at", () => {
    const lines = formatTop(sample(0, { workers: [workerInfo()], downloaders: [carrierInfo({ busy: true, doing: "taxi-3.bcolzs 41 %" })], movers: [carrierInfo({ id: "m", pid: 4, role: "mover" })] }), undefined, room);
    expect(lines[1]).to.match(/^1 controller, 1 worker \(0 busy\), 1 downloader, 1 mover, 0 clients;/);
    expect(lines.filter((line) => line.startsWith("here")).map((line) => line.split(/ {2,}/))).to.deep.equal([
      ["here", "3", "downloader", "taxi-3.bcolzs 41 %", "0.10 s", "1 min 00 s", "/data"], ["here", "2", "worker", "idle", "10", "1,000", "0.10 s", "1 min 00 s", "/data"], ["here", "4", "mover", "idle", "0.10 s", "1 min 00 s", "/data"],
    ]);
  });

  it("tells rates since the sample before, but not across a controller that is another one", () => {
    const before = sample(1_000, { served: { calls: 5, failures: 1, bytes_in: 1_000, bytes_out: 0 } });
    const now = sample(3_000, { served: { calls: 25, failures: 2, bytes_in: 5_000, bytes_out: 0 } });
    expect(formatTop(now, before, room)[3]).to.equal("10.0 calls/s, 0.5 failed/s; 2.00 kB/s in, 0 B/s out");
    expect(formatTop({ ...now, info: { ...now.info, id: "other" } }, before, room)[3]).to.match(/^25 calls since the start/);
  });

  it("shows tickets that are under way, with a bar, and none that have ended", () => {
    const ticket = (state: "active" | "done", bytes: number): DownloadInfo => ({
      ticket: "ab".repeat(8), state, reason: null, slots: 2, done: 0, age: 1, idle: 0, bucket: "b", replicas: null, tables: 1, bytes_done: bytes, bytes_total: 100, rate: 0, eta: null, nodes: [], places: [], warnings: [],
    });
    const lines = formatTop({ ...sample(0), downloads: [ticket("done", 100), ticket("active", 50)] }, undefined, room).join("\n");
    expect(lines).to.match(/^\[=+-+\] bqueryd_download_ticket_(ab){8}: 0 of 2 \(50 %\)$/m);
    expect(lines.split("bqueryd_download_ticket_")).to.have.length(2);
  });

  it("never takes more room than there is, and says how many workers are left out", () => {
    const workers = Array.from({ length: 100 }, (_, pid) => workerInfo({ pid, node: "a node with a long name", data_dir: "/a/long/path/to/the/tables" }));
    const crowded = sample(0, { workers, warnings: Array.from({ length: 50 }, (_, index) => `warning ${index}\x1b[2J`) });
    for (const size of [{ columns: 80, rows: 24 }, { columns: 20, rows: 5 }, { columns: 200, rows: 50 }]) {
      const lines = formatTop(crowded, undefined, size);
      expect(lines.length).to.be.at.most(size.rows);
      expect(Math.max(...lines.map(displayWidth))).to.be.at.most(size.columns);
      expect(lines.join("")).to.not.include("\x1b");
    }
    expect(formatTop(crowded, undefined, { columns: 80, rows: 24 }).join("\n")).to.match(/^and \d+ more processes$/m).and.match(/^! warning 0/m);
  });

  for (const key of ["q", "\x03"]) {
    it(`ends by ${JSON.stringify(key)}, and leaves the terminal as it was`, async () => {
      const terminal = fakeTerminal();
      const watching = watchTop(sample(0), () => Promise.reject(new Error("not asked")), terminal);
      terminal.input.emit("data", Buffer.from("x"));
      expect(terminal.written.join("")).to.include("bqueryd 0.1.0").and.include("q ends");
      terminal.input.emit("data", Buffer.from(key));
      await watching;
      expect(terminal.raw).to.deep.equal([true, false]);
      expect(terminal.written.at(-1)).to.equal("\x1b[?25h\x1b[?1049l");
      expect(terminal.input.listenerCount("data")).to.equal(0);
    });
  }
});

function fakeTerminal() {
  const [written, raw]: [string[], boolean[]] = [[], []];
  const input = Object.assign(new EventEmitter(), {
    setRawMode(mode: boolean) { raw.push(mode); return input as never; },
    pause() { return input as never; }, resume() { return input as never; },
  });
  return { written, raw, input: input as never as NodeJS.ReadStream, output: { columns: 80, rows: 24, write(text: string) { written.push(text); return true; } } as never as NodeJS.WriteStream };
}
