import { expect } from "chai";
import { afterEach, describe, it } from "mocha";
import { monotonicMs, randomId } from "../../lib/base/clock.js";
import { Session, type Call } from "../../lib/client/session.js";
import { connect } from "../../lib/index.js";
import { bindRouter, type Router } from "../../lib/wire/router.js";
import type { ClientMessage, ClientReply } from "../../lib/wire/messages.js";
import { failureOf } from "../support/failure.js";
import { until } from "../support/until.js";

const [expiryMs, heartbeatMs] = [400, 50];
const messageBytesMax = 2 ** 20;

/** A controller that hears calls and answers those it is told to. */
interface Double {
  readonly address: string;
  readonly calls: Extract<ClientMessage, { type: "call" }>[];
  readonly cancelled: string[];
  byes: number;
  /** How it answers a call at once; undefined leaves it open. */
  answer: (id: string, remainingMs: number) => ClientReply | undefined;
  /** Says nothing any more, as a process that was stopped or whose connection is half open. */
  isSilent: boolean;
  say(header: ClientReply): void;
  close(): Promise<void>;
}

function pong(id: string): ClientReply {
  return { type: "result", id, value: "pong", cost: null, queuedMs: 0, workers: 0, retries: 0 };
}

describe("a client whose controller is lost", function () {
  this.timeout(60_000);
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => { for (const close of closers.splice(0).reverse()) await close(); });

  async function startDouble(answer: Double["answer"] = () => undefined): Promise<Double> {
    let peer = "";
    const double: Double = {
      address: "", calls: [], cancelled: [], byes: 0, answer, isSilent: false,
      say: (header) => { router.send(peer, "client", header); },
      close: () => router.close(),
    };
    const router: Router = await bindRouter({
      bind: "127.0.0.1", port: { first: 15_400, last: 15_499 }, messageBytesMax, onUnreachable: () => undefined, onMalformed: () => undefined,
      onMessage: (from, { channel, header }) => {
        if (channel !== "client") return;
        peer = from;
        if (header.type === "call") double.calls.push(header);
        if (header.type === "cancel") double.cancelled.push(header.id);
        if (header.type === "bye") double.byes += 1;
        const reply = double.isSilent ? undefined : replyTo(double, header);
        if (reply !== undefined) double.say(reply);
      },
    });
    closers.push(() => router.close());
    return Object.assign(double, { address: router.address });
  }

  function replyTo({ answer }: Double, header: ClientMessage): ClientReply | undefined {
    switch (header.type) {
      case "hello": return { type: "welcome", controllerId: randomId(), node: "here", version: "0", heartbeatMs, expiryMs };
      case "heartbeat": return { type: "heartbeat", known: true };
      case "call": return answer(header.id, header.remainingMs);
      default: return undefined;
    }
  }

  function open(doubles: readonly Pick<Double, "address">[]): Session {
    const session = new Session({ findControllers: () => Promise.resolve(doubles.map(({ address }) => address)), messageBytesMax, expiryMs });
    closers.push(() => session.close());
    return session;
  }

  function call(more: Partial<Call> = {}): Call {
    return { verb: "ping", tables: [], columns: [], body: [], isSafe: true, timeoutMs: 10_000, ...more };
  }

  /** Two controllers, and first the one that the session has chosen. */
  async function openWithTwo(): Promise<{ session: Session; chosen: Double; other: Double }> {
    const doubles = [await startDouble(pong), await startDouble(pong)];
    const session = open(doubles);
    await session.ask(call());
    const chosen = doubles.find(({ calls }) => calls.length > 0)!;
    const other = doubles.find(({ calls }) => calls.length === 0)!;
    chosen.calls.length = 0;
    return { session, chosen, other };
  }

  for (const [how, lose] of [
    ["that ends", (double: Double) => double.close()],
    ["that falls silent", (double: Double) => { double.isSilent = true; return Promise.resolve(); }],
  ] as const) {
    it(`has a thousand calls of one ${how} answered by another, each once, with the time that is left`, async () => {
      const { session, chosen, other } = await openWithTwo();
      chosen.answer = () => undefined;
      const asked = Array.from({ length: 1_000 }, () => session.ask(call({ timeoutMs: 60_000 })));
      await until("all have come", () => chosen.calls.length === 1_000);
      const startMs = monotonicMs();
      await lose(chosen);
      const answers = await Promise.all(asked);
      expect(monotonicMs() - startMs).to.be.below(10_000);
      expect(answers.every(({ value }) => value === "pong")).to.equal(true);
      expect(other.calls.map(({ id }) => id).sort()).to.deep.equal(chosen.calls.map(({ id }) => id).sort());
      expect(Math.max(...other.calls.map(({ remainingMs }) => remainingMs))).to.be.below(60_000);
      // The late answer of the first is nobody's, and later calls do not go there again.
      if (chosen.isSilent) chosen.say(pong(chosen.calls[0]!.id));
      expect(await session.ask(call())).to.include({ value: "pong" });
      expect(chosen.calls).to.have.length(1_000);
    });
  }

  it("is told of a call that must not be made twice that it may have happened, and does not make it again", async () => {
    const { session, chosen, other } = await openWithTwo();
    chosen.answer = () => undefined;
    const asked = failureOf(() => session.ask(call({ verb: "killall", isSafe: false })));
    await until("it has come", () => chosen.calls.length === 1);
    await chosen.close();
    const failure = await asked;
    expect(failure).to.include({ code: "CONNECTION_LOST" });
    expect(failure.message).to.match(/^the controller tcp:\S+ was lost: .*; killall may or may not have happened, look before you ask again$/);
    await session.ask(call());
    expect(other.calls.map(({ verb }) => verb)).to.deep.equal(["ping"]);
  });

  it("makes such a call elsewhere where it was not sent yet, the controller being dead from the first", async () => {
    const silent = await Promise.all([startDouble(), startDouble()]);
    for (const double of silent) double.isSilent = true;
    const live = await startDouble(pong);
    expect(await open([...silent, live]).ask(call({ verb: "killall", isSafe: false }))).to.include({ value: "pong" });
    expect([...silent, live].map(({ calls }) => calls.length)).to.deep.equal([0, 0, 1]);
  });

  it("asks a bounded number of times where every controller is lost as soon as it is asked", async () => {
    const doubles: Double[] = [];
    for (let k = 0; k < 2; k++) {
      const double = await startDouble(() => ({ type: "heartbeat", known: false }));
      doubles.push(double);
    }
    expect(await failureOf(() => open(doubles).ask(call()))).to.include({ code: "CONNECTION_LOST" });
    expect(doubles.reduce((sum, { calls }) => sum + calls.length, 0)).to.equal(3);
  });

  for (const [code, who] of [["CONNECTION_LOST", "is stopping"], ["STALE", "knows less of the tables than it has seen"]] as const) {
    it(`asks another controller where the first ${who}, and lets what that has under way go on`, async () => {
      const { session, chosen, other } = await openWithTwo();
      const no = (id: string): ClientReply => ({ type: "error", id, code, message: "ask another", details: {}, origin: "controller" });
      chosen.answer = () => undefined;
      const underWay = session.ask(call());
      await until("it has come", () => chosen.calls.length === 1);
      chosen.answer = no;
      expect(await failureOf(() => session.ask(call({ verb: "killall", isSafe: false })))).to.include({ code });
      expect(await session.ask(call())).to.include({ value: "pong" });
      expect(await session.ask(call())).to.include({ value: "pong" });
      expect([chosen.calls.length, other.calls.length]).to.deep.equal([3, 2]);
      other.answer = no;
      expect(await failureOf(() => session.ask(call()))).to.include({ code });
      expect([chosen.calls.length, other.calls.length], "each was asked once").to.deep.equal([4, 3]);
      expect(chosen.byes).to.equal(0);
      chosen.say(pong(chosen.calls[0]!.id));
      expect(await underWay).to.include({ value: "pong" });
    });
  }

  it("asks another controller where the first takes no more calls, also what must not be done twice, and a few times where all do so", async () => {
    const { session, chosen, other } = await openWithTwo();
    const draining = (id: string): ClientReply => ({ type: "error", id, code: "NO_CONTROLLER", message: "stopping", details: {}, origin: "controller" });
    chosen.answer = draining;
    expect(await session.ask(call({ verb: "killall", isSafe: false }))).to.include({ value: "pong" });
    expect([chosen.calls.length, other.calls.length]).to.deep.equal([1, 1]);
    other.answer = draining;
    expect(await failureOf(() => session.ask(call()))).to.include({ code: "NO_CONTROLLER" });
    expect(chosen.calls.length + other.calls.length).to.equal(2 + 3);
  });

  it("goes on at the controller that is started in place of the only one, whatever the call does", async () => {
    const [stopping, next] = [await startDouble(pong), await startDouble(pong)];
    const listed = [stopping];
    const session = open(listed);
    await session.ask(call());
    stopping.answer = (id) => {
      listed.splice(0, 1, next);
      return { type: "error", id, code: "NO_CONTROLLER", message: "stopping", details: {}, origin: "controller" };
    };
    expect(await session.ask(call({ verb: "killall", isSafe: false }))).to.include({ value: "pong" });
    expect([stopping.calls.length, next.calls.length]).to.deep.equal([2, 1]);
    await until("it has left the one that stops", () => stopping.byes === 1);
  });

  it("keeps the deadline of a call while it is sent from one to the next", async () => {
    const { session, chosen, other } = await openWithTwo();
    chosen.answer = other.answer = () => undefined;
    const startMs = monotonicMs();
    const asked = failureOf(() => session.ask(call({ timeoutMs: 6_000 })));
    await until("it has come", () => chosen.calls.length === 1);
    chosen.isSilent = true;
    await until("it has come elsewhere", () => other.calls.length === 1);
    expect(other.calls[0]!.remainingMs).to.be.below(5_700);
    expect(await asked).to.include({ code: "DEADLINE" });
    expect(monotonicMs() - startMs).to.be.within(6_000, 30_000);
    await until("it is cancelled where it was last", () => other.cancelled.length === 1);
  });

  it("ends any number of calls by one signal, without a warning of Node", async () => {
    const live = await startDouble();
    const rpc = await connect({ controllers: live.address });
    closers.push(() => rpc.close());
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => { warnings.push(warning); };
    process.on("warning", onWarning);
    const abort = new AbortController();
    const options = { signal: abort.signal };
    const failures = Array.from({ length: 20 }, () => [failureOf(() => rpc.ping(options)), failureOf(() => rpc.groupby("t", ["k"], ["v"], [], { ...options, onPartial: () => undefined }))]).flat();
    await until("all have come", () => live.calls.length === failures.length);
    abort.abort();
    for (const failure of await Promise.all(failures)) expect(failure).to.include({ code: "CANCELLED" });
    process.removeListener("warning", onWarning);
    expect(warnings).to.deep.equal([]);
    await until("all are cancelled there", () => live.cancelled.length === failures.length);
  });

  it("ends calls in flight when it is closed, says goodbye, and takes no more; every verb ends by its signal and its time", async () => {
    const live = await startDouble();
    const rpc = await connect({ controllers: live.address });
    const asks = [() => rpc.ping(), () => rpc.info(), () => rpc.files(), () => rpc.groupby("t", ["k"], ["v"]), () => rpc.rows("t", ["k"])[Symbol.asyncIterator]().next(), () => rpc.killall()];
    const failures = asks.map((ask) => failureOf(ask));
    await until("all have come", () => live.calls.length === asks.length);
    await rpc.close();
    for (const failure of await Promise.all(failures)) expect(failure).to.include({ code: "CANCELLED" });
    await until("it has said so", () => live.byes === 1);
    await rpc.close();
    expect(await failureOf(() => rpc.ping())).to.include({ code: "USAGE" });
    const again = await connect({ controllers: live.address });
    closers.push(() => again.close());
    for (const [code, options] of [["CANCELLED", () => ({ signal: AbortSignal.timeout(100) })], ["DEADLINE", () => ({ timeout: 0.1 })]] as const) {
      const withOptions = [
        () => again.ping(options()), () => again.info(options()), () => again.files(options()), () => again.groupby("t", ["k"], ["v"], [], options()),
        () => again.rows("t", ["k"], [], [], options())[Symbol.asyncIterator]().next(), () => again.killall(options()),
      ];
      for (const failure of await Promise.all(withOptions.map((ask) => failureOf(ask)))) expect(failure).to.include({ code });
    }
  });
});
