import { expect } from "chai";
import { describe, it } from "mocha";
import { printTable, printTiming } from "../../lib/cli/prompt/printing.js";
import { createWaitingLine } from "../../lib/cli/prompt/waiting-line.js";
import { Table } from "../../lib/client/table.js";
import { summarize } from "../../lib/client/summary.js";
import { formatDocument } from "../../lib/cli/documents-text.js";
import { formatTicketBars } from "../../lib/cli/downloads-text.js";
import type { DownloadInfo } from "../../lib/wire/download-documents.js";
import { noCost } from "../../lib/wire/costs.js";
import { until } from "../support/until.js";

const summary = summarize({ queryId: "", generations: new Map(), shardsAnswered: 0, leftOut: [], rows: 0, slices: 0, cost: noCost, workers: 0, retries: 0, queuedMs: 0, mergedMs: 0, renderedMs: 0, durationMs: 3.2 });

function tableOf(rows: number): Table {
  const offsets = Uint32Array.from({ length: rows + 1 }, (_, row) => row);
  return new Table([
    { name: "k", values: { dtype: "string", offsets, bytes: new Uint8Array(rows).fill(97) }, isNull: null },
    { name: "n", values: { dtype: "int64", array: BigInt64Array.from({ length: rows }, (_, row) => BigInt(row)) }, isNull: null },
    { name: "l", values: { dtype: "list", item: { dtype: "date", array: new BigInt64Array(rows) }, offsets }, isNull: null },
  ], rows, summary);
}

