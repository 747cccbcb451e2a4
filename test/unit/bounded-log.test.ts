import { expect } from "chai";
import { describe, it } from "mocha";
import { boundLog, linesPerMinuteMax } from "../../lib/base/bounded-log.js";
import { createSilentLog } from "../support/silent-log.js";

describe("a bounded log", () => {
  it("writes so many lines of an event in a minute, and later how many it left out", () => {
    const { log, events } = createSilentLog();
    let nowMs = 5;
    const bounded = boundLog(log, () => nowMs);
    for (let k = 0; k < linesPerMinuteMax + 30; k++) bounded.warn({ event: "peer.refused", k });
    bounded.info({ event: "worker.lost" });
    expect(events).to.have.length(linesPerMinuteMax + 1);
    expect(events.at(-1)).to.deep.equal({ event: "worker.lost" });
    nowMs += 60_000;
    for (let k = 0; k < 2; k++) bounded.warn({ event: "peer.refused", k });
    expect(events.slice(-2)).to.deep.equal([{ event: "peer.refused", k: 0, unlogged: 30 }, { event: "peer.refused", k: 1 }]);
  });

  it("leaves lines for whoever looks for a defect alone", () => {
    const { log, events } = createSilentLog();
    const bounded = boundLog(log, () => 0);
    for (let k = 0; k < linesPerMinuteMax + 30; k++) bounded.debug({ event: "message.sent" });
    expect(events).to.have.length(linesPerMinuteMax + 30);
  });
});
