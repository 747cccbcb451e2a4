import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { openLinks, type Links } from "../../lib/cluster/links.js";
import { bindRouter, type Router } from "../../lib/wire/router.js";
import { openSocketCount } from "../../lib/wire/sockets.js";
import { createFakeRegistry, type FakeRegistry } from "../support/fake-registry.js";
import { createSilentLog } from "../support/silent-log.js";
import { until } from "../support/until.js";

describe("worker links", () => {
  const routers: Router[] = [];
  const { log, events } = createSilentLog();
  let registry: FakeRegistry;
  let links: Links | undefined;
  let up: string[] = [];
  let received: string[] = [];
  let peers: string[] = [];

  beforeEach(() => {
    registry = createFakeRegistry();
    [up, received, peers, events.length] = [[], [], [], 0];
  });

  afterEach(async () => {
    await links?.close();
    links = undefined;
    await Promise.all(routers.splice(0).map((router) => router.close()));
    expect(openSocketCount()).to.equal(0);
  });

  async function startRouter(port = 0): Promise<Router> {
    const router = await bindRouter({
      bind: "127.0.0.1", port, messageBytesMax: 1_000_000,
      onMessage: (peer, { header }) => {
        peers.push(peer);
        received.push(header.type);
      },
      onUnreachable: () => undefined,
      onMalformed: () => undefined,
    });
    routers.push(router);
    return router;
  }

  async function open(controllers: string[] = [], refreshMs = 60_000): Promise<Links> {
    links = await openLinks({
      registry, controllers, messageBytesMax: 1_000_000, refreshMs, log,
      onLinked: (link) => { up.push(link); },
      onUnlinked: (link) => { up = up.filter((other) => other !== link); },
      onMessage: (link, header) => { received.push(`${link} ${header.type}`); },
    });
    return links;
  }

  it("connects to the controllers of the configuration without asking the registry", async () => {
    const router = await startRouter();
    registry.isLost = true;
    const { send } = await open([router.address]);
    await until("it is linked", () => up.length === 1);
    send(router.address, { type: "heartbeat" }, []);
    await until("the controller heard", () => received.includes("heartbeat"));
    router.send(peers[0]!, "worker", { type: "heartbeat", known: true });
    await until("the controller answered", () => received.includes(`${router.address} heartbeat`));
  });

  it("follows controllers that come to the registry", async () => {
    const [first, second] = [await startRouter(), await startRouter()];
    await open();
    registry.list(first.address);
    await until("the first is linked", () => up.length === 1);
    registry.list(first.address, second.address);
    await until("both are linked", () => up.length === 2);
    expect(up).to.have.members([first.address, second.address]);
  });

  it("keeps a controller that the registry lost while it talks, and gives it up when it is gone", async () => {
    const router = await startRouter();
    registry.list(router.address);
    await open();
    await until("it is linked", () => up.length === 1);
    registry.list();
    await links!.reconnect("tcp://127.0.0.1:1");
    expect(up).to.have.lengthOf(1);
    await router.close();
    await until("it is given up", () => up.length === 0 && openSocketCount() === 0);
  });

  it("tells of a controller that went and came back at its address", async () => {
    const router = await startRouter();
    await open([router.address]);
    await until("it is linked", () => up.length === 1);
    await router.close();
    await until("it is unlinked", () => up.length === 0);
    await startRouter(Number(new URL(router.address).port));
    await until("it is linked again", () => up.length === 1);
  });

  it("makes a new connection to a controller that fell silent", async () => {
    const router = await startRouter();
    const { send, reconnect } = await open([router.address]);
    await until("it is linked", () => up.length === 1);
    send(router.address, { type: "heartbeat" }, []);
    await until("the controller heard", () => peers.length === 1);
    await reconnect(router.address);
    await until("it is linked again", () => up.length === 2);
    send(router.address, { type: "heartbeat" }, []);
    await until("the controller heard again", () => peers.length === 2);
    expect(peers[1]).to.not.equal(peers[0]);
  });

  it("goes on with the controllers it knows while the registry is away, and logs that once", async () => {
    const router = await startRouter();
    registry.list(router.address);
    await open([], 10);
    await until("it is linked", () => up.length === 1);
    registry.isLost = true;
    await until("the loss is logged", () => events.length === 1);
    registry.isLost = false;
    await until("the return is logged", () => events.length === 2);
    expect(events.map(({ event }) => event)).to.deep.equal(["registry.lost", "registry.restored"]);
    expect(up).to.deep.equal([router.address]);
  });
});
