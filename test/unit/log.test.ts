import { spawnSync } from "node:child_process";
import { expect } from "chai";
import { describe, it } from "mocha";
import { formatLogLine } from "../../lib/base/log-line.js";

/** The log lines a program writes on stderr, parsed, after it has exited by itself. */
function linesOf(program: string): Record<string, unknown>[] {
  return textOf(program).split("\n").filter((line) => line !== "").map((line): Record<string, unknown> => JSON.parse(line));
}

function textOf(program: string): string {
  const imports = ["base/log.js", "base/errors.js"].map((path) => new URL(`../../lib/${path}`, import.meta.url).href);
  const source = `import { createLog } from ${JSON.stringify(imports[0])}; import { BquerydError } from ${JSON.stringify(imports[1])};${program}`;
  const child = spawnSync(process.execPath, ["--input-type=module", "--eval", source], { encoding: "utf8" });
  expect(child.stdout).to.equal("");
  expect(child.status).to.equal(0);
  return child.stderr;
}

describe("a log line for people", () => {
  const facts = { level: "warn", time: "2026-11-21T12:33:47.594Z", pid: 4711, role: "worker" };

  it("has time, level, process and event, and its facts with ids cut short", () => {
    const line = { ...facts, event: "worker.lost", worker: "1cc098e5".repeat(4), shards: 12, reason: "it was silent", path: "/data", at: null };
    expect(formatLogLine(JSON.stringify(line))).to.equal('12:33:47Z warn  worker 4711 worker.lost worker=1cc098e5 shards=12 reason="it was silent" path=/data at=null');
  });

  it("has an error below it, with its stack if there is one, and moves no cursor", () => {
    const shown = (error: unknown): string => formatLogLine(JSON.stringify({ ...facts, event: "query.failed", error }));
    expect(shown({ code: "BUSY", message: "full\u001b[2J", details: {} })).to.equal("12:33:47Z warn  worker 4711 query.failed\n  BUSY: full\\u{1b}[2J");
    expect(shown({ message: "no", stack: "TypeError: no\n    at a" })).to.match(/query\.failed\n {2}TypeError: no\n {6}at a$/);
  });

  it("leaves lines alone that are no events", () => {
    for (const line of ["", "bqueryd: warning: x", "{", "{}", '{"a":1}', "null", "[1]"]) expect(formatLogLine(line)).to.equal(line);
  });

  it("is what a log for people writes", () => {
    expect(textOf(`createLog({ level: "info", role: "worker", forPeople: true }).warn({ event: "table.removed", table: "taxi.bcolz" });`)).to.match(/^\d\d:\d\d:\d\dZ warn {2}worker \d+ table\.removed table=taxi\.bcolz\n$/);
  });
});

describe("log", () => {
  it("an event is one JSON line on stderr with level, time, pid, role and facts", () => {
    const [line] = linesOf(`createLog({ level: "info", role: "worker" }).warn({ event: "table.removed", table: "taxi.bcolz" });`);
    expect(line).to.include({ level: "warn", role: "worker", event: "table.removed", table: "taxi.bcolz" });
    expect(line!["time"]).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(line!["pid"]).to.be.a("number");
  });

  it("nothing is lost when the process exits at once", () => {
    const lines = linesOf(`const log = createLog({ level: "info", role: "r" }); for (let i = 0; i < 2000; i++) log.info({ event: "e.e", i }); process.exit(0);`);
    expect(lines).to.have.length(2_000);
    expect(lines.at(-1)!["i"]).to.equal(1_999);
  });

  it("events below the level are left out, and the level can change", () => {
    const lines = linesOf(`const log = createLog({ level: "warn", role: "r" }); log.info({ event: "a.a" }); log.setLevel("debug"); log.debug({ event: "b.b" });`);
    expect(lines.map((line) => line["event"])).to.deep.equal(["b.b"]);
  });

  it("an error is spelled out: code and details of ours, the stack of a fault", () => {
    const lines = linesOf(`const log = createLog({ level: "info", role: "r" });
      log.error({ event: "query.failed", error: new BquerydError("BUSY", "full", { details: { queued: 3 } }) });
      log.error({ event: "query.failed", error: new TypeError("no") });`);
    expect(lines[0]!["error"]).to.deep.equal({ code: "BUSY", message: "full", details: { queued: 3 } });
    expect(lines[1]!["error"]).to.have.property("stack").that.includes("TypeError: no");
  });
});
