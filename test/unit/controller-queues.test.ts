import { expect } from "chai";
import { describe, it } from "mocha";
import { createQueues, dequeue, enqueue, inTurn, rotate, type FairQueues } from "../../lib/cluster/controller/schedule/queues.js";

function queuesOf(...entries: [affinity: string, queryId: string][]): FairQueues {
  const queues = createQueues();
  for (const [affinity, queryId] of entries) enqueue(queues, affinity, queryId);
  return queues;
}

describe("fair queues", () => {
  it("serve keys in turn, whatever the length of their queues", () => {
    const queues = queuesOf(["a", "a1"], ["a", "a2"], ["a", "a3"], ["b", "b1"]);
    const served: string[] = [];
    for (let turn = 0; turn < 4; turn++) {
      const [queryId] = inTurn(queues);
      served.push(queryId!);
      rotate(queues, queryId!.slice(0, 1), queryId!);
    }
    expect(served).to.deep.equal(["a1", "b1", "a2", "b1"]);
  });

  it("offer the next call when the first has nothing for whoever asks", () => {
    expect([...inTurn(queuesOf(["a", "a1"], ["b", "b1"], ["a", "a2"]))]).to.deep.equal(["a1", "a2", "b1"]);
  });

  it("keep the place of a call that is queued again", () => {
    const queues = queuesOf(["a", "a1"], ["a", "a2"]);
    enqueue(queues, "a", "a1");
    expect([...inTurn(queues)]).to.deep.equal(["a1", "a2"]);
  });

  it("keep no empty queue", () => {
    const queues = queuesOf(["a", "a1"]);
    dequeue(queues, "a", "a1");
    dequeue(queues, "a", "a1");
    rotate(queues, "a", "a1");
    expect(queues.size).to.equal(0);
  });
});
