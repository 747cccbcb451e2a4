import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { expect } from "chai";
import { afterEach, describe, it } from "mocha";
import { monotonicMs, randomId } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import type { Channel, Channels } from "../../lib/wire/catalogue.js";
import { connectDealer, type Dealer, type DealerOptions } from "../../lib/wire/dealer.js";
import { decodeFrames, encodeFrames } from "../../lib/wire/frames.js";
import { makeKeyPair, type KeyPair } from "../../lib/wire/keys.js";
import { bindRouter, type Incoming, type Router, type RouterOptions } from "../../lib/wire/router.js";
import { openDealerSocket, openSocketCount, type RawSocket } from "../../lib/wire/sockets.js";
import { until } from "../support/until.js";

const messageBytesMax = 64 * 1024 * 1024;
const id = randomId();
const closers: (() => Promise<void> | void)[] = [];

/** Closes what a test opened; not a hook of the file, which would run after the tests of all files. */
function closeSockets(): void {
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    expect(openSocketCount()).to.equal(0);
  });
}

interface TestRouter extends Router {
  readonly received: { peer: string; message: Incoming }[];
  readonly unreachable: string[];
  readonly malformed: { peer: string; error: BquerydError }[];
  disconnects: number;
}

async function listen(options: Partial<RouterOptions> = {}): Promise<TestRouter> {
  const seen: Pick<TestRouter, "received" | "unreachable" | "malformed" | "disconnects"> = { received: [], unreachable: [], malformed: [], disconnects: 0 };
  const router = await bindRouter({
    bind: "127.0.0.1", port: 0, messageBytesMax,
    onMessage: (peer, message) => { seen.received.push({ peer, message }); },
    onUnreachable: (peer) => { seen.unreachable.push(peer); },
    onMalformed: (peer, error) => { seen.malformed.push({ peer, error }); },
    onDisconnect: () => { seen.disconnects += 1; },
    ...options,
  });
  closers.push(() => router.close());
  return Object.assign(seen, router);
}

interface TestDealer<C extends Channel> extends Dealer<C> {
  readonly received: { header: Channels[C]["reply"]; body: Uint8Array[] }[];
  readonly malformed: BquerydError[];
  /** "connected" and "disconnected", as they happened. */
  readonly connection: string[];
}

function dial<C extends Channel>(address: string, channel: C, options: Partial<DealerOptions<C>> = {}): TestDealer<C> {
  const seen: Pick<TestDealer<C>, "received" | "malformed" | "connection"> = { received: [], malformed: [], connection: [] };
  const dealer = connectDealer({
    address, channel, messageBytesMax,
    onMessage: (header, body) => { seen.received.push({ header, body }); },
    onMalformed: (error) => { seen.malformed.push(error); },
    onConnected: () => { seen.connection.push("connected"); },
    onDisconnected: () => { seen.connection.push("disconnected"); },
    ...options,
  });
  closers.push(() => dealer.close());
  return { ...seen, ...dealer };
}

/** A DEALER without manners: it sends what it is told and reads when it is asked. */
async function dialRaw(router: TestRouter): Promise<{ socket: RawSocket; read: AsyncIterator<Uint8Array[]> }> {
  const socket = openDealerSocket({ frameBytesMax: messageBytesMax, isIpv6: false });
  closers.push(() => socket.close(0));
  const connected = new Promise<void>((resolve) => { socket.on("handshake", resolve); });
  socket.connect(router.address);
  await connected;
  return { socket, read: socket.receive()[Symbol.asyncIterator]() };
}

async function sendRaw({ socket }: { socket: RawSocket }, ...frames: Uint8Array[]): Promise<void> {
  await until("the frames are sent", async () => await socket.send(frames) === "sent");
}

/** The peer of the only message that came. */
async function peerOf(router: TestRouter): Promise<string> {
  await until("a message comes", () => router.received.length > 0);
  return router.received[0]!.peer;
}

