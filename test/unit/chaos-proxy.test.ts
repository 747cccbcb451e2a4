import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { monotonicMs } from "../../lib/base/clock.js";
import { startChaosProxy, type ChaosProxy } from "../support/chaos-proxy.js";
import { until } from "../support/until.js";

describe("chaos proxy", () => {
  let server: Server;
  let proxy: ChaosProxy;
  let client: Socket;
  let [atServer, atClient] = ["", ""];
  let isEnded = false;

  beforeEach(async () => {
    [atServer, atClient, isEnded] = ["", "", false];
    server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (bytes) => {
        atServer += bytes.toString();
        socket.write(`re:${bytes.toString()}`);
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    proxy = await startChaosProxy(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`);
    client = open();
    client.write("a");
    await until("the first answer is there", () => atClient === "re:a");
  });

  afterEach(async () => {
    client.destroy();
    await proxy.close();
    server.close();
    await once(server, "close");
  });

  function open(): Socket {
    const socket = connect(Number(new URL(proxy.address).port), "127.0.0.1");
    socket.on("error", () => undefined);
    socket.on("close", () => { isEnded = true; });
    return socket.on("data", (bytes) => { atClient += bytes.toString(); });
  }

  it("loses the bytes of one way, and both ends go on believing in the connection", async () => {
    proxy.setMode("swallow-from");
    client.write("b");
    await until("the server has it", () => atServer === "ab");
    proxy.setMode("swallow-to");
    client.write("c");
    proxy.setMode("pass");
    expect([atClient, isEnded, proxy.connections]).to.deep.equal(["re:a", false, 1]);
  });

  it("holds bytes back, lets them through slowly, and changes none", async () => {
    const startMs = monotonicMs();
    proxy.setMode("delay");
    client.write("b");
    await until("the late answer is there", () => atClient === "re:are:b");
    expect(monotonicMs() - startMs).to.be.greaterThan(300);
    proxy.setMode("trickle");
    client.write("c".repeat(2_000));
    await until("all of it has come", () => atServer.length === 2_002);
    proxy.setMode("freeze");
    client.write("d");
    proxy.setMode("pass");
    await until("the last is there", () => atServer.endsWith("d"));
    expect(atServer).to.equal(`ab${"c".repeat(2_000)}d`);
  });

  it("cuts connections, and refuses new ones", async () => {
    proxy.setRefusing(true);
    proxy.cut();
    await until("the client notices", () => isEnded);
    isEnded = false;
    const refused = open();
    await until("the next one is refused", () => isEnded);
    refused.destroy();
    expect(proxy.connections).to.equal(0);
    proxy.setRefusing(false);
    client = open();
    client.write("e");
    await until("it answers again", () => atClient.endsWith("re:e"));
  });
});
