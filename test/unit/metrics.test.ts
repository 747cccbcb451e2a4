import { expect } from "chai";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, it } from "mocha";
import { countAnswer, countCall, countClientLost, createCallCounts, sumCalls, type CallCounts } from "../../lib/cluster/controller/answers/call-counts.js";
import { createSessions } from "../../lib/cluster/controller/peers/sessions.js";
import { observeController, type ControllerFacts } from "../../lib/cluster/metrics/controller-metrics.js";
import { createExposition } from "../../lib/cluster/metrics/exposition.js";
import { counter, gauge, timeBucketsMs, type Observed } from "../../lib/cluster/metrics/families.js";
import { serveMetrics, type MetricsServer, type MetricsServerOptions } from "../../lib/cluster/metrics/server.js";
import { observeWorker } from "../../lib/cluster/metrics/worker-metrics.js";
import { noMemory } from "../../lib/cluster/worker/compute/compute-thread.js";
import { createWorkerState } from "../../lib/cluster/worker/core.js";
import { createTaskCounts } from "../../lib/cluster/worker/task-counts.js";
import { noCost } from "../../lib/wire/costs.js";
import { failureOf } from "../support/failure.js";
import { holding, Scheduling } from "../support/scheduling.js";
import { until } from "../support/until.js";

const call = (id: string) => ({ id, verb: "groupby" }) as const;
const result = (id: string, retries = 0) => ({ type: "result", id, value: null, cost: noCost, queuedMs: 0, workers: 0, retries }) as const;
const error = (id: string) => ({ type: "error", id, code: "BUSY", message: "m", details: {}, origin: "o" }) as const;

describe("counts of calls", () => {
  it("tell calls by outcome, those of a client that is gone too, and each once", () => {
    const counts = createCallCounts();
    for (const id of ["a", "b", "c", "a"]) countCall(counts, "client", call(id), 0);
    countAnswer(counts, "client", result("a", 2), 3);
    countAnswer(counts, "client", result("a"), 4);
    countAnswer(counts, "client", error("b"), 2_000_000);
    countClientLost(counts, "client", 5);
    countAnswer(counts, "client", result("c"), 6);
    expect([...counts.ended.get("groupby")!]).to.have.deep.members([["ok", 1], ["BUSY", 1], ["gone", 1]]);
    expect(sumCalls(counts)).to.deep.equal({ calls: 3, failures: 2 });
    expect([counts.retries, counts.open.size]).to.deep.equal([2, 0]);
  });

  it("put a time into the bucket whose end it does not pass, and what is longer than all into the last", () => {
    const counts = createCallCounts();
    for (const [id, ms] of [["a", 1], ["b", 1.5], ["c", 1e9]] as const) {
      countCall(counts, "client", call(id), 0);
      countAnswer(counts, "client", result(id), ms);
    }
    const times = counts.times.get("groupby")!;
    expect(times.counts.slice(0, 2)).to.deep.equal([1, 1]);
    expect([times.counts.at(-1), times.counts.length, times.sumMs]).to.deep.equal([1, timeBucketsMs.length + 1, 1e9 + 2.5]);
  });
});

