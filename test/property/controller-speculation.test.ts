import { expect } from "chai";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { Action } from "../../lib/cluster/controller/events.js";
import { alignedBlocks, contiguous } from "../../lib/engine/tree.js";
import { createTimeline } from "../simulation/timeline.js";
import { freeCost, Scheduling, setHoldings } from "../support/scheduling.js";

/** A worker: how many times slower than a good one, Infinity for one that is stopped, and how it divides its answers. */
interface WorkerPlan {
  readonly slowness: number;
  readonly mergesRuns: boolean;
}

/** What came of one call. */
interface Outcome {
  /** The ordinals of the partials that the client was sent. */
  readonly ordinals: number[];
  readonly answers: string[];
  readonly retries: number;
  readonly tookMs: number;
}

const heartbeatMs = 1_000;
const endMs = 60_000;
/** More than a task of 16 shards, one of a worker 4 times slower, and the times after which either is doubted. */
const promptMs = 8_000;

/** Asks for `shards` shards, each `workMs` of work, of workers that are as planned and hold all of them. */
function askOf(shards: number, workMs: number, plans: readonly WorkerPlan[]): Outcome {
  const core = new Scheduling();
  const timeline = createTimeline();
  const outcome = { ordinals: [] as number[], answers: [] as string[], retries: 0, tookMs: 0 };
  let wakeAtMs = Infinity;

  function tell(happen: () => Action[]): void {
    core.nowMs = timeline.nowMs;
    for (const action of happen()) {
      if (action.kind === "assign") run(action);
      else if (action.kind === "wakeAt") setAlarm(action.atMs);
      else if (action.kind === "forward" && action.header.type === "partial") {
        const { start, size } = action.header.block;
        outcome.ordinals.push(...Array.from({ length: Math.min(size, shards - start) }, (_, offset) => start + offset));
      } else if (action.kind === "answer") {
        outcome.answers.push(action.header.type);
        if (action.header.type === "result") Object.assign(outcome, { retries: action.header.retries, tookMs: timeline.nowMs });
      }
    }
  }

  function setAlarm(atMs: number): void {
    wakeAtMs = atMs;
    timeline.at(atMs, () => { if (wakeAtMs === atMs) tell(() => core.wait(0)); });
  }

  /** Called off or not, it is worked on to its end: so late answers come as well. */
  function run({ workerId, header }: Action & { kind: "assign" }): void {
    const { slowness, mergesRuns } = plans[Number(workerId)]!;
    if (slowness === Infinity) return;
    const ordinals = header.shards.map(({ ordinal }) => ordinal);
    const blocks = mergesRuns ? contiguous(header.shards).map((run) => ({ start: run[0]!.ordinal, size: run.length })) : alignedBlocks(ordinals, 64);
    let atMs = timeline.nowMs;
    for (const block of blocks) {
      atMs += slowness * workMs * block.size;
      timeline.at(atMs, () => { tell(() => core.partial(workerId, header.taskId, block.start, block.size)); });
    }
    const cost = { ...freeCost, shards: ordinals.length, scanMs: workMs * ordinals.length };
    timeline.at(atMs, () => {
      tell(() => core.tell({ kind: "done", workerId, taskId: header.taskId, cost }));
      tell(() => core.ready(workerId));
    });
  }

  plans.forEach(({ slowness }, index) => {
    tell(() => core.join(String(index), setHoldings("taxi", shards)));
    for (let atMs = heartbeatMs; slowness < Infinity && atMs < endMs; atMs += heartbeatMs) {
      timeline.at(atMs, () => { tell(() => core.tell({ kind: "heartbeat", workerId: String(index) })); });
    }
  });
  tell(() => core.call("c1", ["taxi"], { remainingMs: endMs }));
  timeline.runUntil(endMs);
  return outcome;
}

const plan = fc.record({ slowness: fc.constantFrom(1, 4, 50, Infinity), mergesRuns: fc.boolean() });

describe("tasks that are begun twice", () => {
  it("change no answer: every shard is in it once, however slow any worker is", () => {
    let twice = 0;
    fc.assert(fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 100 }), fc.array(plan, { minLength: 1, maxLength: 3 }), (shards, workMs, others) => {
      const { ordinals, answers, retries, tookMs } = askOf(shards, workMs, [{ slowness: 1, mergesRuns: true }, ...others]);
      expect(answers).to.deep.equal(["result"]);
      expect(ordinals.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: shards }, (_, ordinal) => ordinal));
      expect(tookMs, "a good worker is there").to.be.below(promptMs + shards * workMs);
      twice += Number(retries > 0);
    }), { numRuns: 300 });
    expect(twice, "answers for which something was begun twice").to.be.greaterThan(20);
  });

  it("are none where all workers are equally quick", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 3 }), (shards, workMs, workers) => {
      const { answers, retries } = askOf(shards, workMs, Array.from({ length: workers }, () => ({ slowness: 1, mergesRuns: true })));
      expect([answers, retries]).to.deep.equal([["result"], 0]);
    }), { numRuns: 100 });
  });
});
