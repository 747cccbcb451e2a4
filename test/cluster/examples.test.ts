import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { describe, it } from "mocha";
import { header, trips } from "../../examples/shared/trips.js";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { oneOf } from "../support/random/draw.js";
import { startRedis } from "../support/redis.js";

const [gettingStarted, nightlyPush] = ["getting-started", "nightly-push"].map((name) => fileURLToPath(new URL(`../../examples/${name}.js`, import.meta.url)));
/** Of the first steps, and of a night. */
const [rows, nightRows] = [20_000, 5_000];

/** The run of the example, and the exit code and output of one that failed. */
async function run(example: string, flags: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<{ code: number; stdout: string; stderr: string }> {
  return promisify(execFile)(process.execPath, ["--enable-source-maps", example, ...flags], { env: { ...process.env, NO_COLOR: "1", ...environment } })
    .then(({ stdout, stderr }) => ({ code: 0, stdout, stderr }), (failure: { code: number; stdout: string; stderr: string }) => failure);
}

describe("examples", function () {
  this.timeout(180_000);

  // Each run of the tests takes one of each sort.
  const random = seededRandom(freshSeed());

  it("run as they are written, print the right answers, and leave nothing: the first steps, with a folder for the registry or a Redis server, or the nightly push", () => oneOf(random, [() => walk(), walkOverRedis, pushNights])());

  it("say what they take when they are given something else", async () => {
    const flags = oneOf(random, [["--rows", "many"], ["--rows", "0"], ["--shards", "2"]]);
    const { code, stderr } = await run(oneOf(random, [gettingStarted!, nightlyPush!]), flags);
    expect(code, flags.join(" ")).to.equal(64);
    expect(stderr).to.match(/^bqueryd: USAGE: /);
  });
});

/** Each night comes to both nodes, and a bad one is rolled back before the next. */
async function pushNights(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bqueryd-nightly-"));
  try {
    const { code, stdout, stderr } = await run(nightlyPush!, ["--rows", String(nightRows)], { TMPDIR: folder, XDG_STATE_HOME: folder });
    expect(code, stderr).to.equal(0);
    expect(stderr.replaceAll(/^bqueryd distribute: .*\n/gm, "")).to.equal("");
    expect(readdirSync(folder)).to.deep.equal([]);
    const answers = stdout.split("\nbqueryd> rpc.groupby").slice(1).map((part) => /^ *([\d,]+) +(-?[\d.]+) +(-?[\d.]+) *$/m.exec(part)?.slice(1).map((text) => Number(text.replaceAll(",", ""))));
    // The second night is looked at, and what is in use again after it.
    expect(answers).to.deep.equal([factsOfNight(1), factsOfNight(2, true), factsOfNight(1), factsOfNight(3)]);
    expect(stdout).to.contain("night 2 is bad: a fare is below 0");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Its trips, the least fare, and the sum of all. */
function factsOfNight(seed: number, isSpoiled = false): [number, number, number] {
  const at = header.split(",").indexOf("fare_amount");
  const cents = [...trips(nightRows, { seed, isSpoiled })].map((trip) => Math.round(100 * Number(trip.split(",")[at])));
  return [nightRows, Math.min(...cents) / 100, cents.reduce((sum, fare) => sum + fare, 0) / 100];
}

async function walkOverRedis(): Promise<void> {
  const server = await startRedis();
  try {
    await walk("--redis-url", server.url);
    expect(await server.ask("INFO", "commandstats"), "the processes met there").to.contain("cmdstat_eval");
    expect(await server.ask("HLEN", "bqueryd_controllers")).to.equal(":0");
  } finally {
    await server.remove();
  }
}

/** Runs all of it, and checks each answer. */
async function walk(...flags: string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bqueryd-walk-"));
  try {
    const { code, stdout, stderr } = await run(gettingStarted!, ["--rows", String(rows), ...flags], { TMPDIR: folder, XDG_STATE_HOME: folder });
    expect(code, stderr).to.equal(0);
    expect(stderr).to.equal("");
    expect(readdirSync(folder)).to.deep.equal([]);
    requireAnswers(stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function requireAnswers(stdout: string): void {
  /** What is printed below the line that was typed, up to the next. */
  const answers = new Map(stdout.split("\nbqueryd> ").slice(1).map((part): [string, string] => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n") + 1).trim()]));
  const answerTo = (start: string): string => [...answers].find(([line]) => `${line}\n`.startsWith(start))?.[1] ?? "";
  expect(answerTo("rpc.info()")).to.match(/^tcp:\/\/127\.0\.0\.1:\d+:\n {2}1 controller, 2 workers, 1 client, 0 calls, 1 downloader, 1 mover\n/).and.match(/\nworker [0-9a-f]{8} .* idle +2 +11 +40\.0 k$/m);
  expect(answerTo("rpc.ping()")).to.equal("pong");
  expect(answerTo("rpc.sleep(")).to.equal("z...");
  expect(answerTo("rpc.loglevel(")).to.match(/level: 'warn',\s+controllers: 1,\s+workers: 2,\s+downloaders: 1,\s+movers: 1\s/);
  expect(Number(answerTo("rpc.last_call_duration"))).to.be.within(0, 60);
  expect(answerTo("rpc.execute_code(").match(/'tripdata_2016-01(-\d\.bcolzs|\.bcolz)'/g)).to.have.length(11);
  expect(answerTo("rpc.distribute(")).to.match(/^bqueryd_download_ticket_[0-9a-f]{16}$/);
  expect(answerTo("rpc.downloads()\n")).to.match(/bqueryd_download_ticket_[0-9a-f]{16}.* 1\/1/);
  expect(answerTo("rpc.download({")).to.match(/^bqueryd_download_ticket_[0-9a-f]{16}$/);
  expect(answerTo("rpc.downloads().then")).to.match(/^[01]$/);
  expect(answerTo("rpc.killworkers(")).to.equal("{ workers: 2, controllers: 0 }");
  expect(answerTo("rpc.killall(")).to.match(/^\{ workers: [012], downloaders: 1, movers: 1, controllers: 1 \}\n/);
  const fares = sumFares();
  for (const start of ["rpc.groupby(['tripdata", "rpc.groupby(Array"]) {
    const printed = answerTo(start).split("\n").slice(2).map((line) => line.trim().split(/ +/).map(Number));
    expect(printed, start).to.deep.equal(fares);
  }
}

/** Of each payment type, from 1 on, the sum of fares in dollars. */
function sumFares(): [number, number][] {
  const names = header.split(",");
  const cents = new Map<number, number>();
  for (const trip of trips(rows)) {
    const fields = trip.split(",");
    const type = Number(fields[names.indexOf("payment_type")]);
    cents.set(type, (cents.get(type) ?? 0) + Math.round(100 * Number(fields[names.indexOf("fare_amount")])));
  }
  return [...cents].sort(([a], [b]) => a - b).map(([type, sum]) => [type, sum / 100]);
}