describe("metrics", () => {
  it("are read anew at each question, with the times of calls as a histogram that Prometheus adds up", async () => {
    const counts = answered();
    const exposition = createExposition(observeController(() => factsOf(counts)).families);
    await exposition.text();
    const text = await exposition.text();
    expect(text).to.include('bqueryd_calls_total{verb="groupby",outcome="ok"} 2\n').and.include("# TYPE bqueryd_call_seconds histogram\n");
    expect(text).to.include('bqueryd_call_seconds_bucket{le="0.001",verb="groupby"} 1\n').and.include('bqueryd_call_seconds_bucket{le="0.0025",verb="groupby"} 2\n');
    expect(text).to.include('bqueryd_call_seconds_bucket{le="+Inf",verb="groupby"} 2\n').and.include('bqueryd_call_seconds_count{verb="groupby"} 2\n');
    expect(text).to.match(/^bqueryd_call_seconds_sum\{verb="groupby"\} 0\.003$/m).and.match(/^process_resident_memory_bytes \d+$/m);
  });

  it("of every role have names and units as Prometheus wants them, each once", () => {
    for (const { families } of [observeController(() => factsOf(createCallCounts())), observeWorker(workerFacts)]) {
      const names = families.map(({ name }) => name);
      expect(new Set(names).size).to.equal(names.length);
      for (const { name, kind, help } of families) {
        expect(name).to.match(/^bqueryd_[a-z_]+$/);
        expect(name.endsWith("_total"), name).to.equal(kind === "counter");
        expect(help).to.match(/^(?:[A-Z]|1).*[^.]$/);
      }
    }
  });

  it("of the queues count what waits for a worker", () => {
    const core = new Scheduling();
    core.join("w", [holding("taxi.bcolz")]);
    const read = (name: string): number | undefined => valueOf(observeController(() => ({ ...factsOf(createCallCounts()), state: core.state })), name);
    expect([read("bqueryd_workers"), read("bqueryd_shards_known"), read("bqueryd_queue_calls"), read("bqueryd_workers_busy")]).to.deep.equal([1, 1, 0, 0]);
  });
});

describe("readiness", () => {
  it("of a controller is a place in the registry and a worker", () => {
    const core = new Scheduling();
    let isListed = false;
    const { findObstacle } = observeController(() => ({ ...factsOf(createCallCounts()), state: core.state, isListed }));
    expect(findObstacle()).to.match(/^the registry cannot be written/);
    isListed = true;
    expect(findObstacle()).to.equal("no worker is registered with it");
    core.join("w", []);
    expect(findObstacle()).to.equal(undefined);
    core.state.stopping = true;
    expect(findObstacle()).to.equal("it is stopping");
  });

  it("of a worker is its compute thread and a controller that knows it", () => {
    const facts = { ...workerFacts(), controllers: 1 };
    const { findObstacle } = observeWorker(() => facts);
    expect(findObstacle()).to.equal("its compute thread is being started again");
    facts.state.computeUp = true;
    expect(findObstacle()).to.equal(undefined);
    facts.controllers = 0;
    expect(findObstacle()).to.equal("no controller has taken its registration");
    facts.state.phase = "stopping";
    expect(findObstacle()).to.equal("it is stopping");
  });
});

