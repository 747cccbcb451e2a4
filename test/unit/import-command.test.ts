import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { afterEach, before, beforeEach, describe, it } from "mocha";
import { displayWidth } from "../../lib/base/text-width.js";
import { parseNames, parseTypes } from "../../lib/cli/column-flags.js";
import { formatBar, formatProgress, measureParts } from "../../lib/cli/progress.js";
import type { Elapsed } from "../../lib/cli/progress.js";
import { failureOf } from "../support/failure.js";
import { writeParquet } from "../support/parquet.js";
import { withoutProgress } from "../support/progress-lines.js";
import { runCommand } from "../support/run-command.js";

const executable = fileURLToPath(new URL("../../bin/bqueryd.js", import.meta.url));
const flights = fileURLToPath(new URL("../../../node_modules/vega-datasets/data/flights-3m.parquet", import.meta.url));

interface Outcome {
  readonly code: number | null;
  /** What was written on stderr, progress among it. */
  readonly written: string;
}

/** Runs `bqueryd` as a process to its end; `onStderr` is called with what it has written there so far. */
function runProcess(args: readonly string[], onStderr: (text: string, pid: number) => void): Promise<Outcome> {
  const child = spawn(process.execPath, [executable, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  let written = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    written += text;
    onStderr(written, child.pid!);
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, written }));
  });
}

