import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { randomId } from "../../lib/base/clock.js";
import { connect } from "../../lib/client/connect.js";
import { openRegistry } from "../../lib/registry/open.js";
import { bindRouter, type Router } from "../../lib/wire/router.js";
import { failureOf } from "../support/failure.js";
import { startRedis, type RedisServer } from "../support/redis.js";
import { controllerRecord } from "../support/registry-suite.js";

/** A controller that welcomes clients and answers every call with its name. */
async function startDouble(name: string): Promise<Router> {
  const router: Router = await bindRouter({
    bind: "127.0.0.1", port: { first: 15_400, last: 15_499 }, messageBytesMax: 2 ** 20, onUnreachable: () => undefined, onMalformed: () => undefined,
    onMessage: (peer, { channel, header }) => {
      if (channel !== "client") return;
      if (header.type === "hello") router.send(peer, "client", { type: "welcome", controllerId: randomId(), node: "here", version: "0", heartbeatMs: 50, expiryMs: 500 });
      if (header.type === "heartbeat") router.send(peer, "client", { type: "heartbeat", known: true });
      if (header.type === "call") router.send(peer, "client", { type: "result", id: header.id, value: name, cost: null, queuedMs: 0, workers: 0, retries: 0 });
    },
  });
  return router;
}

describe("a client of a registry in Redis", () => {
  let server: RedisServer;
  let folder: string;
  beforeEach(async () => {
    server = await startRedis();
    folder = mkdtempSync(join(tmpdir(), "bqueryd-client-"));
  });
  afterEach(async () => {
    await server.remove();
    rmSync(folder, { recursive: true });
  });

  it("finds its controller there, and another one that it knew of when both that and the server are gone", async () => {
    const doubles = new Map<string, Router>();
    const registry = await openRegistry({ redisUrl: server.url, registryDir: folder, cluster: "default" });
    for (const name of ["first", "second"]) {
      const router = await startDouble(name);
      doubles.set(name, router);
      await registry.announce(controllerRecord({ address: router.address }), 60_000);
    }
    await registry.close();
    const rpc = await connect({ redis_url: server.url, timeout: 20 });
    const answered = String(await rpc.ping());
    await server.kill();
    await doubles.get(answered)!.close();
    doubles.delete(answered);
    expect(await rpc.ping()).to.equal([...doubles.keys()][0]);
    await rpc.close();
    for (const router of doubles.values()) await router.close();
  });

  it("says where it has looked, without the password", async () => {
    const failure = await failureOf(() => connect({ redis_url: server.url }));
    expect(failure).to.include({ code: "NO_CONTROLLER", message: `no controller is up in ${server.url}; start one with bqueryd up` });
    await server.kill();
    expect(await failureOf(() => connect({ redis_url: server.url.replace("//", "//:hunter2@") }))).to.include({ code: "REGISTRY_UNAVAILABLE" }).and.satisfy(({ message }: Error) => !message.includes("hunter2"));
    expect((await failureOf(() => connect({ registry_dir: folder }))).message, "the folder that is named").to.contain(folder);
  });
});