describe("what the prompt prints", () => {
  it("of a table has the dtypes under the names, numbers on the right", () => {
    expect(printTable(tableOf(2), { lines: 24, hasColors: false })).to.equal([
      "k           n  l", "string  int64  list of date", "------  -----  ------------", "a           0  [1970-01-01]", "a           1  [1970-01-01]",
    ].join("\n"));
    expect(printTable(tableOf(0), { lines: 24, hasColors: true }).split("\n")[1]).to.equal("\u001b[2mstring  int64  list of date\u001b[22m");
  });

  it("of a long table are the first and last rows, as many as the terminal has room for, and how many there are", () => {
    for (const lines of [16, 24, 51]) {
      const printed = printTable(tableOf(1_234), { lines, hasColors: false }).split("\n");
      // The time and the next prompt follow.
      expect(printed).to.have.length(lines - 2);
      expect(printed.at(-1)).to.equal("(1,234 rows)");
      const numbers = printed.slice(3, -1).map((line) => line.split(/ +/)[1]);
      expect([numbers[0], numbers.at(-1)]).to.deep.equal(["0", "1233"]);
      expect(numbers.filter((number) => number === "...")).to.have.length(1);
    }
    expect(printTable(tableOf(17), { lines: 24, hasColors: false })).to.not.include("rows)");
    expect(printTable(tableOf(18), { lines: 24, hasColors: false })).to.include("(18 rows)");
    expect(printTable(tableOf(1_234), { lines: 3, hasColors: false }).split("\n")).to.have.length(11);
    expect(printTable(tableOf(1_234), { lines: undefined, hasColors: false })).to.include("(1,234 rows)");
  });

  it("of time is that of the table, or of all calls of a line", () => {
    expect(printTiming({ calls: 1, ms: 7, table: tableOf(1) }, false)).to.equal("1 row in 3.20 ms");
    expect(printTiming({ calls: 2, ms: 7_000, table: tableOf(1) }, false)).to.equal("2 calls in 7.00 s");
    expect(printTiming({ calls: 1, ms: 123.4, table: undefined }, true)).to.equal("\u001b[2m1 call in 123 ms\u001b[22m");
  });

  it("while it waits for long is how far the calls of the line are, and nothing is left of it", async () => {
    const written: string[] = [];
    const waiting = createWaitingLine({ columns: 60, write: (text: unknown) => { written.push(String(text)); return true; } });
    const early = waiting.begin();
    waiting.start();
    early.update({ shards: 900, of: 1_000 });
    waiting.stop();
    expect(written).to.deep.equal([]);
    waiting.start();
    early.update({ shards: 900, of: 1_000 });
    const late = waiting.begin();
    await until("it says that it waits", () => written.at(-1)?.includes("waiting for 0.") === true);
    late.update({ shards: 3, of: 12 });
    await until("it says how far it is", () => written.at(-1)?.includes("3 of 12 shards (25 %)") === true);
    expect(written.join("")).to.not.include("900");
    late.end();
    expect(written.at(-1)).to.equal("\r\u001b[K");
    waiting.stop();
    const count = written.length;
    waiting.stop();
    expect(written).to.have.length(count);
  });

  it("while tables are sent and downloaded is a bar with the nodes that have the least, and the ticket is what goes on", async () => {
    const written: string[] = [];
    const waiting = createWaitingLine({ columns: 120, write: (text: unknown) => { written.push(String(text)); return true; } });
    const transfer = waiting.begin();
    waiting.start();
    const node = (name: string, done: number) => ({ node: name, slots: 2, done: 0, bytes_done: done, bytes_total: 100, rate: 0, eta: null });
    const progress = { phase: "upload", ticket: null, bytesDone: 10, bytesTotal: 100, fraction: 0.1, nodes: [], warnings: [] } as const;
    const late = waiting.begin();
    late.update(progress);
    expect(waiting.goesOn()).to.deep.equal([]);
    await until("it says what is sent", () => written.at(-1)?.includes("sending: 10 B of 100 B (10 %)") === true);
    late.update({ ...progress, phase: "download", ticket: "bqueryd_download_ticket_1", bytesDone: 100, bytesTotal: 200, fraction: 0.5, nodes: [node("n1", 75), node("n2", 25)] });
    await until("it says how far nodes are", () => /downloading: 100 B of 200 B \(50 %\).*, n2 25 %, n1 75 %$/.test(written.at(-1) ?? ""));
    expect(waiting.goesOn()).to.deep.equal(["the ticket bqueryd_download_ticket_1 goes on"]);
    late.end();
    transfer.end();
    expect(waiting.goesOn()).to.deep.equal([]);
    waiting.stop();
  });

  it("of tickets is a table of them, and of their documents one of nodes and tables as well", () => {
    const ticket = "bqueryd_download_ticket_e0f42ed5ef93e084";
    expect(formatDocument([[ticket, "0/1"]])).to.equal([`${"ticket".padEnd(40)}  done`, `${"-".repeat(40)}  ----`, `${ticket}   0/1`].join("\n"));
    for (const other of [[], [["taxi", "0/1"]], [[ticket, "0/1", 1]], [[ticket, 1]]]) expect(formatDocument(other), JSON.stringify(other)).to.equal(undefined);
    const place = { node: "n1", table: "taxi.bcolz", state: "failed", bytes_done: 5, bytes_total: 20, rate: null, eta: null, owner: null, reason: "no room" } as const;
    const document: DownloadInfo = {
      ticket: ticket.slice(-16), state: "failed", reason: "taxi.bcolz on n1: no room", slots: 1, done: 0, age: 3, idle: 1, bucket: "shop", replicas: null, tables: 1, bytes_done: 5, bytes_total: 20, rate: 0, eta: null,
      nodes: [{ node: "n1", slots: 1, done: 0, bytes_done: 5, bytes_total: 20, rate: 0, eta: null }], places: [place], warnings: [],
    };
    const text = formatDocument([document])!;
    expect(text).to.match(new RegExp(`^${ticket}  failed +0/1 +5 B of 20 B`, "m")).and.match(/^n1 +taxi\.bcolz +failed +5 B of 20 B +no room$/m).and.include(`\n${ticket}: taxi.bcolz on n1: no room\n`);
    const over = formatDocument([{ ...document, state: "done", reason: null, done: 1, age: 712, bytes_done: null, bytes_total: null, nodes: [], places: [{ ...place, state: "switched", reason: null }] }])!;
    expect(over, "only what some row says").to.match(/^ticket +state +done +age$/m).and.match(/^node +table +state +bytes$/m);
    expect(over.split("\n").filter((line) => line.length > 80)).to.deep.equal([]);
    expect(formatTicketBars([document], 100)).to.deep.equal([]);
    expect(formatTicketBars([{ ...document, state: "active", reason: null, rate: 1_000_000, eta: 5 }], 120)[0]).to.match(new RegExp(`^\\[=+-+\\] ${ticket}: 0 of 1 \\(25 %\\), 1\\.00 MB/s, 5\\.00 s left$`));
  });
});