describe("sockets", () => {
  closeSockets();

  it("leave timers their turn, however many messages wait that are much work", async () => {
    const count = 400;
    let [read, readInTurn, mostInTurn] = [0, 0, 0];
    let isHeld = true;
    const router = await listen({
      onMessage() {
        if (readInTurn === 0) setImmediate(() => { readInTurn = 0; });
        mostInTurn = Math.max(mostInTurn, ++readInTurn);
        // The first is work for as long as the others come.
        for (const endMs = monotonicMs() + (isHeld ? 200 : 1); monotonicMs() < endMs;);
        isHeld = false;
        read++;
      },
    });
    const raw = await dialRaw(router);
    for (let sent = 0; sent < count; sent++) await sendRaw(raw, ...encodeFrames("client", "message", { type: "cancel", id }, [], messageBytesMax));
    await until("all are read", () => read === count);
    expect(mostInTurn).to.be.within(1, count / 4);
  });

  it("bring a message and its body to the controller, and a reply back, on both channels", async () => {
    const router = await listen();
    const client = dial(router.address, "client");
    const worker = dial(router.address, "worker");
    const body = [Uint8Array.of(1, 2, 3), new Uint8Array(100_000).fill(7)];
    client.send({ type: "cancel", id }, body);
    worker.send({ type: "bye", reason: "stopped" });
    await until("both messages come", () => router.received.length === 2);
    for (const { peer, message } of router.received) {
      if (message.channel === "client") {
        expect(message).to.deep.equal({ channel: "client", header: { type: "cancel", id }, body });
        router.send(peer, "client", { type: "partial", id, attempt: 1, block: { start: 0, size: 1 } }, body);
      } else {
        expect(message).to.deep.equal({ channel: "worker", header: { type: "bye", reason: "stopped" }, body: [] });
        router.send(peer, "worker", { type: "cancelTask", taskId: id });
      }
    }
    await until("both replies come", () => client.received.length === 1 && worker.received.length === 1);
    expect(client.received[0]).to.deep.equal({ header: { type: "partial", id, attempt: 1, block: { start: 0, size: 1 } }, body });
    expect(worker.received[0]).to.deep.equal({ header: { type: "cancelTask", taskId: id }, body: [] });
  });

  it("keep the order of a thousand messages", async () => {
    const router = await listen();
    const client = dial(router.address, "client");
    for (let count = 0; count < 1_000; count++) client.send({ type: "cancel", id }, [Uint8Array.of(count & 255, count >> 8)]);
    await until("all have come", () => router.received.length === 1_000);
    expect(router.received.map(({ message }) => message.body[0]![0]! + 256 * message.body[0]![1]!)).to.deep.equal(Array.from({ length: 1_000 }, (_, index) => index));
  });

  it("keep messages sent before the controller is there", async () => {
    const placeholder = await listen();
    const { address } = placeholder;
    await placeholder.close();
    const client = dial(address, "client");
    client.send({ type: "cancel", id });
    const router = await listen({ port: Number(address.split(":").pop()) });
    await until("the message comes", () => router.received.length === 1);
    expect(client.connection).to.deep.equal(["connected"]);
  });

  it("reconnect by themselves to a restarted controller, as a new peer", async () => {
    const first = await listen();
    const port = Number(first.address.split(":").pop());
    const client = dial(first.address, "client");
    client.send({ type: "heartbeat" });
    const firstPeer = await peerOf(first);
    await first.close();
    await until("the loss is noticed", () => client.connection.length === 2);
    client.send({ type: "cancel", id });
    const second = await listen({ port });
    const secondPeer = await peerOf(second);
    expect(client.connection).to.deep.equal(["connected", "disconnected", "connected"]);
    expect(second.received[0]?.message.header).to.deep.equal({ type: "cancel", id });
    expect(secondPeer).to.not.equal(firstPeer);
  });

  it("tell the controller that a peer is gone, when it is written to", async () => {
    const router = await listen();
    const client = dial(router.address, "client");
    client.send({ type: "heartbeat" });
    const peer = await peerOf(router);
    await client.close();
    await until("the disconnection is noticed", () => router.disconnects === 1);
    // What is written while zeromq takes the peer away may still count as sent.
    await until("the peer is reported", () => {
      if (router.unreachable.length === 0) router.send(peer, "client", { type: "heartbeat", known: true });
      return router.unreachable.length > 0;
    });
    expect(new Set(router.unreachable)).to.deep.equal(new Set([peer]));
    expect(router.queuedBytes(peer)).to.equal(0);
  });

  it("report a peer that never was", async () => {
    const router = await listen();
    router.send("00aabbccdd", "worker", { type: "heartbeat", known: true });
    await until("the peer is reported", () => router.unreachable.length > 0);
    expect(router.unreachable).to.deep.equal(["00aabbccdd"]);
  });

  it("serve everybody while one peer reads nothing, and give that one up at its limit", async () => {
    const router = await listen({ outboxBytesMax: 10_000_000 });
    const stuck = await dialRaw(router);
    await sendRaw(stuck, ...encodeFrames("client", "message", { type: "heartbeat" }, [], messageBytesMax));
    const stuckPeer = await peerOf(router);
    const slice = new Uint8Array(100_000);
    const partial = { type: "partial", id, attempt: 1, block: { start: 0, size: 1 } } as const;
    await until("nothing more goes to the stuck peer", async () => {
      for (let count = 0; count < 20; count++) router.send(stuckPeer, "client", partial, [slice]);
      return router.queuedBytes(stuckPeer) > 4_000_000;
    }, 10_000);

    const client = dial(router.address, "client");
    client.send({ type: "cancel", id });
    await until("the other peer is known", () => router.received.length === 2);
    for (let count = 0; count < 20; count++) router.send(router.received[1]!.peer, "client", partial, [slice]);
    await until("the other peer has its replies", () => client.received.length === 20);

    expect(router.unreachable).to.deep.equal([]);
    // How much still fits into the buffers of the system depends on how soon its threads come round to them.
    await until("the stuck peer is given up", () => {
      for (let count = 0; count < 20; count++) router.send(stuckPeer, "client", partial, [slice]);
      return router.unreachable.length > 0;
    });
    expect(router.unreachable[0]).to.equal(stuckPeer);
  }).timeout(30_000);

  it("make a new connection when the controller takes nothing until the outbox is full", async () => {
    const router = await listen();
    const client = dial(router.address, "client", { outboxBytesMax: 1_000 });
    await until("it is connected", () => client.connection.length === 1);
    client.send({ type: "cancel", id }, [new Uint8Array(2_000)]);
    client.send({ type: "heartbeat" });
    await until("it is connected again", () => client.connection.length === 3);
    client.send({ type: "bye" });
    await until("the last message comes", () => router.received.some(({ message }) => message.header.type === "bye"));
    expect(client.connection).to.deep.equal(["connected", "disconnected", "connected"]);
    expect(router.received.map(({ message }) => message.header.type)).to.deep.equal(["bye"]);
  });

  it("put what was sent on the wire before they close", async () => {
    const router = await listen();
    const client = dial(router.address, "client");
    client.send({ type: "heartbeat" });
    const peer = await peerOf(router);
    for (let count = 0; count < 500; count++) router.send(peer, "client", { type: "partial", id, attempt: 1, block: { start: count, size: 1 } }, [new Uint8Array(10_000)]);
    await router.close();
    await until("all replies come", () => client.received.length === 500);

    const second = await listen();
    const leaving = dial(second.address, "client");
    await until("it is connected", () => leaving.connection.length === 1);
    for (let count = 0; count < 500; count++) leaving.send({ type: "cancel", id }, [new Uint8Array(10_000)]);
    leaving.send({ type: "bye" });
    await leaving.close();
    await until("all messages come", () => second.received.length === 501);
  });

  it("close within their time whoever does not read, and may be closed again", async () => {
    const router = await listen();
    const stuck = await dialRaw(router);
    await sendRaw(stuck, ...encodeFrames("client", "message", { type: "heartbeat" }, [], messageBytesMax));
    const peer = await peerOf(router);
    for (let count = 0; count < 2_000; count++) router.send(peer, "client", { type: "partial", id, attempt: 1, block: { start: 0, size: 1 } }, [new Uint8Array(10_000)]);
    const startMs = monotonicMs();
    await Promise.all([router.close(), router.close()]);
    expect(monotonicMs() - startMs).to.be.below(20_000);
    const nobody = dial("tcp://127.0.0.1:1", "worker");
    nobody.send({ type: "heartbeat" });
    await nobody.close();
  });
});