describe("the commands import and inspect", function () {
  this.timeout(120_000);
  let folder = "";
  const at = (name: string): string => join(folder, name);
  let parquet = Buffer.of();
  before(async () => {
    const path = join(mkdtempSync(join(tmpdir(), "bqueryd-import-command-")), "in.parquet");
    await writeParquet(path, "SELECT i AS n, 'text ' || (i % 10) AS \"a very long name of a column, indeed\", TIMESTAMP '2001-01-01' + INTERVAL (i) SECOND AS t FROM range(1000) r(i)");
    parquet = readFileSync(path);
    rmSync(dirname(path), { recursive: true });
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-import-command-"));
    writeFileSync(at("in.parquet"), parquet);
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("import says on one line what it stored and where", async () => {
    const { code, stdout, stderr } = await runCommand(["import", at("in.parquet"), at("data/t"), "--shards", "4"]);
    expect([code, stderr]).to.deep.equal([0, ""]);
    expect(stdout).to.match(/^1,000 rows from \S+in\.parquet into 4 shards of \S+data\/t: [0-9.]+ kB \([0-9.]+ s, [0-9,]+ rows\/s\)\n$/);
    expect(readdirSync(at("data"))).to.have.length(4);
  });

  it("import --append refuses a set by its name, and says how a table is named in its folder", async () => {
    writeFileSync(at("in.csv"), "v\n1\n2\n");
    await runCommand(["import", at("in.csv"), at("data/t"), "--shards", "2"]);
    const { code, stderr } = await runCommand(["import", at("in.csv"), at("data/t"), "--append"]);
    expect([code, stderr]).to.deep.equal([64, `bqueryd: USAGE: ${at("data/t")} is a set; only single tables take --append, so import all of it anew with --replace and --shards N\n`]);
    expect((await runCommand(["import", at("in.csv"), at("data/u"), "--append"])).stderr).to.include(`name the table, ${at("data/u")}.bcolz for instance`);
    expect(readdirSync(at("data"))).to.have.length(2);
  });

  it("import --append says on one line that it ends the order of a table", async () => {
    writeFileSync(at("in.csv"), "v\n1\n2\n");
    await runCommand(["import", at("in.csv"), at("t.bcolz"), "--sort", "v"]);
    const { code, stderr } = await runCommand(["import", at("in.csv"), at("t.bcolz"), "--append"]);
    expect([code, stderr.trim().split("\n").length]).to.deep.equal([0, 1]);
    expect(stderr).to.include("t.bcolz is no longer sorted by 'v'");
    expect((await runCommand(["import", at("in.csv"), at("t.bcolz"), "--append"])).stderr).to.equal("");
  });

  it("import shows the first rows that it could not store, with line and reason, and exits with 0", async () => {
    writeFileSync(at("in.csv"), `a,b\n1,2\n${"\u001b[2Jbad\n".repeat(12)}`);
    const { code, stdout, stderr } = await runCommand(["import", at("in.csv"), at("t.bcolz")]);
    expect(code).to.equal(0);
    expect(stdout).to.match(/^1 row of 13 read, 12 rejected, from /);
    const lines = stderr.split("\n");
    expect(lines[0]).to.equal("rejected rows:");
    expect(lines[1]).to.match(/^ {2}in\.csv, line 3: .*: \\u\{1b\}\[2Jbad$/);
    expect(lines.slice(11, 13)).to.deep.equal(["  and 2 more; --rejects FILE writes them all", `  warning: most of the first rows of ${at("in.csv")} were rejected; check --format, --delimiter, --columns and --types`]);
  });

  it("import of nothing but rows that do not fit fails, shows the first of them and leaves the table that was there", async () => {
    writeFileSync(at("good.csv"), "a\n1\n");
    writeFileSync(at("bad.csv"), "a\nx\ny\n");
    await runCommand(["import", at("good.csv"), at("t.bcolz")]);
    for (const flags of [["--replace", "--types", "a=int64"], ["--append"]]) {
      const { code, stdout, stderr } = await runCommand(["import", at("bad.csv"), at("t.bcolz"), ...flags]);
      expect([code, stdout], stderr).to.deep.equal([65, ""]);
      expect(stderr).to.match(/^bqueryd: BAD_INPUT: all of the 2 rows of \S+bad\.csv would be rejected, so that nothing was changed \(line 2: 'x' in column 'a' is no int64; line 3: /);
    }
    expect((await runCommand(["inspect", at("t.bcolz")])).stdout).to.match(/^t\.bcolz: 1 row, /);
    writeFileSync(at("empty.csv"), "a\n");
    expect((await runCommand(["import", at("empty.csv"), at("none.bcolz")])).code).to.equal(0);
  });

  it("import --append takes the dtypes of the table and rejects what does not fit them, of CSV and NDJSON", async () => {
    writeFileSync(at("good.csv"), "a\n1\n");
    await runCommand(["import", at("good.csv"), at("t.bcolz")]);
    writeFileSync(at("more.csv"), "a\n1.5\n2\n");
    writeFileSync(at("more.ndjson"), '{"a":3}\n{"a":"x"}\n');
    for (const [name, line] of [["more.csv", 2], ["more.ndjson", 2]] as const) {
      const { code, stderr } = await runCommand(["import", at(name), at("t.bcolz"), "--append"]);
      expect(code, stderr).to.equal(0);
      expect(stderr).to.match(new RegExp(`^rejected rows:\n  ${name}, line ${line}: .*int64.*\n  a table that grows keeps its dtypes; to have others, import everything anew with --types\n`));
    }
    expect((await runCommand(["inspect", at("t.bcolz")])).stdout).to.match(/^t\.bcolz: 3 rows, /);
  });

  it("import warns of a header that looks like a row, and not where the columns are named", async () => {
    writeFileSync(at("rows.csv"), "1,2001-01-01\n2,2001-01-02\n");
    expect((await runCommand(["import", at("rows.csv"), at("t.bcolz")])).stderr).to.match(/^bqueryd: warning: the first line of \S+rows\.csv was taken for the header, .* --columns\n$/);
    expect((await runCommand(["import", at("rows.csv"), at("u.bcolz"), "--columns", "n,day"])).stderr).to.equal("");
  });

  it("import names all columns that no dtype holds, with flags that help", async () => {
    await writeParquet(at("odd.parquet"), "SELECT 1.50::DECIMAL(9,2) AS price, [1] AS \"l,1\", {'x': 1} AS s, 7 AS \"it's\"");
    const { stderr } = await runCommand(["import", at("odd.parquet"), at("t.bcolz")]);
    expect(stderr).to.match(/'price' is DECIMAL\(9, 2\), 'l,1' is nested, 's' is nested; give --types price=float64 \(.*\), and leave the others out with --columns 'price,it'\\''s'\n$/);
    expect((await runCommand(["import", at("odd.parquet"), at("t.bcolz"), "--types", "price=float64", "--columns", "price,it's"])).code).to.equal(0);
    writeFileSync(at("odd.ndjson"), '{"a":{"b":1},"c":2}\n');
    expect((await runCommand(["import", at("odd.ndjson"), at("u.bcolz")])).stderr).to.include("give --types a=string (an object or a list is stored as its JSON text)");
    expect((await runCommand(["import", at("odd.ndjson"), at("u.bcolz"), "--types", "a=string"])).code).to.equal(0);
  });

  it("import says how to convert text that is not UTF-8", async () => {
    writeFileSync(at("latin.csv"), Buffer.from("a\nx\ncaf\u00e9\n", "latin1"));
    expect((await runCommand(["import", at("latin.csv"), at("t.bcolz")])).stderr).to.include("iconv -f latin1 -t utf-8");
    expect((await runCommand(["import", at("latin.csv"), at("u.bcolz"), "--strict"])).stderr).to.include("iconv -f latin1 -t utf-8");
  });

  it("rejected rows are named with the folder only where two inputs have one name", async () => {
    mkdirSync(at("other"));
    for (const name of ["x.csv", "y.csv", "other/x.csv"]) writeFileSync(at(name), "a\n1\nz\n");
    const flags = ["--types", "a=int64"];
    expect((await runCommand(["import", at("x.csv"), at("y.csv"), at("t.bcolz"), ...flags])).stderr).to.match(/^rejected rows:\n {2}x\.csv, line 3: .*\n {2}y\.csv, line 3: /);
    expect((await runCommand(["import", at("x.csv"), at("other/x.csv"), at("u.bcolz"), ...flags])).stderr).to.match(/^rejected rows:\n {2}\/\S+\/x\.csv, line 3: .*\n {2}\/\S+other\/x\.csv, line 3: /);
  });

  it("import reads standard input as it reads a file", async () => {
    const child = spawn("sh", ["-c", `printf 'a\tb\n1\tx\n' | "$@"`, "sh", process.execPath, executable, "import", "-", at("t.bcolz"), "--delimiter", "\\t", "--types", "a=uint8", "--json"], { stdio: ["ignore", "pipe", "inherit"] });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    await new Promise((resolve) => child.once("close", resolve));
    expect(JSON.parse(stdout)).to.include({ rows_read: 1, rows_stored: 1, rows_rejected: 0 });
  });

  it("import --json prints one object", async () => {
    const { code, stdout, stderr } = await runCommand(["import", at("in.parquet"), at("t.bcolz"), "--columns", "t,n", "--json"]);
    expect([code, stderr]).to.deep.equal([0, ""]);
    expect(JSON.parse(stdout)).to.include({ rows_read: 1000, rows_stored: 1000 });
  });

  const wrong: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ["one path", ["in.parquet"], 64, /^bqueryd: USAGE: .*; see bqueryd import --help\n$/],
    ["a missing file", ["nix.parquet", "t.bcolz"], 65, /^bqueryd: NOT_FOUND: \S+nix\.parquet does not exist; check the path\n$/],
    ["an unknown column", ["in.parquet", "t.bcolz", "--columns", "m"], 65, /^bqueryd: UNKNOWN_COLUMN: .*; did you mean 'n'\?\n$/],
    ["no number of shards", ["in.parquet", "t", "--shards", "1.5"], 64, /^bqueryd: USAGE: --shards takes a whole number above 0, not '1\.5'/],
    ["--rejects -", ["in.parquet", "t.bcolz", "--rejects", "-"], 64, /^bqueryd: USAGE: --rejects takes a file, /],
    ["a wrong flag", ["in.parquet", "t.bcolz", "--zzzzzzzz"], 64, /^bqueryd: USAGE: unknown option '--zzzzzzzz'; see bqueryd import --help\n$/],
    ["a forgotten output", ["in.parquet", "out.csv"], 64, /^bqueryd: USAGE: the last path is the table to write, and 'out\.csv' does not end in \.bcolz; name the table, \S+\/out\.bcolz /],
    ["an output without ending", ["in.parquet", "t"], 64, /^bqueryd: USAGE: .*--shards/],
  ];
  for (const [what, args, code, line] of wrong) {
    it(`import answers ${what} with one line and exit code ${code}`, async () => {
      const [input, output, ...flags] = args;
      const outcome = await runCommand(["import", at(input!), ...(output === undefined ? [] : [at(output)]), ...flags]);
      expect([outcome.code, outcome.stdout]).to.deep.equal([code, ""]);
      expect(outcome.stderr).to.match(line);
      expect(readdirSync(folder)).to.deep.equal(["in.parquet"]);
    });
  }

  it("import warns when a table and a set have one name from now on, and each can be asked for", async () => {
    const warning = "bqueryd: warning: t is both the table t.bcolz and the set t-*.bcolzs now, so that asking for t is AMBIGUOUS_TABLE; ask for t.bcolz or 't-*.bcolzs', or remove one of them\n";
    expect((await runCommand(["import", at("in.parquet"), at("t.bcolz")])).stderr).to.equal("");
    expect(await runCommand(["import", at("in.parquet"), at("t"), "--shards", "2"])).to.include({ code: 0, stderr: warning });
    expect(await runCommand(["import", at("in.parquet"), at("t.bcolz"), "--append", "--json"])).to.include({ code: 0, stderr: warning });
    expect((await runCommand(["inspect", at("t")])).stderr).to.match(/AMBIGUOUS_TABLE/);
    expect((await runCommand(["inspect", at("t.bcolz")])).stdout).to.match(/^t\.bcolz: 2,000 rows, /);
    expect((await runCommand(["inspect", at("t-*.bcolzs")])).stdout).to.match(/: 1,000 rows in 2 shards, /);
    expect((await runCommand(["import", at("in.parquet"), at("u.bcolz")])).stderr).to.equal("");
  });

  it("import says what to do about a place that cannot be read or written", async () => {
    const cases = [
      ["/proc/none.csv", at("t.bcolz"), "NOT_FOUND: /proc/none.csv does not exist; check the path"],
      [join(at("in.parquet"), "x"), at("t.bcolz"), "a part of the path is no folder, correct it"],
      [at("in.parquet"), "/proc/t.bcolz", "mkdir '/proc/t.bcolz'; check the path, and that files can be made there if one is to be"],
      [at("in.parquet"), "/proc/none/t.bcolz", "mkdir '/proc/none'; check the path, and that files can be made there if one is to be"],
      [at("in.parquet"), join(at("in.parquet"), "t.bcolz"), "a part of the path is no folder, correct it"],
    ] as const;
    for (const [input, output, words] of cases) {
      const { code, stderr } = await runCommand(["import", input, output]);
      expect([code, stderr.includes(words)], stderr).to.deep.equal([65, true]);
    }
    expect(readdirSync(folder)).to.deep.equal(["in.parquet"]);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`${signal} in mid-import exits with 130 and leaves nothing`, async function () {
      this.timeout(60_000);
      // Three copies of the flights last long enough for a line of progress, whatever the machine.
      let isSent = false;
      const outcome = await runProcess(["import", flights, flights, flights, at("data/t"), "--shards", "3"], (_, pid) => {
        if (!isSent) process.kill(pid, signal);
        isSent = true;
      });
      expect(outcome.written).to.match(/^[0-9,]+ of 9,000,000 rows \([0-9]+ %\), [0-9,]+ rows\/s, .* left\n[^]*bqueryd: CANCELLED: the import was interrupted; nothing was stored\n$/);
      expect([outcome.code, existsSync(at("data"))]).to.deep.equal([130, false]);
    });
  }

  it("inspect shows a set within 80 cells a line", async () => {
    await runCommand(["import", at("in.parquet"), at("t"), "--shards", "3"]);
    const { code, stdout } = await runCommand(["inspect", at("t")]);
    expect(code).to.equal(0);
    expect(stdout).to.match(/^t: 1,000 rows in 3 shards, 3 columns, /).and.include("2001-01-01T00:16:39Z").and.include("a very long na");
    for (const line of stdout.split("\n")) expect(displayWidth(line), line).to.be.at.most(80);
  });

  it("inspect --json of a set joins its shards", async () => {
    await runCommand(["import", at("in.parquet"), at("t"), "--shards", "3"]);
    const found: unknown = JSON.parse((await runCommand(["inspect", at("t"), "--json"])).stdout);
    expect(found).to.deep.include({ name: "t", rows: 1000 });
    expect(found).to.have.property("tables").with.length(3);
    expect(found).to.have.nested.property("columns[0]").that.deep.includes({ name: "n", dtype: "int64", nulls: 0, min: 0, max: 999, distinct: null });
    expect(found).to.have.nested.property("columns[1]").that.includes({ dtype: "string", min: "text 0", max: "text 9", distinct: 10 });
  });

  it("inspect of a folder or an unknown name lists the tables there are", async () => {
    await runCommand(["import", at("in.parquet"), at("data/flights.bcolz")]);
    expect((await runCommand(["inspect", at("data")])).stderr).to.match(/^bqueryd: UNKNOWN_TABLE: \S+data is a folder and not a table; the tables in it are flights\n$/);
    expect((await runCommand(["inspect", at("data/zzzzzzzzz")])).stderr).to.match(/no table 'zzzzzzzzz'; the tables in \S+data are flights\n$/);
  });

  it("every command takes NAME-*.bcolzs for the shards of a set", async () => {
    await runCommand(["import", at("in.parquet"), at("t"), "--shards", "2"]);
    for (const args of [["inspect", at("t-*.bcolzs")], ["compact", at("t-*.bcolzs")], ["verify", at("t-*.bcolzs")], ["export", at("t-*.bcolzs"), at("t.csv")]]) {
      const { code, stderr } = await runCommand(args);
      expect([code, stderr], args[0]).to.deep.equal([0, ""]);
    }
  });

  it("inspect of a name that nothing has names the nearest", async () => {
    await runCommand(["import", at("in.parquet"), at("flights.bcolz")]);
    const { code, stderr } = await runCommand(["inspect", at("flight")]);
    expect([code, stderr]).to.deep.equal([65, "bqueryd: UNKNOWN_TABLE: no table 'flight'; did you mean 'flights'?\n"]);
  });
});

describe("progress", () => {
  const since = (ms: number, before: Partial<Elapsed> = {}): Elapsed => ({ ms, doneBefore: 0, fractionBefore: 0, ...before });

  it("tells rows, rate and the time left", () => {
    expect(formatProgress({ unit: "rows", done: 1_200_000, total: 3_000_000 }, since(2_000))).to.equal("1,200,000 of 3,000,000 rows (40 %), 600,000 rows/s, 3.00 s left");
  });

  it("of nothing is whole, and at its start knows no time", () => {
    expect(formatProgress({ unit: "rows", done: 0, total: 0 }, since(5))).to.equal("0 of 0 rows (100 %)");
  });

  it("tells the time left from the bytes where the rows are not known", () => {
    expect(formatProgress({ label: "counting", unit: "rows", done: 1_000, total: null, fraction: 0.25 }, since(1_000))).to.equal("counting: 1,000 rows (25 %), 1,000 rows/s, 3.00 s left");
  });

  it("tells bytes of what has no known end", () => {
    expect(formatProgress({ label: "copying", unit: "bytes", done: 2_000_000, total: null }, since(1_000))).to.equal("copying: 2.00 MB, 2.00 MB/s");
  });

  it("counts what was done before a part of the work was first heard of in neither rate nor time left", () => {
    const state = { label: "writing", unit: "rows", done: 80_000, total: 100_000 } as const;
    expect(formatProgress(state, since(2_000, { doneBefore: 60_000, fractionBefore: 0.6 }))).to.equal("writing: 80,000 of 100,000 rows (80 %), 10,000 rows/s, 2.00 s left");
    expect(formatProgress({ ...state, done: 60_000 }, since(1, { doneBefore: 60_000, fractionBefore: 0.6 }))).to.equal("writing: 60,000 of 100,000 rows (60 %)");
  });

  it("begins anew with each part, though much of it is done at its first word", () => {
    const measure = measureParts(1_000);
    const state = { unit: "rows", total: 100_000 } as const;
    expect(measure({ ...state, label: "sorting", done: 100_000 }, 3_000)).to.deep.equal({ ms: 2_000, doneBefore: 0, fractionBefore: 0 });
    expect(measure({ ...state, label: "writing", done: 60_000 }, 9_000)).to.deep.equal({ ms: 0, doneBefore: 60_000, fractionBefore: 0.6 });
    expect(measure({ ...state, label: "writing", done: 80_000 }, 9_500)).to.deep.equal({ ms: 500, doneBefore: 60_000, fractionBefore: 0.6 });
    expect(measure({ ...state, label: "writing", done: 10_000 }, 9_700)).to.deep.equal({ ms: 0, doneBefore: 10_000, fractionBefore: 0.1 });
  });

  it("of one row is of one row", () => {
    expect(formatProgress({ unit: "rows", done: 1, total: 1 }, since(1_000))).to.equal("1 of 1 row (100 %), 1 row/s, 0.00 s left");
  });

  it("is taken from what a command says by those who ask for the rest", () => {
    const lines = [
      formatProgress({ unit: "rows", done: 1_000, total: 1_000 }, since(2_270)), formatProgress({ unit: "rows", done: 1, total: 1 }, since(5)),
      formatProgress({ label: "counting", unit: "rows", done: 1_000, total: null, fraction: 0.25 }, since(1_000)),
      formatProgress({ label: "t.bcolz", unit: "bytes", done: 900, total: 3_000_000 }, since(400_000)), formatProgress({ label: "copying", unit: "bytes", done: 0, total: null }, since(1)),
    ];
    const said = ["bqueryd: warning: 2 rows were left", "rejected rows:", "  x.csv, line 3: 'a' in column 'v' is no int64"];
    expect(withoutProgress(`${[...lines, ...said, ...lines].join("\n")}\n`)).to.equal(`${said.join("\n")}\n`);
  });

  it("has a bar as wide as the terminal allows, and none where there is no room", () => {
    expect(formatBar("text", 0.5, 16)).to.equal("[====----] text");
    expect(formatBar("text", 1, 200)).to.equal(`[${"=".repeat(40)}] text`);
    expect(formatBar("a rather long text", 0.5, 20)).to.equal("a rather long text");
    expect(formatBar("a rather long text", 0.5, 10)).to.equal("a rather ");
    expect(formatBar("text", null, 80)).to.equal("text");
  });

  it("does without the rate, then without the time left, before anything is cut", () => {
    const text = "sorting: 1,200,000 of 3,000,000 rows (40 %), 600,000 rows/s, 3.00 s left";
    expect(formatBar(text, 0.4, 80)).to.equal(`[==--] ${text}`);
    expect(formatBar(text, 0.4, 72)).to.equal("[=====-------] sorting: 1,200,000 of 3,000,000 rows (40 %), 3.00 s left");
    expect(formatBar(text, 0.4, 56)).to.equal("[====-----] sorting: 1,200,000 of 3,000,000 rows (40 %)");
    expect(formatBar(text, 0.4, 30)).to.equal("sorting: 1,200,000 of 3,000,0");
  });
});

describe("flags that name columns", () => {
  it("are lists with commas, or JSON for names that hold some", () => {
    expect(parseNames("a,b")).to.deep.equal(["a", "b"]);
    expect(parseNames('["a,b","c"]')).to.deep.equal(["a,b", "c"]);
    expect([...parseTypes("a=int64,b==c=string")]).to.deep.equal([["a", "int64"], ["b==c", "string"]]);
    expect([...parseTypes('{"a,b":"date","__proto__":"bool"}')]).to.deep.equal([["a,b", "date"], ["__proto__", "bool"]]);
  });

  for (const [what, parse, words] of [
    ["an unknown dtype, with the nearest", () => parseTypes("a=stirng"), "did you mean 'string'?"],
    ["a dtype far from all, with the list", () => parseTypes("a=decimal(10)"), "use one of bool, int8"],
    ["a column without dtype", () => parseTypes("a"), "column=dtype"],
    ["a column twice", () => parseTypes("a=bool,a=int8"), "'a' twice"],
    ["a list that is cut", () => parseNames('["a"'), "not sound JSON"],
    ["a list of numbers", () => parseNames("[1]"), "not a JSON list of names"],
    ["an object that is cut", () => parseTypes('{"a"'), "not sound JSON"],
  ] as const) {
    it(`refuse ${what}`, async () => {
      const error = await failureOf(parse);
      expect([error.code, error.message.includes(words)], error.message).to.deep.equal(["USAGE", true]);
    });
  }
});
