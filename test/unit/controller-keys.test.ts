import { randomBytes } from "node:crypto";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { Dealer as RawDealer, type SocketOptions } from "zeromq";
import { randomId } from "../../lib/base/clock.js";
import { loadConfig, type Config } from "../../lib/base/config.js";
import type { LogFacts } from "../../lib/base/log.js";
import { connectWith, type Rpc } from "../../lib/client/connect.js";
import { startController, type RunningController } from "../../lib/cluster/controller/node.js";
import { openLinks } from "../../lib/cluster/links.js";
import { openPresence } from "../../lib/cluster/presence.js";
import { shortAddress, splitAddress } from "../../lib/wire/addresses.js";
import { connectDealer } from "../../lib/wire/dealer.js";
import { encodeFrames } from "../../lib/wire/frames.js";
import { createKeyFile, readKeyFile } from "../../lib/wire/key-file.js";
import { encodeZ85, makeKeyPair, type KeyPair } from "../../lib/wire/keys.js";
import type { WorkerReply } from "../../lib/wire/messages.js";
import type { Role } from "../../lib/wire/roles.js";
import { openSocketCount } from "../../lib/wire/sockets.js";
import { createFakeRegistry, type FakeRegistry } from "../support/fake-registry.js";
import { failureOf } from "../support/failure.js";
import { createSilentLog } from "../support/silent-log.js";
import { until } from "../support/until.js";

const messageBytesMax = 2 ** 20;

interface TestController extends RunningController {
  readonly registry: FakeRegistry;
  readonly events: readonly LogFacts[];
  readonly config: Config;
}

