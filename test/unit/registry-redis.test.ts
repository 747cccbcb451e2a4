import { createServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { monotonicMs } from "../../lib/base/clock.js";
import { openRedisRegistry } from "../../lib/registry/redis.js";
import type { RegistryChange } from "../../lib/registry/registry.js";
import { failureOf } from "../support/failure.js";
import { startRedis, type RedisServer } from "../support/redis.js";
import { controllerRecord, describeRegistry } from "../support/registry-suite.js";
import { everywhere, ticketPlan } from "../support/ticket-suite.js";
import { until } from "../support/until.js";

describe("redis registry over a server", () => {
  let server: RedisServer;
  before(async () => { server = await startRedis(); });
  after(async () => { await server.remove(); });

  describeRegistry("redis registry", async () => {
    await server.ask("FLUSHALL");
    return {
      open: (cluster) => openRedisRegistry({ redisUrl: server.url, cluster }),
      async empty() { await server.ask("FLUSHALL"); },
      async remove() { await server.ask("FLUSHALL"); },
    };
  });

  it("writes keys that redis-cli shows, under the names of the original in the cluster 'default', and one time to live", async () => {
    const registry = await openRedisRegistry({ redisUrl: server.url, cluster: "default" });
    const record = controllerRecord();
    await registry.announce(record, 60_000);
    await registry.movePointers([{ table: "a.bcolz", generation: "a".repeat(64) }], 0);
    expect(await server.ask("HGET", "bqueryd_controllers", record.id)).to.match(/\n\d{13} \{.*"address":"tcp:.*\}$/);
    expect(await server.ask("HGET", "bqueryd_pointers", "a.bcolz")).to.match(/\n\d+ a{64}$/);
    expect(await server.ask("GET", "bqueryd_epoch")).to.match(/\n\d+$/);
    const plan = ticketPlan();
    await registry.tickets.create(plan, everywhere(plan));
    for (const [field, text] of [["state", "active"], ["queued", "4"], ["n1 a.bcolz", "queued fence=0"], ["n2 b.bcolz", "queued fence=0"]] as const) {
      expect(await server.ask("HGET", `bqueryd_download_ticket_${plan.id}`, field), field).to.match(new RegExp(`\n${text}$`));
    }
    await registry.close();
    await server.ask("FLUSHALL");
  });

  it("answers in time while the server is stopped, tells watchers, and goes on when it runs again", async () => {
    const registry = await openRedisRegistry({ redisUrl: server.url, cluster: "c1", answerMs: 300 });
    const changes: RegistryChange[] = [];
    registry.watch((change) => { changes.push(change); });
    await registry.announce(controllerRecord(), 60_000);
    await until("the controller is noticed", () => changes.length === 1);
    server.freeze();
    const startMs = monotonicMs();
    const failure = await failureOf(() => registry.controllers());
    expect(failure).to.include({ code: "REGISTRY_UNAVAILABLE" });
    expect(failure.message).to.contain(`127.0.0.1:${server.port}`).and.contain("did not answer within 300 ms");
    expect(monotonicMs() - startMs).to.be.within(250, 20_000);
    await until("the loss is noticed", () => changes.length === 2);
    server.thaw();
    await until("the list can be read again", async () => (await registry.controllers().catch(() => [])).length === 1);
    await until("that is noticed", () => changes.length === 3);
    await registry.close();
    await server.ask("FLUSHALL");
  });

  it("is closed at once while the server is stopped", async () => {
    const registry = await openRedisRegistry({ redisUrl: server.url, cluster: "c1", answerMs: 120_000 });
    registry.watch(() => undefined);
    server.freeze();
    const asking = failureOf(() => registry.controllers());
    const startMs = monotonicMs();
    await registry.close();
    expect(monotonicMs() - startMs).to.be.below(30_000);
    expect(await asking).to.include({ code: "REGISTRY_UNAVAILABLE", message: "the registry is closed; open it again" });
    server.thaw();
  });

  it("says why it cannot be opened, and never the password", async () => {
    const base = server.url.replace(/\/0$/, "");
    const secret = base.replace("redis://", "redis://:hunter2@");
    for (const [redisUrl, wanted] of [["redis://127.0.0.1:1/0", /ECONNREFUSED/], [`${base}/99`, /no database of that number/], [secret, /password/]] as const) {
      const failure = await failureOf(() => openRedisRegistry({ redisUrl, cluster: "c1", answerMs: 1_000 }));
      expect(failure.code).to.equal("REGISTRY_UNAVAILABLE");
      expect(failure.message).to.match(wanted);
      expect(JSON.stringify([failure.message, failure.details, String(failure.cause)])).to.not.contain("hunter2");
    }
    expect(await failureOf(() => openRedisRegistry({ redisUrl: "http://:hunter2@x", cluster: "c1" }))).to.include({ code: "CONFIG" }).and.satisfy(({ message }: Error) => !message.includes("hunter2"));
  });

  it("names a key that something else uses", async () => {
    await server.ask("SADD", "bqueryd_controllers", "tcp://127.0.0.1:14304");
    const failure = await failureOf(() => openRedisRegistry({ redisUrl: server.url, cluster: "default" }));
    expect(failure.message).to.contain("used by something else").and.contain("WRONGTYPE");
    await server.ask("FLUSHALL");
    for (const [key, field, value] of [["c1:bqueryd_controllers", "x", "junk"], ["c1:bqueryd_controllers", "x", "9999999999999 {}"], ["c1:bqueryd_pointers", "a.bcolz", "x"]] as const) {
      await server.ask("HSET", key, field, value);
      const foreign = await failureOf(async () => {
        const registry = await openRedisRegistry({ redisUrl: server.url, cluster: "c1" });
        await registry.pointers().finally(() => registry.close());
      });
      expect(foreign.message).to.contain(key).and.contain("not one of this release");
      await server.ask("FLUSHALL");
    }
  });

  it("says when the server is full, a replica, or asks for a password", async () => {
    const registry = await openRedisRegistry({ redisUrl: server.url, cluster: "c1" });
    for (const [setting, value, undo, wanted] of [["maxmemory", "1", "0", /memory is full/], ["requirepass", "x", "", /password/]] as const) {
      const key = ["CONFIG", "SET", setting];
      await server.ask(...key, value);
      const other = setting === "requirepass" ? openRedisRegistry({ redisUrl: server.url, cluster: "c1" }) : registry.announce(controllerRecord(), 1_000);
      expect((await failureOf(() => other)).message).to.match(wanted);
      if (setting === "maxmemory") await server.ask(...key, undo);
    }
    const withPassword = await openRedisRegistry({ redisUrl: server.url.replace("redis://", "redis://:x@"), cluster: "c1" });
    expect(await withPassword.controllers()).to.deep.equal([]);
    await withPassword.close();
    await registry.close();
    await server.kill();
    await server.start();
    const again = await openRedisRegistry({ redisUrl: server.url, cluster: "c1" });
    await server.ask("REPLICAOF", "127.0.0.1", "1");
    expect((await failureOf(() => again.announce(controllerRecord(), 1_000))).message).to.contain("replica");
    await server.ask("REPLICAOF", "NO", "ONE");
    await again.close();
  });

  it("comes back by itself after the server was killed, and finds it empty", async () => {
    const registry = await openRedisRegistry({ redisUrl: server.url, cluster: "c1" });
    const changes: RegistryChange[] = [];
    registry.watch((change) => { changes.push(change); });
    await registry.announce(controllerRecord(), 60_000);
    await until("the controller is noticed", () => changes.length === 1);
    await server.kill();
    expect(await failureOf(() => registry.controllers())).to.include({ code: "REGISTRY_UNAVAILABLE" });
    await until("the loss is noticed", () => changes.length >= 2);
    await server.start();
    await until("it answers again", async () => (await registry.controllers().catch(() => undefined))?.length === 0);
    await until("that is noticed", () => changes.length >= 3);
    await registry.close();
  });
});

describe("redis registry over something that is no server", () => {
  for (const [what, reply] of [["junk", "hello\r\n"], ["what was not asked", "+OK\r\n"], ["numbers", "*2\r\n:1\r\n:2\r\n"], ["nothing", ""]] as const) {
    it(`fails in time when that answers ${what}`, async () => {
      const sockets = new Set<Socket>();
      const listener = createServer((socket) => {
        sockets.add(socket);
        socket.on("error", () => undefined).on("data", () => { socket.write(reply); });
      });
      listener.listen(0, "127.0.0.1");
      await once(listener, "listening");
      const { port } = listener.address() as AddressInfo;
      const failure = await failureOf(() => openRedisRegistry({ redisUrl: `redis://127.0.0.1:${port}`, cluster: "c1", answerMs: 300 }));
      expect(failure.code).to.equal("REGISTRY_UNAVAILABLE");
      for (const socket of sockets) socket.destroy();
      listener.close();
    });
  }
});
