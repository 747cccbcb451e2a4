import { expect } from "chai";
import { once, EventEmitter } from "node:events";
import { afterEach, describe, it } from "mocha";
import { monotonicMs } from "../../lib/base/clock.js";
import { restartDelayMs, startComputeThread, type ComputeEvent, type ComputeThread } from "../../lib/cluster/worker/compute/compute-thread.js";
import { stubQueries, unusableDataDir } from "../support/compute-stub.js";

const program = new URL("../support/compute-stub.js", import.meta.url);

describe("worker compute thread", () => {
  let thread: ComputeThread | undefined;
  let events: ComputeEvent[] = [];
  const arrivals = new EventEmitter();

  async function start(dataDir = "/data"): Promise<ComputeThread> {
    events = [];
    thread = await startComputeThread({
      dataDir, cacheBytes: 1, queryBytes: 1, partialCacheBytes: 0, messageBytes: 1, program,
      onEvent: (event) => {
        events.push(event);
        arrivals.emit("event");
      },
    });
    return thread;
  }

  function run(taskId: string, query: Uint8Array): void {
    thread!.run({ taskId, query, shards: [], deadlineMs: monotonicMs() + 1_000 });
  }

  /** The first `count` kinds of events, once there are as many. */
  async function kinds(count: number): Promise<string[]> {
    while (events.length < count) await once(arrivals, "event", { signal: AbortSignal.timeout(5_000) });
    return events.map(({ kind }) => kind);
  }

  afterEach(async () => {
    await thread?.close();
    thread = undefined;
  });

  it("runs tasks one after another", async () => {
    await start();
    run("a", stubQueries.answer);
    expect(await kinds(2)).to.deep.equal(["computeUp", "taskDone"]);
    run("b", stubQueries.answer);
    expect(await kinds(3)).to.deep.equal(["computeUp", "taskDone", "taskDone"]);
    expect(events.at(-1)).to.include({ taskId: "b" });
  });

  it("stops the running task when it is cancelled, and no other", async () => {
    await start();
    run("a", stubQueries.untilStopped);
    expect(await kinds(2)).to.deep.equal(["computeUp", "block"]);
    thread!.cancel("b");
    thread!.cancel("a");
    expect(await kinds(3)).to.deep.equal(["computeUp", "block", "taskFailed"]);
    run("c", stubQueries.untilStopped);
    expect(await kinds(4)).to.deep.equal(["computeUp", "block", "taskFailed", "block"]);
  });

  it("tells of its death and comes back for the next task", async () => {
    await start();
    run("a", stubQueries.exit);
    expect(await kinds(3)).to.deep.equal(["computeUp", "computeLost", "computeUp"]);
    expect(events[1]).to.have.nested.property("failure.message", "a compute thread ended unexpectedly: exit code 3");
    expect(events[1]).to.have.nested.property("failure.retry", "elsewhere");
    run("b", stubQueries.answer);
    expect(await kinds(4)).to.deep.equal(["computeUp", "computeLost", "computeUp", "taskDone"]);
  });

  it("is replaced after an error that nobody expected, which it names", async () => {
    await start();
    run("a", stubQueries.crash);
    expect(await kinds(3)).to.deep.equal(["computeUp", "computeLost", "computeUp"]);
    expect(events[1]).to.have.nested.property("failure.message", "a compute thread ended unexpectedly: a defect");
    expect(events[1]).to.have.nested.property("failure.code", "INTERNAL");
  });

  it("is renewed between two tasks without being lost, and takes the next one", async () => {
    await start();
    run("a", stubQueries.answer);
    await kinds(2);
    thread!.renew();
    expect(await kinds(3)).to.deep.equal(["computeUp", "taskDone", "computeUp"]);
    run("b", stubQueries.answer);
    expect(await kinds(4)).to.deep.equal(["computeUp", "taskDone", "computeUp", "taskDone"]);
  });

  it("throws the error of an engine that cannot be made", async () => {
    const error: unknown = await start(unusableDataDir).then(() => undefined, (cause: unknown) => cause);
    expect(error).to.include({ code: "MEMORY_LIMIT", message: "no memory" });
  });

  it("stops its task when it is closed, and ends by force one that does not listen", async function () {
    this.timeout(60_000);
    await start();
    run("a", stubQueries.untilStopped);
    await kinds(2);
    await thread!.close();
    expect(events.at(-1)).to.include({ kind: "taskFailed" });
    await start();
    run("b", stubQueries.forever);
    await thread!.close();
    expect(events.map(({ kind }) => kind)).to.deep.equal(["computeUp"]);
  });

  it("waits longer after each death, up to a bound", () => {
    expect([1, 2, 3, 4, 20].map(restartDelayMs)).to.deep.equal([100, 200, 400, 800, 10_000]);
  });
});