describe("sockets with keys", () => {
  closeSockets();
  const [server, known] = [makeKeyPair(), makeKeyPair()];
  const guard = { keys: server, admit: (key: string): boolean => key === known.publicKey };

  async function sendLargest(keys: { guard?: typeof guard; keys?: KeyPair }): Promise<void> {
    const router = await listen({ messageBytesMax: 1_000_000, ...(keys.guard === undefined ? {} : { guard: keys.guard }) });
    const client = dial(keys.keys === undefined ? router.address : `${router.address}/${server.publicKey}`, "client", { messageBytesMax: 1_000_000, keys: keys.keys });
    const header = headerOf(1_000_000 - 4);
    expect(() => { client.send(header, [Uint8Array.of(1)]); }).to.throw(BquerydError).with.property("code", "MEMORY_LIMIT");
    client.send(header);
    await until("the largest message comes", () => router.received.length === 1);
    expect(router.received[0]!.message.header).to.deep.equal(header);
    expect(client.connection).to.deep.equal(["connected"]);
  }

  /** A header of so many bytes: one frame, as large as a frame may be. */
  function headerOf(bytes: number): Channels["client"]["message"] {
    const header = (tables: string[]): Channels["client"]["message"] => ({ type: "call", id, verb: "files", tables, columns: [], remainingMs: 1 });
    // A name of 32 to 255 characters takes two bytes besides.
    const tables = Array.from({ length: Math.floor(bytes / 257) - 2 }, () => "t".repeat(255));
    const missing = bytes - encodeFrames("client", "message", header(tables), [], messageBytesMax)[1]!.length - 4;
    tables.push("t".repeat(Math.floor(missing / 2)), "t".repeat(Math.ceil(missing / 2)));
    return header(tables);
  }

  it("carry a message of just the size that is allowed, as those without do", async () => {
    await sendLargest({});
    await sendLargest({ guard, keys: known });
  });

  it("refuse a frame that is larger by more than what keys add", async () => {
    const router = await listen({ messageBytesMax: 100_000, guard });
    const client = dial(`${router.address}/${server.publicKey}`, "client", { keys: known });
    client.send({ type: "cancel", id }, [new Uint8Array(100_001)]);
    await until("it is disconnected", () => client.connection.includes("disconnected"));
    expect(router.received).to.deep.equal([]);
  });

  it("try again when they were refused, and send what waits once they are let in", async () => {
    let isOpen = false;
    let asked = 0;
    const router = await listen({ guard: { keys: server, admit: () => { asked += 1; return isOpen; } } });
    const refusals: BquerydError[] = [];
    const client = dial(`${router.address}/${server.publicKey}`, "client", { keys: known, onRefused: (error) => { refusals.push(error); } });
    client.send({ type: "cancel", id });
    await until("it is refused twice", () => refusals.length >= 2);
    isOpen = true;
    await until("the message comes", () => router.received.length === 1);
    expect(asked).to.equal(refusals.length + 1);
    expect(new Set(refusals.map(({ code }) => code))).to.deep.equal(new Set(["FORBIDDEN"]));
    expect(client.connection).to.deep.equal(["connected"]);
  });

  it("tell of connections that end again and again before they are complete as of a doubt", async () => {
    const stranger = createServer((socket) => { socket.on("error", () => undefined).end("HTTP/1.1 400 Bad Request\r\n\r\n"); }).listen(0, "127.0.0.1");
    closers.push(() => { stranger.close(); });
    await once(stranger, "listening");
    const address = `tcp://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
    const told: Record<"keyed" | "open", { error: BquerydError; isCertain: boolean }[]> = { keyed: [], open: [] };
    dial(`${address}/${server.publicKey}`, "client", { keys: known, onRefused: (error, isCertain) => { told.keyed.push({ error, isCertain }); } });
    dial(address, "client", { onRefused: (error, isCertain) => { told.open.push({ error, isCertain }); } });
    await until("both are told twice", () => told.keyed.length >= 2 && told.open.length >= 2);
    expect([...told.keyed, ...told.open].some(({ isCertain }) => isCertain)).to.equal(false);
    expect(told.keyed[0]!.error).to.include({ code: "FORBIDDEN", message: `${address} does not have the key that its address names; compare it with the one in the address that the controller logs when it starts` });
    expect(told.open[0]!.error).to.include({ code: "NO_CONTROLLER", message: `${address} ends connections before they are complete; look whether it is the address of a controller, and whether that wants a key: then set key_file` });
  });

  it("free what they took when the port is in use", async () => {
    const router = await listen({ guard });
    const failure = await listen({ guard, port: Number(new URL(router.address).port) }).catch((cause: unknown) => cause);
    expect(failure).to.be.instanceOf(BquerydError).with.property("code", "PORT_IN_USE");
    await router.close();
    expect(openSocketCount()).to.equal(0);
  });

  it("read nothing more of a peer that is shut out", async () => {
    const router = await listen({ guard });
    const [one, two] = [0, 1].map(() => dial(`${router.address}/${server.publicKey}`, "client", { keys: known }));
    one!.send({ type: "heartbeat" });
    router.shutOut(await peerOf(router));
    one!.send({ type: "bye" });
    two!.send({ type: "bye" });
    await until("the other is read", () => router.received.length === 2);
    one!.send({ type: "heartbeat" });
    two!.send({ type: "heartbeat" });
    await until("the other is read again", () => router.received.length === 3);
    expect(new Set(router.received.slice(1).map(({ peer }) => peer)).size).to.equal(1);
    expect(router.malformed).to.deep.equal([]);
  });
});

describe("sockets: malformed input", () => {
  closeSockets();

  const [clientTag, heartbeat] = encodeFrames("client", "message", { type: "heartbeat" }, [], messageBytesMax);
  const [workerTag] = encodeFrames("worker", "message", { type: "heartbeat" }, [], messageBytesMax);

  it("is reported, answered by id, and stops nobody", async () => {
    const router = await listen();
    const bad = await dialRaw(router);
    // {"type": "cancel", "id": ID, "x": 1}
    const extra = Buffer.concat([Uint8Array.of(0x83, 0xa4), Buffer.from("type"), Uint8Array.of(0xa6), Buffer.from("cancel"), Uint8Array.of(0xa2), Buffer.from("id"), Uint8Array.of(0xd9, 32), Buffer.from(id), Uint8Array.of(0xa1), Buffer.from("x"), Uint8Array.of(1)]);
    await sendRaw(bad, clientTag!, extra);
    const answer = await bad.read.next();
    expect(decodeFrames("client", "reply", answer.value, messageBytesMax).header).to.include({ type: "error", id, code: "BAD_MESSAGE", origin: router.address });
    await sendRaw(bad, clientTag!);
    expect(decodeFrames("client", "reply", (await bad.read.next()).value, messageBytesMax).header).to.include({ type: "error", id: "0".repeat(32), code: "BAD_MESSAGE" });
    expect(router.malformed.map(({ error }) => error.code)).to.deep.equal(["BAD_MESSAGE", "BAD_MESSAGE"]);
    await sendRaw(bad, clientTag!, heartbeat!);
    await until("a good message still comes", () => router.received.length === 1);
  });

  it("of another version is answered in this one, which the other end can name", async () => {
    const router = await listen();
    const newer = Buffer.concat([clientTag!.subarray(0, 3), Uint8Array.of(2)]);
    const client = await dialRaw(router);
    await sendRaw(client, newer, Uint8Array.of(0xc1), Uint8Array.of(1));
    expect(decodeFrames("client", "reply", (await client.read.next()).value, messageBytesMax).header).to.include({ type: "error", code: "PROTOCOL_VERSION" });
    const worker = await dialRaw(router);
    await sendRaw(worker, Buffer.concat([workerTag!.subarray(0, 3), Uint8Array.of(2)]), Uint8Array.of(0xc1));
    expect(decodeFrames("worker", "reply", (await worker.read.next()).value, messageBytesMax).header).to.deep.equal({ type: "heartbeat", known: false });
    expect(router.malformed.map(({ error }) => error.code)).to.deep.equal(["PROTOCOL_VERSION", "PROTOCOL_VERSION"]);
  });

  it("from a controller is reported to the dealer, which goes on", async () => {
    const router = await listen();
    const worker = dial(router.address, "worker");
    worker.send({ type: "heartbeat" });
    const peer = await peerOf(router);
    router.send(peer, "client", { type: "heartbeat", known: true });
    router.send(peer, "worker", { type: "heartbeat", known: true });
    await until("the good reply comes", () => worker.received.length === 1);
    expect(worker.malformed.map(({ code }) => code)).to.deep.equal(["BAD_MESSAGE"]);
  });

  it("of other protocols is taken without an answer", async () => {
    const router = await listen();
    const stranger = await dialRaw(router);
    for (const frames of [[""], ["GET / HTTP/1.1"], ["", "", ""], ["bqx\x01", "x"]]) await sendRaw(stranger, ...frames.map((text) => Buffer.from(text)));
    await until("all are reported", () => router.malformed.length === 4);
    await sendRaw(stranger, clientTag!);
    expect(decodeFrames("client", "reply", (await stranger.read.next()).value, messageBytesMax).header).to.have.property("type", "error");
  });

  it("as bytes on the port ends that connection alone", async () => {
    const router = await listen();
    const port = Number(router.address.split(":").pop());
    for (const bytes of ["GET / HTTP/1.1\r\n\r\n", "\xff\0\0\0\0\0\0\0\x01\x7f\x03" + "\xff".repeat(100), "\0".repeat(1_000)]) {
      const plain = connect(port, "127.0.0.1");
      plain.on("error", () => undefined);
      plain.write(bytes, "latin1");
      plain.end();
      plain.resume();
      await new Promise((resolve) => plain.once("close", resolve));
    }
    const client = dial(router.address, "client");
    client.send({ type: "heartbeat" });
    await until("a good message comes", () => router.received.length === 1);
  });

  it("with a frame beyond the limit ends that connection alone", async () => {
    const router = await listen({ messageBytesMax: 100_000 });
    const large = dial(router.address, "client");
    large.send({ type: "cancel", id }, [new Uint8Array(200_000)]);
    await until("it is disconnected", () => large.connection.includes("disconnected"));
    const client = dial(router.address, "client", { messageBytesMax: 100_000 });
    client.send({ type: "heartbeat" });
    await until("a good message comes", () => router.received.length === 1);
    expect(() => { client.send({ type: "cancel", id }, [new Uint8Array(200_000)]); }).to.throw(BquerydError).with.property("code", "MEMORY_LIMIT");
  });
});

describe("sockets: addresses", () => {
  closeSockets();

  async function failureOf(options: Partial<RouterOptions>): Promise<BquerydError> {
    const failure: unknown = await listen(options).catch((cause: unknown) => cause);
    if (failure instanceof BquerydError) return failure;
    throw new Error(`no BquerydError: ${String(failure)}`);
  }

  it("are named in the refusal of a port in use", async () => {
    const first = await listen();
    const port = Number(first.address.split(":").pop());
    const failure = await failureOf({ port });
    expect(failure.code).to.equal("PORT_IN_USE");
    expect(failure.message).to.contain(`port ${port} of 127.0.0.1`);
    expect((await failureOf({ port: { first: port, last: port } })).code).to.equal("PORT_IN_USE");
  });

  it("take the first free port of a range", async () => {
    const first = await listen({ port: { first: 42_100, last: 42_199 } });
    const second = await listen({ port: { first: 42_100, last: 42_199 } });
    const [firstPort, secondPort] = [first, second].map(({ address }) => Number(address.split(":").pop()));
    expect(firstPort).to.be.within(42_100, 42_199);
    expect(secondPort).to.be.within(firstPort! + 1, 42_199);
  });

  it("that are not of this machine are refused as configuration", async () => {
    for (const bind of ["192.0.2.1", "no-such-host.invalid"]) expect((await failureOf({ bind })).code).to.equal("CONFIG");
    expect((await failureOf({ port: 99_999 })).code).to.equal("CONFIG");
  });

  it("of a controller must be addresses", () => {
    for (const address of ["", "127.0.0.1:1", "tcp://127.0.0.1", "nonsense://x"]) {
      expect(() => dial(address, "client"), address).to.throw(BquerydError).with.property("code", "CONFIG");
    }
  });

  it("are free again once closed", async () => {
    const { address, close } = await listen();
    const port = Number(address.split(":").pop());
    await close();
    for (let time = 0; time < 20; time++) await (await listen({ port })).close();
  });

  it("may be of IPv6", async () => {
    const router = await listen({ bind: "::1" });
    expect(router.address).to.match(/^tcp:\/\/\[::1\]:\d+$/);
    const client = dial(router.address, "client");
    client.send({ type: "heartbeat" });
    await until("the message comes", () => router.received.length === 1);
  });
});
