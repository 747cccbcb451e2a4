import { expect } from "chai";
import { afterEach, describe, it } from "mocha";
import { loadConfig, type Config } from "../../lib/base/config.js";
import { limits } from "../../lib/base/limits.js";
import { connectWith } from "../../lib/client/connect.js";
import { startController, type RunningController } from "../../lib/cluster/controller/node.js";
import { openPresence, type Presence, type PresenceOptions } from "../../lib/cluster/presence.js";
import type { CarrierInfo, Rpc } from "../../lib/index.js";
import { bindRouter } from "../../lib/wire/router.js";
import { openSocketCount } from "../../lib/wire/sockets.js";
import { createFakeRegistry, type FakeRegistry } from "../support/fake-registry.js";
import { createSilentLog } from "../support/silent-log.js";
import { until } from "../support/until.js";

const closers: (() => Promise<unknown>)[] = [];

function configOf(more: Record<string, string> = {}): Config {
  return loadConfig({ flags: { node: "here", heartbeat: "0.05", expiry: "1", message_bytes_max: "1MB", timeout: "10", data_dir: "/data", ...more }, env: {}, machineFile: "/nonexistent" });
}

async function startOne(registry: FakeRegistry): Promise<RunningController> {
  const controller = await startController({ config: configOf(), log: createSilentLog().log, registry });
  closers.push(() => controller.stop("the test is over"));
  return controller;
}

async function open(registry: FakeRegistry, more: Partial<PresenceOptions> = {}): Promise<{ presence: Presence; levels: string[]; shutdowns: string[]; events: { event: string }[] }> {
  const [levels, shutdowns]: [string[], string[]] = [[], []];
  const { log, events } = createSilentLog();
  const presence = await openPresence({
    config: configOf(), log: { ...log, setLevel: (level) => { levels.push(level); } }, registry, role: "downloader",
    describeDoing: () => null, onShutdown: (reason) => { shutdowns.push(reason); }, ...more,
  });
  closers.push(() => presence.close("the test is over"));
  return { presence, levels, shutdowns, events };
}

/** A client of one controller. */
async function clientOf({ address }: RunningController): Promise<Rpc> {
  const rpc = await connectWith(configOf({ controllers: address }));
  closers.push(() => rpc.close());
  return rpc;
}

async function untilListed(rpc: Rpc, what: string, isSo: (carriers: readonly CarrierInfo[]) => boolean): Promise<void> {
  await until(what, async () => {
    const { downloaders, movers } = await rpc.info();
    return isSo([...downloaders, ...movers]);
  });
}

