import { expect } from "chai";
import { describe, it } from "mocha";
import { monotonicMs } from "../../lib/base/clock.js";
import { createTurn } from "../../lib/base/turn.js";

/** Keeps the thread busy for so long. */
function work(forMs: number): void {
  for (const endMs = monotonicMs() + forMs; monotonicMs() < endMs;);
}

describe("a turn of the event loop", () => {
  it("is over when it has taken long, and begins anew with the next", async () => {
    const turn = createTurn(5);
    expect(turn.isOver()).to.equal(false);
    work(6);
    expect(turn.isOver()).to.equal(true);
    await turn.pass();
    expect(turn.isOver()).to.equal(false);
  });

  it("begins when it is first asked about, however long nothing was", async () => {
    const turn = createTurn(5);
    expect(turn.isOver()).to.equal(false);
    await turn.pass();
    work(6);
    expect(turn.isOver()).to.equal(false);
  });

  it("lets timers that are due come to pass", async () => {
    const turn = createTurn(1);
    let isDone = false;
    setTimeout(() => { isDone = true; }, 1);
    let turns = 0;
    for (; !isDone && turns < 1_000; turns++) {
      turn.isOver();
      work(2);
      if (turn.isOver()) await turn.pass();
    }
    expect(turns).to.be.below(1_000);
  });
});
