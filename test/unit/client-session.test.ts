import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect } from "chai";
import { afterEach, describe, it } from "mocha";
import { randomId } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { connect } from "../../lib/client/connect.js";
import { Session, type Call } from "../../lib/client/session.js";
import { bindRouter, type Router } from "../../lib/wire/router.js";
import { failureOf } from "../support/failure.js";
import { until } from "../support/until.js";

/** So long that a slow machine makes a connection meanwhile. */
const expiryMs = 1_200;
const messageBytesMax = 2 ** 20;

/** A controller that welcomes clients, answers ping, and keeps what it heard. */
interface Double {
  readonly address: string;
  readonly heard: string[];
}

describe("a client's session", () => {
  const closers: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  async function startDouble(answers: boolean): Promise<Double> {
    const heard: string[] = [];
    const router: Router = await bindRouter({
      bind: "127.0.0.1", port: { first: 15_300, last: 15_399 }, messageBytesMax,
      onUnreachable: () => undefined, onMalformed: () => undefined,
      onMessage: (peer, { channel, header }) => {
        if (channel !== "client") return;
        heard.push(header.type);
        if (!answers) return;
        if (header.type === "hello") router.send(peer, "client", { type: "welcome", controllerId: randomId(), node: "here", version: "0", heartbeatMs: 50, expiryMs });
        if (header.type === "heartbeat") router.send(peer, "client", { type: "heartbeat", known: true });
        if (header.type === "call" && header.verb === "ping") router.send(peer, "client", { type: "result", id: header.id, value: "pong", cost: null, queuedMs: 0, workers: 0, retries: 0 });
      },
    });
    closers.push(() => router.close());
    return { address: router.address, heard };
  }

  function open(addresses: readonly string[]): Session {
    const session = new Session({ findControllers: () => Promise.resolve(addresses), messageBytesMax, expiryMs });
    closers.push(() => session.close());
    return session;
  }

  function call(verb: Call["verb"], more: Partial<Call> = {}): Call {
    return { verb, tables: [], columns: [], body: [], isSafe: true, timeoutMs: 10_000, ...more };
  }

  it("says with every call the highest epoch that an answer has carried", async () => {
    const asked: (number | undefined)[] = [];
    const answered = [undefined, 3, 5, 4, undefined];
    const router: Router = await bindRouter({
      bind: "127.0.0.1", port: { first: 15_300, last: 15_399 }, messageBytesMax, onUnreachable: () => undefined, onMalformed: () => undefined,
      onMessage: (peer, { channel, header }) => {
        if (channel !== "client") return;
        if (header.type === "hello") router.send(peer, "client", { type: "welcome", controllerId: randomId(), node: "here", version: "0", heartbeatMs: 50, expiryMs });
        if (header.type !== "call") return;
        const epoch = answered[asked.length];
        asked.push(header.epoch);
        router.send(peer, "client", { type: "accepted", id: header.id, queryId: randomId(), attempt: 1, shards: [], ...(epoch === undefined ? {} : { epoch }) });
        router.send(peer, "client", { type: "result", id: header.id, value: null, cost: null, queuedMs: 0, workers: 0, retries: 0 });
      },
    });
    closers.push(() => router.close());
    const session = open([router.address]);
    while (asked.length < answered.length) await session.ask(call("groupby"));
    expect(asked).to.deep.equal([undefined, undefined, 3, 5, 5]);
  });

  it("says which address nobody answers at, and does not ask there again", async () => {
    const silent = await startDouble(false);
    const failure = await failureOf(() => open([silent.address]).ask(call("ping")));
    expect(failure).to.include({ code: "NO_CONTROLLER" }).and.to.have.property("message").that.contains(silent.address);
    expect(silent.heard.filter((type) => type === "call")).to.have.length(1);
  });

  it("refuses options that it does not know or cannot use", async () => {
    const live = await startDouble(true);
    const rpc = await connect({ controllers: [live.address] });
    closers.push(() => rpc.close());
    const nonsense: unknown[] = [null, 5, { timout: 4 }, { signal: 5 }, { timeout: "soon" }];
    for (const options of nonsense) expect(await failureOf(() => Reflect.apply(rpc.ping, rpc, [options])), JSON.stringify(options)).to.have.property("code", "USAGE");
    expect(await failureOf(() => Reflect.apply(rpc.groupby, rpc, ["t", ["k"], [], [], { signal: 5 }]))).to.have.property("code", "USAGE");
    expect(await rpc.ping()).to.equal("pong");
    expect(await failureOf(() => Reflect.apply(connect, undefined, [{ controllers: 5 }]))).to.have.property("code", "USAGE");
    const byText = await connect({ controllers: live.address });
    closers.push(() => byText.close());
    expect(await byText.ping()).to.equal("pong");
  });

  it("goes on to every other controller when some are silent", async () => {
    const silent = await Promise.all([startDouble(false), startDouble(false), startDouble(false)]);
    const live = await startDouble(true);
    const session = open([...silent, live].map(({ address }) => address));
    expect(await session.ask(call("ping"))).to.include({ value: "pong" });
    expect(live.heard.filter((type) => type === "call")).to.have.length(1);
  });

  function openFinding(find: () => Promise<readonly string[]>): Session {
    const session = new Session({ findControllers: find, messageBytesMax, expiryMs });
    closers.push(() => session.close());
    return session;
  }

  it("looks again for a while when the controller that it had met is not listed any more", async () => {
    let listed: readonly string[] = [(await startDouble(true)).address];
    let looks = 0;
    const session = openFinding(async () => {
      looks += 1;
      if (looks > 2 && listed.length === 0) listed = [(await startDouble(true)).address];
      if (listed.length === 0) throw new BquerydError("NO_CONTROLLER", "none is up");
      return listed;
    });
    await session.ask(call("ping"));
    listed = [];
    await closers.splice(0, 1)[0]?.();
    await until("the end of the controller is noticed", async () => (await session.ask(call("ping"))).value === "pong" && looks > 2);
  });

  it("says that no controller is up when none comes back, within its own time too", async () => {
    let isUp = true;
    let looks = 0;
    const live = await startDouble(true);
    const session = openFinding(() => {
      looks += 1;
      return isUp ? Promise.resolve([live.address]) : Promise.reject(new BquerydError("NO_CONTROLLER", "none is up"));
    });
    await session.ask(call("ping"));
    isUp = false;
    const lost = failureOf(() => session.ask(call("info")));
    await closers.splice(0, 1)[0]?.();
    expect(await lost).to.have.property("code", "NO_CONTROLLER");
    expect(looks).to.be.above(2);
    expect(await failureOf(() => session.ask(call("ping", { timeoutMs: 1 })))).to.have.property("code", "NO_CONTROLLER");
  });

  it("says at once that no controller is up when it has met none", async () => {
    let looks = 0;
    const session = openFinding(() => {
      looks += 1;
      return Promise.reject(new BquerydError("NO_CONTROLLER", "none is up"));
    });
    expect(await failureOf(() => session.ask(call("ping")))).to.have.property("code", "NO_CONTROLLER");
    expect(looks).to.equal(1);
  });

  it("of a thread that ends after it was closed leaves the process alive", async () => {
    const live = await startDouble(true);
    const connectUrl = new URL("../../lib/client/connect.js", import.meta.url).href;
    const thread = `import("${connectUrl}").then(async ({ connect }) => {
      const rpc = await connect({ controllers: ["${live.address}"] });
      await rpc.ping();
      await rpc.close();
      require("node:worker_threads").parentPort.postMessage("closed");
      setInterval(() => undefined, 1_000);
    });`;
    const program = `const { Worker } = require("node:worker_threads");
      const thread = new Worker(${JSON.stringify(thread)}, { eval: true });
      thread.on("message", () => thread.terminate().then(() => process.stdout.write("alive")));`;
    const { stdout } = await promisify(execFile)(process.execPath, ["-e", program]);
    expect(stdout).to.equal("alive");
  });

  it("fails a call that is too large alone, on the connection it has", async () => {
    const live = await startDouble(true);
    const session = open([live.address]);
    await session.ask(call("ping"));
    const failure = await failureOf(() => session.ask(call("groupby", { body: [new Uint8Array(2 * messageBytesMax)] })));
    expect(failure).to.be.instanceOf(BquerydError).with.property("code", "MEMORY_LIMIT");
    await session.ask(call("ping"));
    expect(live.heard.filter((type) => type === "hello")).to.have.length(1);
  });

  it("connects again and asks again when its controller has forgotten it", async () => {
    const calls: string[] = [];
    const router = await bindRouter({
      bind: "127.0.0.1", port: { first: 15_300, last: 15_399 }, messageBytesMax,
      onUnreachable: () => undefined, onMalformed: () => undefined,
      onMessage: (peer, { channel, header }) => {
        if (channel === "client" && header.type === "hello") router.send(peer, "client", { type: "welcome", controllerId: randomId(), node: "here", version: "0", heartbeatMs: 50, expiryMs });
        if (channel !== "client" || header.type !== "call") return;
        if (!calls.includes(peer)) calls.push(peer);
        if (calls.length === 1) router.send(peer, "client", { type: "heartbeat", known: false });
        else router.send(peer, "client", { type: "result", id: header.id, value: "pong", cost: null, queuedMs: 0, workers: 0, retries: 0 });
      },
    });
    closers.push(() => router.close());
    const session = open([router.address]);
    expect(await Promise.all([session.ask(call("ping")), session.ask(call("ping"))])).to.have.length(2);
    expect(calls).to.have.length(2);
  });

  it("cancels a call where it was sent, by signal and by time", async () => {
    const live = await startDouble(true);
    const session = open([live.address]);
    const abort = new AbortController();
    const asked = session.ask(call("info", { signal: abort.signal }));
    await session.ask(call("ping"));
    abort.abort();
    expect(await failureOf(() => asked)).to.have.property("code", "CANCELLED");
    expect(await failureOf(() => session.ask(call("info", { timeoutMs: 1 })))).to.have.property("code", "DEADLINE");
    await session.ask(call("ping"));
    expect(live.heard.filter((type) => type === "cancel")).to.have.length(2);
  });

  it("takes a controller for alive when it was itself too busy to listen", async () => {
    const live = await startDouble(true);
    const session = open([live.address]);
    await session.ask(call("ping"));
    const asked = session.ask(call("ping", { isSafe: false }));
    const endMs = performance.now() + 2 * expiryMs;
    while (performance.now() < endMs);
    expect(await asked).to.include({ value: "pong" });
    expect(live.heard.filter((type) => type === "hello")).to.have.length(1);
  });
});