describe("presence", function () {
  this.timeout(60_000);
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    expect(openSocketCount()).to.equal(0);
  });

  it("has a process listed by every controller with what it is at, until it says good-bye", async () => {
    const registry = createFakeRegistry();
    const controllers = [await startOne(registry), await startOne(registry)];
    let doing: string | null = null;
    const { presence, events } = await open(registry, { role: "mover", describeDoing: () => doing });
    const clients = await Promise.all(controllers.map(clientOf));
    for (const rpc of clients) await untilListed(rpc, "it is listed", ([one]) => one !== undefined);
    const [one] = (await clients[0]!.info()).movers;
    expect(one).to.include({ id: presence.id, role: "mover", node: "here", pid: process.pid, data_dir: "/data", busy: false, doing: null });
    expect((await clients[0]!.info()).workers).to.deep.equal([]);
    expect(presence.isConnected()).to.equal(true);
    doing = "x".repeat(limits.doingMax + 100);
    for (const rpc of clients) await untilListed(rpc, "it says what it is at, cut to what a message takes", ([it]) => it?.doing === "x".repeat(limits.doingMax));
    await Promise.all([presence.close("SIGTERM"), presence.close("twice")]);
    expect(presence.isConnected()).to.equal(false);
    for (const rpc of clients) {
      await untilListed(rpc, "it is gone", (carriers) => carriers.length === 0);
      expect((await rpc.info()).departures[0]).to.include({ worker: presence.id, role: "mover", reason: "drained after SIGTERM" });
    }
    expect(events.filter(({ event }) => event === "mover.registered")).to.have.length(2);
  });

  it("hears of loglevel, also of one that was set before it came, and of killworkers nothing", async () => {
    const registry = createFakeRegistry();
    const rpc = await clientOf(await startOne(registry));
    expect(await rpc.loglevel("debug")).to.deep.equal({ level: "debug", controllers: 1, workers: 0 });
    const { levels, shutdowns } = await open(registry);
    await until("it is told of the level", () => levels.length > 0);
    expect(await rpc.loglevel("warn")).to.deep.equal({ level: "warn", controllers: 1, workers: 0, downloaders: 1, movers: 0 });
    await until("it is told of the next one", () => levels.at(-1) === "warn");
    expect(levels).to.deep.equal(["debug", "warn"]);
    expect(await rpc.killworkers()).to.deep.equal({ controllers: 0, workers: 0 });
    await rpc.loglevel("info");
    await until("what came after killworkers is there", () => levels.at(-1) === "info");
    expect(shutdowns).to.deep.equal([]);
  });

  it("is told to end by killall once, however many controllers say so", async () => {
    const registry = createFakeRegistry();
    const controllers = [await startOne(registry), await startOne(registry)];
    const { shutdowns } = await open(registry);
    const clients = await Promise.all(controllers.map(clientOf));
    for (const rpc of clients) await untilListed(rpc, "it is listed", ([one]) => one !== undefined);
    expect(await clients[0]!.killall()).to.deep.equal({ controllers: 2, workers: 0, downloaders: 1, movers: 0 });
    await Promise.all(controllers.map(({ stopped }) => stopped));
    await until("it is told", () => shutdowns.length > 0);
    expect(shutdowns).to.deep.equal(["killall"]);
  });

  it("registers with a controller that comes later, and notices when the last is gone", async () => {
    const registry = createFakeRegistry();
    const { presence } = await open(registry);
    expect(presence.isConnected()).to.equal(false);
    const controller = await startOne(registry);
    await until("it is registered", () => presence.isConnected());
    await controller.stop("SIGTERM");
    await until("it has noticed", () => !presence.isConnected());
    const rpc = await clientOf(await startOne(registry));
    await untilListed(rpc, "it is at the next one", ([one]) => one?.id === presence.id);
  });

  it("registers again where it is not known any more, gives up who is silent, and does no task", async () => {
    const heard: string[] = [];
    let peer = "";
    const router = await bindRouter({
      bind: "127.0.0.1", port: 0, messageBytesMax: 2 ** 20,
      onMessage: (from, { header }) => {
        peer = from;
        heard.push(header.type);
        if (heard.length === 1) router.send(from, "worker", { type: "heartbeat", known: false });
        if (header.type === "register" && heard.length > 1) {
          const id = "0".repeat(32);
          router.send(from, "worker", { type: "welcome", controllerId: id, node: "there", version: "1", heartbeatMs: 50, expiryMs: 1_000 });
          router.send(from, "worker", { type: "task", taskId: id, attempt: 1, kind: "groupby", queryId: id, nonce: id, shards: [], remainingMs: 1_000 });
        }
      },
      onUnreachable: () => undefined, onMalformed: () => undefined,
    });
    closers.push(() => router.close());
    const { presence } = await open(createFakeRegistry(), { config: configOf({ controllers: router.address }) });
    await until("it is welcome", () => presence.isConnected());
    const first = peer;
    await until("it has registered over another connection, as nothing more was said", () => peer !== first);
    expect(heard.filter((type) => type === "register").length).to.be.at.least(3);
    expect(new Set(heard)).to.deep.equal(new Set(["register", "heartbeat"]));
  });
});
