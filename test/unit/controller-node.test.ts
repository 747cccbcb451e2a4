import { expect } from "chai";
import { afterEach, describe, it } from "mocha";
import { monotonicMs, randomId } from "../../lib/base/clock.js";
import { loadConfig } from "../../lib/base/config.js";
import { startController, type RunningController } from "../../lib/cluster/controller/node.js";
import { connectDealer, type Dealer } from "../../lib/wire/dealer.js";
import type { ClientReply, WorkerReply } from "../../lib/wire/messages.js";
import { openDealerSocket, openSocketCount } from "../../lib/wire/sockets.js";
import { createFakeRegistry, type FakeRegistry } from "../support/fake-registry.js";
import { failureOf } from "../support/failure.js";
import { freeCost, holding, setHoldings } from "../support/scheduling.js";
import { createSilentLog } from "../support/silent-log.js";
import { ownLoopback } from "../support/own-loopback.js";
import { until } from "../support/until.js";

const messageBytesMax = 2 ** 20;
const heartbeatMs = 50;
const expiryMs = 400;

/** One end of a connection, and what it was told apart from heartbeats. */
interface Peer<C extends "client" | "worker"> {
  readonly dealer: Dealer<C>;
  readonly heard: (C extends "client" ? ClientReply : WorkerReply)[];
  readonly bodies: Uint8Array[][];
}

const opened: { close(): Promise<void> }[] = [];

async function start(more: { flags?: Record<string, string>; registry?: FakeRegistry } = {}): Promise<RunningController & { events: { event: string }[]; registry: FakeRegistry }> {
  const flags = { node: "here", heartbeat: `${heartbeatMs / 1_000}`, expiry: `${expiryMs / 1_000}`, message_bytes_max: "1MB", ...more.flags };
  const config = loadConfig({ flags, env: {}, machineFile: "/nonexistent" });
  const { log, events } = createSilentLog();
  const registry = more.registry ?? createFakeRegistry();
  const controller = await startController({ config, log, registry });
  opened.push({ close: () => controller.stop("the test is over") });
  return { ...controller, events, registry };
}

function connect<C extends "client" | "worker">(address: string, channel: C): Peer<C> {
  const heard: Peer<C>["heard"] = [];
  const bodies: Uint8Array[][] = [];
  const dealer = connectDealer<C>({
    address, channel, messageBytesMax,
    onMessage(header, body) {
      if (header.type === "heartbeat" && !("known" in header && !header.known)) return;
      heard.push(header as Peer<C>["heard"][number]);
      bodies.push(body);
    },
    onMalformed(error) { throw error; },
  });
  opened.push(dealer);
  return { dealer, heard, bodies };
}

async function joinClient(address: string): Promise<Peer<"client"> & { quieten(): void }> {
  const client = connect(address, "client");
  const beat = setInterval(() => { client.dealer.send({ type: "heartbeat" }); }, heartbeatMs);
  opened.push({ async close() { clearInterval(beat); } });
  client.dealer.send({ type: "hello", clientId: randomId(), version: "test" });
  await until("the client is welcome", () => client.heard.some(({ type }) => type === "welcome"));
  return { ...client, quieten() { clearInterval(beat); } };
}

/** A worker that registers, offers itself, and then does what the test does with it. */
async function joinWorker(address: string, holdings = [holding("taxi.bcolz")]): Promise<Peer<"worker"> & { id: string; quieten(): void }> {
  const worker = connect(address, "worker");
  const id = randomId();
  const beat = setInterval(() => { worker.dealer.send({ type: "heartbeat" }); }, heartbeatMs);
  opened.push({ async close() { clearInterval(beat); } });
  worker.dealer.send({ type: "register", workerId: id, role: "worker", node: "there", pid: 1, version: "test", dataDir: "/data", uptimeMs: 2_000, holdings });
  worker.dealer.send({ type: "ready", nonce: randomId(), cached: [] });
  await until("the worker is welcome", () => worker.heard.some(({ type }) => type === "welcome"));
  return { ...worker, id, quieten() { clearInterval(beat); } };
}