describe("a controller with keys", () => {
  let folder = "";
  const opened: { close(): Promise<void> | void }[] = [];

  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "bqueryd-access-")); });
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close();
    // What was refused gives its socket up by itself.
    await until("all sockets are closed", () => openSocketCount() === 0);
    rmSync(folder, { recursive: true });
  });

  const path = (name: string): string => join(folder, name);

  /** Makes a key file of that name, and adds its line to authorized_keys unless it is to stay unknown. */
  function makeKey(name: string, roles: Role[], isKnown = true): KeyPair {
    const line = createKeyFile(path(name), { name, roles: new Set(roles) });
    if (isKnown) appendFileSync(path("authorized_keys"), `${line}\n`);
    return readKeyFile(path(name));
  }

  function configOf(flags: Record<string, string>): Config {
    return loadConfig({ flags: { node: "here", heartbeat: "0.05", expiry: "1", message_bytes_max: "1MB", timeout: "5", ...flags }, env: {}, machineFile: "/nonexistent" });
  }

  async function start(flags: Record<string, string> = {}, registry = createFakeRegistry()): Promise<TestController> {
    if (flags["key_file"] === undefined) makeKey("server", [], false);
    appendFileSync(path("authorized_keys"), "");
    const config = configOf({ key_file: path("server"), authorized_keys: path("authorized_keys"), ...flags });
    const { log, events } = createSilentLog();
    const controller = await startController({ config, log, registry });
    opened.push({ close: () => controller.stop("the test is over") });
    return { ...controller, registry, events, config };
  }

  async function connect(address: string, key?: string): Promise<Rpc> {
    const rpc = await connectWith(configOf({ controllers: address, ...(key === undefined ? {} : { key_file: path(key) }) }));
    opened.push(rpc);
    return rpc;
  }

  const refusalsOf = ({ events }: TestController): LogFacts[] => events.filter(({ event }) => event === "peer.refused");

  it("serves those whose key it knows, and its own key, and tells its public key in the registry", async () => {
    makeKey("ada", ["client"]);
    const { address, registry } = await start();
    expect(splitAddress(address).publicKey).to.equal(readKeyFile(path("server")).publicKey);
    expect((await registry.controllers()).map((record) => record.address)).to.deep.equal([address]);
    expect(await (await connect(address, "ada")).ping()).to.equal("pong");
    expect(await (await connect(shortAddress(address), "server")).ping()).to.equal("pong");
    expect(await (await connect(address, "ada")).info()).to.deep.include({ refused: 0, address: shortAddress(address) });
  });

  it("refuses a key that it does not know, says so, counts it, logs it once, and serves others meanwhile", async () => {
    makeKey("ada", ["client"]);
    const mallory = makeKey("mallory", ["admin"], false);
    const controller = await start();
    const known = await connect(controller.address, "ada");
    for (let count = 1; count <= 3; count++) {
      const failure = await failureOf(async () => (await connect(controller.address, "mallory")).ping());
      expect(failure.code).to.equal("FORBIDDEN");
      expect(failure.message).to.equal(`${shortAddress(controller.address)} does not know the key of this process; add a line to its authorized_keys, with the roles it is to have: client ${mallory.publicKey}`);
      expect(await known.info()).to.deep.include({ refused: count, clients: 1, malformed: 0 });
    }
    expect(refusalsOf(controller)).to.deep.equal([{ event: "peer.refused", peer: "127.0.0.1", reason: `its key ${mallory.publicKey} is not in authorized_keys`, count: 1 }]);
  });

  it("says to a client what does not fit: no key, a controller with another key, a controller without keys", async () => {
    makeKey("ada", ["client"]);
    const controller = await start();
    const messageOf = async (address: string, key?: string): Promise<string> => {
      const { code, message } = await failureOf(async () => (await connect(address, key)).ping());
      return `${code}: ${message}`;
    };
    const short = shortAddress(controller.address);
    expect(await messageOf(controller.address)).to.match(/^CONFIG: the controller tcp:.* takes only those who have a key, and this process has none; set key_file$/);
    // Which end speaks first decides how much the other hears.
    expect(await messageOf(short)).to.match(/^FORBIDDEN: \S+ takes only those who have a key, and this process has none; set key_file$|^NO_CONTROLLER: \S+ ends connections before they are complete; .* then set key_file$/);
    expect(await messageOf(`${short}/${makeKeyPair().publicKey}`, "ada")).to.match(/^FORBIDDEN: \S+ does not have the key that its address names; compare it/);
    expect(await messageOf(short, "ada")).to.match(/^FORBIDDEN: \S+ does not have the key of this process, which is expected where no other is named; write/);
    const { log } = createSilentLog();
    const open = await startController({ config: configOf({}), log, registry: createFakeRegistry() });
    opened.push({ close: () => open.stop("the test is over") });
    expect(await messageOf(open.address, "ada")).to.match(/^FORBIDDEN: \S+ has no keys, and this process talks only to who has; give the controller a key_file/);
    expect(await (await connect(controller.address, "ada")).info()).to.have.property("refused").that.is.at.least(3);
  });

  it("lets clients ask and admins stop, and names the verb and the role to who may not", async () => {
    for (const role of ["client", "node", "admin"] as const) makeKey(role, [role]);
    const controller = await start();
    for (const [key, verb, role] of [["client", "killall", "admin"], ["node", "killall", "admin"], ["node", "ping", "client"]] as const) {
      const failure = await failureOf(async () => (await connect(controller.address, key))[verb]());
      expect(failure).to.deep.include({ code: "FORBIDDEN", details: { verb, role } });
      expect(failure.message).to.equal(`${verb} needs the role ${role}, and the key of this client has ${key}; use another key_file, or give the key that role in authorized_keys of the controller`);
    }
    const admin = await connect(controller.address, "admin");
    expect(await admin.info()).to.deep.include({ refused: 3 });
    expect(refusalsOf(controller).map(({ reason }) => reason)).to.deep.equal(["killall is not for its roles", "killall is not for its roles"]);
    expect(await admin.killall()).to.deep.equal({ workers: 0, controllers: 1 });
    expect(await controller.stopped).to.equal("killall");
  });

  it("passes killall on to controllers with its own key, and to others that know it as admin", async () => {
    // The others are asked for two heartbeats at least.
    const patient = { heartbeat: "1", expiry: "5" };
    for (const name of ["server", "stranger"]) makeKey(name, [], false);
    makeKey("friend", ["admin"]);
    const one = await start({ ...patient, key_file: path("server") });
    const twin = await start({ ...patient, key_file: path("server") }, one.registry);
    expect(await (await connect(twin.address, "friend")).killall()).to.deep.equal({ workers: 0, controllers: 2 });
    expect(await Promise.all([one, twin].map(({ stopped }) => stopped))).to.deep.equal(["killall", "killall"]);
    const other = await start({ ...patient, key_file: path("server") });
    const friend = await start({ ...patient, key_file: path("friend") }, other.registry);
    expect(await (await connect(friend.address, "friend")).killall()).to.deep.equal({ workers: 0, controllers: 2 });
    const alone = await start({ ...patient, key_file: path("stranger") });
    const deaf = await start({ ...patient, key_file: path("server") }, alone.registry);
    expect(await (await connect(alone.address, "friend")).killall()).to.deep.equal({ workers: 0, controllers: 1 });
    expect(await (await connect(deaf.address, "server")).ping()).to.equal("pong");
  });

  function register(address: string, keys: KeyPair): { heard: WorkerReply[] } {
    const heard: WorkerReply[] = [];
    const dealer = connectDealer({ address, channel: "worker", messageBytesMax, keys, onMessage: (header) => { heard.push(header); }, onMalformed: (error) => { throw error; } });
    opened.push(dealer);
    dealer.send({ type: "register", workerId: randomId(), role: "worker", node: "there", pid: 1, version: "test", dataDir: "/data", uptimeMs: 0, holdings: [] });
    return { heard };
  }

  it("takes workers with the role node alone", async () => {
    const [client, node] = [makeKey("client", ["client", "admin"]), makeKey("node", ["node"])];
    const { address } = await start();
    const [refused, taken] = [register(address, client), register(address, node)];
    await until("both are answered", () => refused.heard.length > 0 && taken.heard.length > 0);
    expect(taken.heard[0]!.type).to.equal("welcome");
    expect(refused.heard[0]).to.deep.equal({ type: "refused", reason: "a worker needs the role node, and its key has client and admin; use another key_file, or give the key that role in authorized_keys of the controller" });
    expect((await (await connect(address, "client")).info()).workers.map(({ node: name }) => name)).to.deep.equal(["there"]);
  });

  it("gives no role to who proves no key, however it connected", async () => {
    const [ada, admin] = [makeKey("ada", ["client"]), makeKey("admin", ["admin"])];
    const controller = await start();
    const { endpoint, publicKey } = splitAddress(controller.address);
    const stolen = "0f".repeat(32);
    for (const credential of [undefined, { key: admin.publicKey, proof: stolen }, { key: makeKeyPair().publicKey, proof: stolen }]) {
      const socket = rawDealer(endpoint, curveOf(ada, publicKey!));
      await socket.send(encodeFrames("client", "message", { type: "hello", clientId: randomId(), version: "x", ...(credential === undefined ? {} : { credential }) }, [], messageBytesMax).map((frame) => Buffer.from(frame)));
      await socket.send(encodeFrames("client", "message", { type: "call", id: randomId(), verb: "killall", tables: [], columns: [], remainingMs: 1_000 }, [], messageBytesMax).map((frame) => Buffer.from(frame)));
      await until("it is refused", async () => (await socket.receive()).some((frame) => frame.includes("killall needs the role admin, and the key of this client has none")));
    }
    expect(await (await connect(controller.address, "ada")).ping()).to.equal("pong");
    expect(await (await connect(controller.address, "ada")).info()).to.deep.include({ refused: 6 });
  });

  it("reads nothing of peers without CURVE, with PLAIN, with an unknown key, or with random bytes, and stays up", async () => {
    const ada = makeKey("ada", ["client"]);
    const controller = await start();
    const { endpoint, publicKey } = splitAddress(controller.address);
    const rpc = await connect(controller.address, "ada");
    const hostile = [{}, { plainUsername: "admin", plainPassword: "admin" }, curveOf(makeKeyPair(), publicKey!), curveOf(ada, makeKeyPair().publicKey)];
    const sockets = hostile.map((options) => rawDealer(endpoint, options));
    const queue = async (socket: (typeof sockets)[number]): Promise<void> => {
      for (let count = 0; count < 10; count++) await socket.send([Buffer.from("bqc\x01"), Buffer.alloc(1_000)]);
    };
    // Queued for a connection that never is complete; were it read, it would count as malformed. One that is refused meanwhile takes no
    // more: what waits for room there then ends with the socket.
    for (const socket of sockets) queue(socket).catch(() => undefined);
    const garbage = connectSocket({ host: "127.0.0.1", port: Number(new URL(endpoint).port) });
    opened.push({ close: () => { garbage.destroy(); } });
    garbage.on("error", () => undefined).write(randomBytes(4_096));
    await until("each was refused", async () => (await rpc.info()).refused >= sockets.length);
    expect(await rpc.info()).to.deep.include({ malformed: 0, clients: 1 });
    expect(refusalsOf(controller).map(({ peer }) => peer)).to.have.members(["127.0.0.1", "a peer without CURVE keys"]);
  });

  it("gives nobody the session of another, whose id it knows", async () => {
    const [ada, eve] = [makeKey("ada", ["client"]), makeKey("eve", ["client"])];
    const controller = await start();
    const clientId = randomId();
    function hello(keys: KeyPair): { heard: string[]; ping(): void } {
      const heard: string[] = [];
      const dealer = connectDealer({ address: controller.address, channel: "client", messageBytesMax, keys, onMessage: ({ type }) => { if (type !== "heartbeat") heard.push(type); }, onMalformed: (error) => { throw error; } });
      opened.push(dealer);
      dealer.send({ type: "hello", clientId, version: "test" });
      return { heard, ping: () => { dealer.send({ type: "call", id: randomId(), verb: "ping", tables: [], columns: [], remainingMs: 1_000 }); } };
    }
    const first = hello(ada);
    await until("ada is welcome", () => first.heard.length === 1);
    const second = hello(eve);
    second.ping();
    await until("eve is refused", () => second.heard.length === 1);
    first.ping();
    await until("ada is answered", () => first.heard.length === 2);
    expect([first.heard, second.heard]).to.deep.equal([["welcome", "result"], ["error"]]);
    const again = hello(ada);
    await until("ada may connect again", () => again.heard.length === 1);
  });

  it("takes new keys after reload, and ends the sessions of those that are gone", async () => {
    makeKey("ada", ["client"]);
    const controller = await start();
    const ada = await connect(controller.address, "ada");
    expect(await ada.ping()).to.equal("pong");
    const eveLine = createKeyFile(path("eve"), { name: "eve", roles: new Set(["client"]) });
    expect((await failureOf(async () => (await connect(controller.address, "eve")).ping())).code).to.equal("FORBIDDEN");
    writeFileSync(path("authorized_keys"), `${eveLine}\n`);
    controller.reload(controller.config);
    const changes = (): readonly object[] => controller.events.filter(({ event }) => event === "keys.changed");
    const [change] = changes() as readonly { keys: number; added: string[]; removed: string[] }[];
    expect([change!.keys, ...change!.added, ...change!.removed].join("; ")).to.match(/^1; client [0-9a-f]{8} eve; client [0-9a-f]{8} ada$/);
    const eve = await connect(controller.address, "eve");
    expect(await eve.info()).to.deep.include({ clients: 1 });
    // What it says on the connection that it still has is not read.
    const refused = controller.events.length;
    expect((await failureOf(() => ada.ping({ timeout: 20 }))).code).to.equal("FORBIDDEN");
    expect(controller.events.slice(refused).filter(({ reason }) => String(reason).includes("proves no key"))).to.deep.equal([]);
    controller.reload(controller.config);
    expect(changes(), "what is as before").to.have.length(1);
  });

  it("keeps its keys and all else when reload finds a bad line, and applies changed roles to sessions that are open", async () => {
    const ada = makeKey("ada", ["client", "admin"]);
    const node = makeKey("node", ["node"]);
    const controller = await start();
    const rpc = await connect(controller.address, "ada");
    const worker = register(controller.address, node);
    await until("the worker is taken", async () => (await rpc.info()).workers.length === 1 && worker.heard.length > 0);
    writeFileSync(path("authorized_keys"), "everybody\n");
    const { attemptsMax } = controller.config;
    expect(await failureOf(() => { controller.reload({ ...controller.config, attemptsMax: attemptsMax + 1 }); })).to.have.property("message").that.matches(/^line 1 of .*authorized_keys: /);
    expect(controller.look().state.options.attemptsMax).to.equal(attemptsMax);
    expect(await rpc.ping()).to.equal("pong");
    writeFileSync(path("authorized_keys"), `client ${ada.publicKey}\nclient ${node.publicKey}\n`);
    controller.reload(controller.config);
    expect((await rpc.info()).workers).to.deep.equal([]);
    expect((await failureOf(() => rpc.killall())).code).to.equal("FORBIDDEN");
  });

  it("is told of by a worker's links that it refuses, once, and is tried until it knows the key", async () => {
    const line = createKeyFile(path("late"), { name: "late", roles: new Set(["node"]) });
    const controller = await start();
    const { log, events } = createSilentLog();
    const linked: string[] = [];
    controller.registry.list(controller.address, `tcp://127.0.0.1:1`);
    const links = await openLinks({
      registry: controller.registry, controllers: [], messageBytesMax, keys: readKeyFile(path("late")), refreshMs: 60_000, log,
      onLinked: (link) => { linked.push(link); }, onUnlinked: () => undefined, onMessage: () => undefined,
    });
    opened.push(links);
    await until("it was refused twice", () => refusalsOf(controller).length === 1 && events.length > 0);
    expect(events.map(({ event, address }) => [event, address])).to.deep.equal([["peer.refused", shortAddress(controller.address)]]);
    appendFileSync(path("authorized_keys"), `${line}\n`);
    controller.reload(controller.config);
    await until("it is linked", () => linked.length === 1);
    expect(linked).to.deep.equal([controller.address]);
  });

  it("takes a downloader by a key with the role node alone, and as soon as it has that", async () => {
    const { publicKey } = makeKey("fetching", ["client"]);
    const controller = await start();
    const { log, events } = createSilentLog();
    const presence = await openPresence({
      config: configOf({ key_file: path("fetching") }), log, registry: controller.registry, role: "downloader", describeDoing: () => null, onShutdown: () => undefined,
    });
    opened.push({ close: () => presence.close("the test is over") });
    await until("it was refused", () => events.some(({ event }) => event === "peer.refused"));
    expect(events.find(({ event }) => event === "peer.refused")!["reason"]).to.match(/^a downloader needs the role node, and its key has client; /);
    expect([presence.isConnected(), refusalsOf(controller)[0]!["reason"]]).to.deep.equal([false, "it may not serve as a downloader"]);
    writeFileSync(path("authorized_keys"), `node ${publicKey}\n`);
    controller.reload(controller.config);
    await until("it is taken", () => presence.isConnected());
  });

  it("is tried by a worker without keys in vain, which says what to set, and goes on with others", async () => {
    const controller = await start();
    const { log } = createSilentLog();
    const open = await startController({ config: configOf({}), log, registry: createFakeRegistry() });
    opened.push({ close: () => open.stop("the test is over") });
    const told = createSilentLog();
    const linked: string[] = [];
    controller.registry.list(controller.address, open.address);
    opened.push(await openLinks({
      registry: controller.registry, controllers: [], messageBytesMax, refreshMs: 60_000, log: told.log,
      onLinked: (link) => { linked.push(link); }, onUnlinked: () => undefined, onMessage: () => undefined,
    }));
    await until("the open one is linked", () => linked.includes(open.address));
    expect(told.events).to.have.length(1);
    expect(told.events[0]).to.deep.include({ event: "peer.refused", address: shortAddress(controller.address) });
  });

  it("starts and stops again and again, two at a time, and leaves no socket", async () => {
    makeKey("ada", ["client"]);
    makeKey("server", [], false);
    for (let count = 0; count < 5; count++) {
      const [one, two] = [await start({ key_file: path("server") }), await start({ key_file: path("server") })];
      const rpc = await connect(one.address, "ada");
      expect(await rpc.ping()).to.equal("pong");
      await rpc.close();
      await Promise.all([one.stop("enough"), two.stop("enough")]);
      await until("all sockets are closed", () => openSocketCount() === 0);
    }
  });

  it("needs its key file, and authorized_keys needs one", async () => {
    expect((await failureOf(() => start({ key_file: path("none") }))).message).to.match(/^key_file .*none cannot be read: /);
    makeKey("server", [], false);
    writeFileSync(path("authorized_keys"), "client x\n");
    expect((await failureOf(() => start({ key_file: path("server") }))).message).to.match(/^line 1 of .*authorized_keys: no public key/);
    const { log } = createSilentLog();
    const failure = await failureOf(() => startController({ config: configOf({ authorized_keys: path("authorized_keys") }), log, registry: createFakeRegistry() }));
    expect(failure.message).to.match(/^authorized_keys is set and key_file is not, /);
  });

  it("may listen for other machines, under the name it advertises", async () => {
    makeKey("ada", ["client"]);
    const { address, registry } = await start({ bind: "0.0.0.0", advertise: "localhost" });
    expect(address).to.match(/^tcp:\/\/localhost:\d+\/[0-9a-f]{64}$/);
    expect((await registry.controllers())[0]!.address).to.equal(address);
    expect(await (await connect(address, "ada")).ping()).to.equal("pong");
    expect((await failureOf(() => start({ key_file: path("server"), bind: "0.0.0.0" }))).message).to.match(/^bind is 0\.0\.0\.0, which is no address that others could connect to; set advertise/);
  });

  it("is not needed on loopback, and elsewhere only with insecure, which is warned of", async () => {
    const { log, events } = createSilentLog();
    const open = (flags: Record<string, string>): Promise<RunningController> => startController({ config: configOf({ bind: "0.0.0.0", advertise: "127.0.0.1", ...flags }), log, registry: createFakeRegistry() });
    const failure = await failureOf(() => open({}));
    expect([failure.code, failure.message]).to.deep.equal(["CONFIG", "bind is 0.0.0.0, which other machines can reach, and there are no keys to tell them apart; set key_file (bqueryd keygen makes one), or insecure = true where everybody may do everything"]);
    const controller = await open({ insecure: "true" });
    opened.push({ close: () => controller.stop("the test is over") });
    expect(events.map(({ event, bind }) => [event, bind])).to.deep.equal([["controller.insecure", "0.0.0.0"]]);
    expect(await (await connect(controller.address)).ping()).to.equal("pong");
  });

  function curveOf(keys: KeyPair, serverKey: string): SocketOptions<RawDealer> {
    const z85 = (hex: string): string => encodeZ85(Buffer.from(hex, "hex"));
    return { curvePublicKey: z85(keys.publicKey), curveSecretKey: encodeZ85(keys.secret()), curveServerKey: z85(serverKey) };
  }

  function rawDealer(endpoint: string, options: SocketOptions<RawDealer>): RawDealer {
    const socket = new RawDealer({ linger: 0, receiveTimeout: 5_000, ...options });
    opened.push(socket);
    socket.connect(endpoint);
    return socket;
  }
});