describe("metrics over HTTP", () => {
  const servers: MetricsServer[] = [];
  afterEach(async () => { await Promise.all(servers.splice(0).map((server) => server.close())); });

  async function serve(obstacle?: string, more: Partial<MetricsServerOptions> = {}): Promise<MetricsServer> {
    const observed: Observed = { families: [counter("bqueryd_some_total", "Some", () => 7), gauge("bqueryd_level", "A level", () => 3)], findObstacle: () => obstacle };
    const server = await serveMetrics({ bind: "127.0.0.1", port: 0, observed, ...more });
    servers.push(server);
    return server;
  }

  it("answer three paths, and only GET", async () => {
    const { url } = await serve();
    const metrics = await fetch(`${url}/metrics?x=1`);
    expect(metrics.headers.get("content-type")).to.match(/^text\/plain; version=0\.0\.4/);
    expect(await metrics.text()).to.include("\nbqueryd_some_total 7\n").and.include("\nbqueryd_level 3\n");
    expect([await textOf(`${url}/healthz`), await textOf(`${url}/readyz`)]).to.deep.equal([[200, "ok\n"], [200, "ready\n"]]);
    const post = await fetch(`${url}/metrics`, { method: "POST", body: "x".repeat(100_000) });
    expect([post.status, await post.text()]).to.deep.equal([405, "only GET is answered here\n"]);
  });

  it("are not ready for a reason, and then 503", async () => {
    const { url } = await serve("no worker is registered with it");
    expect(await textOf(`${url}/readyz`)).to.deep.equal([503, "not ready: no worker is registered with it\n"]);
    expect(await textOf(`${url}/healthz`)).to.deep.equal([200, "ok\n"]);
  });

  it("give nothing of a question back, and refuse what is large or no HTTP", async () => {
    const { url } = await serve();
    const [status, text] = await textOf(`${url}/<script>alert(1)</script>`);
    expect([status, text]).to.deep.equal([404, "there are /metrics, /healthz and /readyz\n"]);
    expect(await statusOf(url, { "x-large": "x".repeat(20_000) })).to.equal(431);
    expect(await answerTo(url, "\0\x01garbage\r\n\r\n")).to.match(/^HTTP\/1\.1 400 /);
    expect(await textOf(`${url}/healthz`)).to.deep.equal([200, "ok\n"]);
  });

  it("are had by others although every place is taken by those who ask and read nothing", async function stuck() {
    this.timeout(120_000);
    // More than the system keeps for who reads nothing.
    const large: Observed = { families: [gauge("bqueryd_large", "L".repeat(2 ** 20), () => 1)], findObstacle: () => undefined };
    const { url } = await serve(undefined, { observed: large, idleMs: 200 });
    const { hostname, port } = new URL(url);
    const silent = Array.from({ length: 64 }, () => connect(Number(port), hostname).on("error", () => undefined).pause());
    await Promise.all(silent.map((socket) => once(socket, "connect")));
    for (const socket of silent) socket.write("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(12));
    await until("somebody else is answered", () => fetch(`${url}/healthz`, { signal: AbortSignal.timeout(10_000) }).then(({ ok }) => ok, () => false), 100_000);
    for (const socket of silent) socket.destroy();
  });

  it("throw PORT_IN_USE for a port that is taken, and CONFIG for an address of another machine", async () => {
    const { url } = await serve();
    const observed: Observed = { families: [], findObstacle: () => undefined };
    expect(await failureOf(() => serveMetrics({ bind: "127.0.0.1", port: Number(new URL(url).port), observed }))).to.include({ code: "PORT_IN_USE" });
    expect(await failureOf(() => serveMetrics({ bind: "192.0.2.1", port: 0, observed }))).to.include({ code: "CONFIG" });
  });
});

function factsOf(calls: CallCounts): ControllerFacts {
  return { state: new Scheduling().state, sessions: createSessions(), calls, messagesIn: 0, messagesOut: 0, malformed: 0, isListed: true };
}

function workerFacts() {
  const identity = { workerId: "w", node: "n", pid: 1, version: "0", dataDir: "/", startedMs: 0, expiryMs: 1, newNonce: () => "x" };
  return {
    state: createWorkerState(identity), tasks: createTaskCounts(), controllers: 0, isRegistryUp: true, malformed: 0, memory: noMemory,
    cacheBytesMax: 1, queryBytesMax: 1,
  };
}

function answered(): CallCounts {
  const counts = createCallCounts();
  for (const [id, ms] of [["a", 1], ["b", 2]] as const) {
    countCall(counts, "client", call(id), 0);
    countAnswer(counts, "client", result(id), ms);
  }
  return counts;
}

function valueOf({ families }: Observed, name: string): number | undefined {
  const family = families.find((candidate) => candidate.name === name);
  return family === undefined || family.kind === "times" ? undefined : family.read()[0]?.value;
}

async function textOf(url: string): Promise<[number, string]> {
  const response = await fetch(url);
  return [response.status, await response.text()];
}

async function statusOf(url: string, headers: Record<string, string>): Promise<number | undefined> {
  const [response] = await once(request(url, { headers }).end(), "response") as [{ statusCode?: number; resume(): void }];
  response.resume();
  return response.statusCode;
}

async function answerTo(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).setEncoding("latin1");
  let answer = "";
  socket.on("data", (part: string) => { answer += part; });
  socket.end(text, "latin1");
  await once(socket, "close");
  return answer;
}