function ask(client: Peer<"client">, verb: "ping" | "info" | "files" | "groupby" | "killall", tables: string[] = [], body: Uint8Array[] = []): string {
  const id = randomId();
  client.dealer.send({ type: "call", id, verb, tables, columns: [], remainingMs: 5_000 }, body);
  return id;
}

async function answerTo(client: Peer<"client">, id: string): Promise<ClientReply & { type: "result" | "error" }> {
  const find = (): (ClientReply & { type: "result" | "error" }) | undefined => {
    return client.heard.filter((header) => header.type === "result" || header.type === "error").find((header) => header.id === id);
  };
  await until(`call ${id} is answered`, () => find() !== undefined);
  return find()!;
}

async function takeTask(worker: Peer<"worker">): Promise<WorkerReply & { type: "task" }> {
  await until("the worker has a task", () => worker.heard.some(({ type }) => type === "task"));
  return worker.heard.filter((header) => header.type === "task").at(-1)!;
}

async function valueOf(client: Peer<"client">, verb: "info" | "files" | "ping"): Promise<unknown> {
  const answer = await answerTo(client, ask(client, verb));
  if (answer.type === "error") throw new Error(answer.message);
  return answer.value;
}

describe("a controller on its sockets", () => {
  afterEach(async () => {
    await Promise.all(opened.splice(0).reverse().map((one) => one.close()));
    expect(openSocketCount()).to.equal(0);
  });

  it("answers ping and is listed in the registry while it serves", async () => {
    const { address, registry, stop } = await start();
    expect((await registry.controllers()).map((record) => record.address)).to.deep.equal([address]);
    expect(await valueOf(await joinClient(address), "ping")).to.equal("pong");
    await stop("enough");
    expect(await registry.controllers()).to.deep.equal([]);
  });

  it("passes a query to a worker and its partials back, unopened, then the result", async () => {
    const { address } = await start();
    const worker = await joinWorker(address);
    const client = await joinClient(address);
    const id = ask(client, "groupby", ["taxi"], [Uint8Array.of(1, 2, 3)]);
    const task = await takeTask(worker);
    expect([...worker.bodies[worker.heard.indexOf(task)]![0]!]).to.deep.equal([1, 2, 3]);
    worker.dealer.send({ type: "partial", taskId: task.taskId, block: { start: 0, size: 1 } }, [Uint8Array.of(4, 5)]);
    worker.dealer.send({ type: "done", taskId: task.taskId, cost: { ...freeCost, rowsScanned: 10 } });
    expect(await answerTo(client, id)).to.deep.include({ type: "result", workers: 1, cost: { ...freeCost, rowsScanned: 10 } });
    expect(client.heard.map(({ type }) => type)).to.deep.equal(["welcome", "accepted", "partial", "result"]);
    expect([...client.bodies[2]![0]!]).to.deep.equal([4, 5]);
  });

  it("gives the task of a worker whose connection breaks to another at once", async () => {
    const { address, events } = await start({ flags: { expiry: "120" } });
    const first = await joinWorker(address);
    const client = await joinClient(address);
    const id = ask(client, "groupby", ["taxi"]);
    await takeTask(first);
    const second = await joinWorker(address);
    first.quieten();
    const brokenAtMs = monotonicMs();
    await first.dealer.close();
    const task = await takeTask(second);
    // Long before it would be missed, on a slow machine too.
    expect(monotonicMs() - brokenAtMs, "ms until its task runs elsewhere").to.be.lessThan(30_000);
    second.dealer.send({ type: "partial", taskId: task.taskId, block: { start: 0, size: 1 } }, [Uint8Array.of(1)]);
    second.dealer.send({ type: "done", taskId: task.taskId, cost: freeCost });
    expect(await answerTo(client, id)).to.include({ type: "result", retries: 1 });
    expect(events.filter(({ event }) => event === "worker.lost")).to.have.length(1);
  });

  it("gives the task of a worker that falls silent to another after its expiry", async () => {
    const { address } = await start();
    const first = await joinWorker(address);
    const client = await joinClient(address);
    const id = ask(client, "groupby", ["taxi"]);
    await takeTask(first);
    const second = await joinWorker(address);
    first.quieten();
    const task = await takeTask(second);
    second.dealer.send({ type: "failed", taskId: task.taskId, code: "DTYPE_MISMATCH", message: "v is text", details: {}, retry: "never", shard: null });
    expect(await answerTo(client, id)).to.include({ type: "error", code: "DTYPE_MISMATCH", message: "v is text" });
  });

  it("asks a worker it does not know to register, once however much it says", async () => {
    const { address } = await start();
    const worker = connect(address, "worker");
    for (const shard of ["a", "b", "c"]) worker.dealer.send({ type: "ready", nonce: randomId(), cached: [{ shard, columns: [] }] });
    await until("it is asked to register", () => worker.heard.length > 0);
    expect(worker.heard).to.deep.equal([{ type: "heartbeat", known: false }]);
  });

  it("cancels the task of a client that goes", async () => {
    const { address } = await start();
    const worker = await joinWorker(address);
    const client = await joinClient(address);
    ask(client, "groupby", ["taxi"]);
    const { taskId } = await takeTask(worker);
    client.dealer.send({ type: "bye" });
    await until("the task is cancelled", () => worker.heard.some((header) => header.type === "cancelTask" && header.taskId === taskId));
  });

  it("cancels the task of a client that falls silent", async () => {
    const { address } = await start();
    const worker = await joinWorker(address);
    const client = await joinClient(address);
    ask(client, "groupby", ["taxi"]);
    await takeTask(worker);
    expect(worker.heard.some(({ type }) => type === "cancelTask")).to.equal(false);
    client.quieten();
    await until("the task is cancelled", () => worker.heard.some(({ type }) => type === "cancelTask"));
  });

  it("lets a worker that it gave up hear nothing more, so that the worker connects again", async () => {
    const { address, events } = await start();
    const beats = new Map<string, number>();
    const join = (id: string, node: string): Dealer<"worker"> => {
      const dealer = connectDealer<"worker">({
        address, channel: "worker", messageBytesMax,
        onMessage({ type }) { if (type === "heartbeat") beats.set(id, (beats.get(id) ?? 0) + 1); },
        onMalformed(error) { throw error; },
      });
      opened.push(dealer);
      dealer.send({ type: "register", workerId: id, role: "worker", node, pid: 1, version: "test", dataDir: "/data", uptimeMs: 1, holdings: [] });
      return dealer;
    };
    const [silent, alive] = [randomId(), randomId()];
    join(silent, "there");
    const dealer = join(alive, "here");
    const beat = setInterval(() => { dealer.send({ type: "heartbeat" }); }, heartbeatMs);
    opened.push({ async close() { clearInterval(beat); } });
    await until("the silent worker is lost", () => events.some(({ event }) => event === "worker.lost"));
    const [heard = 0, clock = 0] = [beats.get(silent), beats.get(alive)];
    expect(heard).to.be.greaterThan(0);
    await until("three beats have passed", () => (beats.get(alive) ?? 0) >= clock + 3);
    expect(beats.get(silent), "but for one that was on its way").to.be.at.most(heard + 1);
  });

  it("ends the calls of a client that says hello again, or of another one over the same connection, and answers them anew", async () => {
    const { address } = await start();
    const worker = await joinWorker(address);
    const clientId = randomId();
    for (const second of [clientId, randomId()]) {
      const client = await joinClient(address);
      client.dealer.send({ type: "hello", clientId, version: "test" });
      await until("it is welcome", () => client.heard.filter(({ type }) => type === "welcome").length === 2);
      const id = ask(client, "groupby", ["taxi"]);
      const { taskId } = await takeTask(worker);
      client.dealer.send({ type: "hello", clientId: second, version: "test" });
      await until("the task is cancelled", () => worker.heard.some((header) => header.type === "cancelTask" && header.taskId === taskId));
      worker.heard.length = 0;
      worker.dealer.send({ type: "ready", nonce: randomId(), cached: [] });
      client.dealer.send({ type: "call", id, verb: "groupby", tables: ["taxi"], columns: [], remainingMs: 5_000 });
      const task = await takeTask(worker);
      await until("both calls were accepted", () => client.heard.filter(({ type }) => type === "accepted").length === 2);
      worker.dealer.send({ type: "failed", taskId: task.taskId, code: "IO", message: "", details: {}, retry: "never", shard: null });
      expect(await answerTo(client, id)).to.include({ type: "error", code: "IO" });
      worker.heard.length = 0;
      worker.dealer.send({ type: "ready", nonce: randomId(), cached: [] });
    }
  });

  it("goes on with the calls of a client whose broken connection it has not noticed when the client is back", async () => {
    const { address } = await start();
    const worker = await joinWorker(address);
    const [old, fresh] = [await joinClient(address), await joinClient(address)];
    const clientId = randomId();
    old.dealer.send({ type: "hello", clientId, version: "test" });
    const id = ask(old, "groupby", ["taxi"]);
    await takeTask(worker);
    worker.heard.length = 0;
    fresh.dealer.send({ type: "hello", clientId, version: "test" });
    fresh.dealer.send({ type: "call", id, verb: "groupby", tables: ["taxi"], columns: [], remainingMs: 5_000 });
    await until("the call begins anew", () => fresh.heard.some(({ type }) => type === "accepted"));
    worker.dealer.send({ type: "ready", nonce: randomId(), cached: [] });
    const task = await takeTask(worker);
    worker.dealer.send({ type: "failed", taskId: task.taskId, code: "IO", message: "", details: {}, retry: "never", shard: null });
    expect(await answerTo(fresh, id)).to.include({ type: "error", code: "IO" });
  });

  it("refuses a call of somebody who never said hello", async () => {
    const { address } = await start();
    const client = connect(address, "client");
    expect(await answerTo(client, ask(client, "ping"))).to.include({ type: "error", code: "CONNECTION_LOST" });
  });

  it("answers a failing call with the error, and logs it", async () => {
    const { address, events } = await start();
    await joinWorker(address);
    const client = await joinClient(address);
    expect(await answerTo(client, ask(client, "groupby", ["taxy"]))).to.include({ type: "error", code: "UNKNOWN_TABLE" });
    expect(events.map(({ event }) => event)).to.include("query.failed");
  });

  it("fails a task too large to be sent with MEMORY_LIMIT, and goes on", async () => {
    const { address } = await start();
    await joinWorker(address, setHoldings("taxi", 100));
    const client = await joinClient(address);
    const room = messageBytesMax - 300;
    expect(await answerTo(client, ask(client, "groupby", ["taxi"], [new Uint8Array(room)]))).to.include({ type: "error", code: "MEMORY_LIMIT" });
    expect(await valueOf(client, "ping")).to.equal("pong");
  });

  it("describes its cluster in info(): itself, workers, queues, differences", async () => {
    const { address } = await start();
    const worker = await joinWorker(address, [holding("taxi.bcolz", { generation: "a", rows: 5 })]);
    await joinWorker(address, [holding("taxi.bcolz", { generation: "b" })]);
    const client = await joinClient(address);
    ask(client, "groupby", ["taxi"]);
    const info = await valueOf(client, "info") as Record<string, unknown> & { workers: Record<string, unknown>[]; warnings: string[] };
    expect(info).to.include({ address, node: "here", pid: process.pid, calls: 1, clients: 1 });
    expect(info).to.include.all.keys("uptime", "messages_in", "messages_out", "malformed", "controllers", "queues");
    const described = info.workers.find(({ id }) => id === worker.id)!;
    expect(described).to.include({ node: "there", role: "worker", data_dir: "/data", tables: 1, shards: 1, rows: 5 });
    expect(described["uptime"]).to.be.within(2, 20);
    expect(described["last_seen"]).to.be.within(0, 2);
    expect(info.warnings.join()).to.contain("taxi.bcolz");
    worker.dealer.send({ type: "broken", tables: [{ name: "cut.bcolz", code: "CORRUPT_FOOTER", message: "its footer is cut short" }] });
    await until("info() warns of it", async () => {
      const { warnings } = await valueOf(client, "info") as { warnings: string[] };
      return warnings.some((sentence) => /^cut\.bcolz cannot be opened by worker [0-9a-f]{8} on there: its footer is cut short/.test(sentence));
    });
  });

  it("lists what workers hold in files()", async () => {
    const { address } = await start();
    await joinWorker(address, setHoldings("taxi", 3));
    const [listing] = await valueOf(await joinClient(address), "files") as Record<string, unknown>[];
    expect(listing).to.include({ table: "taxi", kind: "set", shards: 3, rows: 30, holders: 1 });
  });

  it("takes a call back that waits for the registry, and counts the wait as time of the call", async () => {
    const registry = createFakeRegistry();
    const { address } = await start({ registry });
    const worker = await joinWorker(address);
    const client = await joinClient(address);
    const { pointers } = registry;
    let goOn: () => void = () => undefined;
    const held = new Promise<void>((resolve) => { goOn = resolve; });
    registry.pointers = async () => { await held; return pointers.call(registry); };
    const [taken, kept] = [randomId(), randomId()];
    for (const id of [taken, kept]) client.dealer.send({ type: "call", id, verb: "groupby", tables: ["taxi"], columns: [], remainingMs: 5_000, epoch: 1 });
    client.dealer.send({ type: "cancel", id: taken });
    expect(await answerTo(client, taken)).to.include({ type: "error", code: "CANCELLED" });
    await registry.movePointers([{ table: "other.bcolz", generation: null }], 0);
    goOn();
    const task = await takeTask(worker);
    expect(task.remainingMs).to.be.below(5_000);
    worker.dealer.send({ type: "partial", taskId: task.taskId, block: { start: 0, size: 1 } }, [Uint8Array.of(1)]);
    worker.dealer.send({ type: "done", taskId: task.taskId, cost: freeCost });
    expect(await answerTo(client, kept)).to.include({ type: "result" });
    expect(client.heard.filter((header) => "id" in header && header.id === taken)).to.have.length(1);
  });

  it("is listed for no less than it may be silent: one that is slow to renew is not gone", async () => {
    const registry = createFakeRegistry();
    const { announce } = registry;
    const timesMs: number[] = [];
    registry.announce = async (record, ttlMs) => {
      timesMs.push(ttlMs);
      await announce(record, ttlMs);
    };
    await start({ registry });
    await until("it has renewed", () => timesMs.length > 1);
    for (const ttlMs of timesMs) expect(ttlMs).to.equal(expiryMs);
    timesMs.length = 0;
    await start({ registry, flags: { heartbeat: "10", expiry: "20" } });
    expect(timesMs).to.include(30_000);
  });

  it("takes nobody in who looks for a controller of another cluster at its address", async () => {
    const { address, events } = await start();
    const [client, worker] = [connect(address, "client"), connect(address, "worker")];
    const cluster = "0".repeat(32);
    client.dealer.send({ type: "hello", clientId: randomId(), version: "test", cluster });
    const holdings = [holding("taxi.bcolz")];
    worker.dealer.send({ type: "register", workerId: randomId(), role: "worker", node: "there", pid: 1, version: "test", dataDir: "/data", uptimeMs: 0, holdings, cluster });
    await until("both are told", () => client.heard.length > 0 && worker.heard.length > 0);
    expect(client.heard[0]).to.deep.equal({ type: "heartbeat", known: false });
    expect(worker.heard[0]).to.include({ type: "refused" });
    expect(events.filter(({ event }) => event === "peer.refused")).to.have.length(2);
    const friend = await joinClient(address);
    expect(await answerTo(friend, ask(friend, "info"))).to.have.nested.property("value.workers").that.is.empty;
  });

  it("answers what is asked of it while it begins, and not before it knows the pointers", async () => {
    const registry = createFakeRegistry();
    const { pointers } = registry;
    let goOn: () => void = () => undefined;
    const held = new Promise<void>((resolve) => { goOn = resolve; });
    registry.pointers = async () => { await held; return pointers.call(registry); };
    // A port that is free for a while at 127.0.0.1 is taken by controllers of other processes.
    const bind = ownLoopback();
    const starting = start({ registry, flags: { bind, port: "14300" } });
    const client = connect(`tcp://${bind}:14300`, "client");
    client.dealer.send({ type: "hello", clientId: randomId(), version: "test" });
    const id = ask(client, "groupby", ["taxi"]);
    setTimeout(goOn, 300);
    expect(await answerTo(client, id)).to.include({ type: "error", code: "SHARD_UNAVAILABLE" });
    await starting;
  });

  it("finishes the calls it has when it is stopped, and takes no more", async () => {
    const { address, stop, stopped } = await start();
    const worker = await joinWorker(address);
    const client = await joinClient(address);
    const id = ask(client, "groupby", ["taxi"]);
    const task = await takeTask(worker);
    const stopping = stop("SIGTERM");
    expect(await answerTo(client, ask(client, "groupby", ["taxi"]))).to.include({ type: "error", code: "NO_CONTROLLER" });
    worker.dealer.send({ type: "partial", taskId: task.taskId, block: { start: 0, size: 1 } }, [Uint8Array.of(1)]);
    worker.dealer.send({ type: "done", taskId: task.taskId, cost: freeCost });
    expect(await answerTo(client, id)).to.include({ type: "result" });
    await stopping;
    expect(await stopped).to.equal("SIGTERM");
  });

  it("stops workers and every other controller on killall", async () => {
    const registry = createFakeRegistry();
    const one = await start({ registry });
    const two = await start({ registry });
    expect(one.address).to.not.equal(two.address);
    const worker = await joinWorker(two.address);
    const client = await joinClient(one.address);
    expect(await answerTo(client, ask(client, "killall"))).to.deep.include({ type: "result", value: { workers: 0, controllers: 2 } });
    expect(await Promise.all([one.stopped, two.stopped])).to.deep.equal(["killall", "killall"]);
    await until("the worker is told", () => worker.heard.some(({ type }) => type === "shutdown"));
    expect(await registry.controllers()).to.deep.equal([]);
  });

  it("refuses an address that other machines can reach", async () => {
    const error = await failureOf(() => start({ flags: { bind: "0.0.0.0" } }));
    expect(error.code).to.equal("CONFIG");
  });

  it("names a port that is taken", async () => {
    const { address } = await start();
    const error = await failureOf(() => start({ flags: { port: address.split(":").at(-1)! } }));
    expect(error.code).to.equal("PORT_IN_USE");
  });

  it("counts what it cannot read, logs it once, and goes on", async () => {
    const { address, events } = await start();
    const client = await joinClient(address);
    const socket = openDealerSocket({ frameBytesMax: messageBytesMax, isIpv6: false });
    opened.push({ close: () => socket.close(0) });
    const connected = new Promise<void>((resolve) => { socket.on("handshake", resolve); });
    socket.connect(address);
    await connected;
    await socket.send([Uint8Array.of(1, 2, 3)]);
    await socket.send([Buffer.from("bqc\x01"), Buffer.from("no MessagePack")]);
    await until("both are counted", async () => (await valueOf(client, "info") as { malformed: number }).malformed === 2);
    expect(events.filter(({ event }) => event === "peer.malformed")).to.have.length(1);
  });
});
