import { expect } from "chai";
import { describe, it } from "mocha";
import { BquerydError, type ErrorCode } from "../../lib/base/errors.js";
import { attemptsMax, findNextClaim, isRenewalDue, judgeFailure } from "../../lib/cluster/sync/downloader/core.js";
import type { Ticket } from "../../lib/cluster/sync/tickets/ticket.js";
import { keyOfSlot, type Slot, type TicketHead } from "../../lib/registry/tickets.js";
import { ticketPlan } from "../support/ticket-suite.js";

const judge = (code: ErrorCode, attempts = 1, details = {}) => judgeFailure(new BquerydError(code, "m", { details }), attempts, () => 0.5);

describe("what a downloader decides", () => {
  it("fails a slot for what no other try mends, and tries again what may pass, so many times", () => {
    const lasting: ErrorCode[] = ["NOT_FOUND", "BAD_INPUT", "FORBIDDEN", "CONFIG", "DISK_FULL", "TABLE_NOT_MANAGED", "CORRUPT_CHUNK", "CORRUPT_FOOTER", "CORRUPT_DICTIONARY", "UNSUPPORTED_FORMAT", "INTERNAL"];
    for (const code of lasting) expect(judge(code).kind, code).to.equal("fail");
    for (const code of ["OBJECT_STORE", "REGISTRY_UNAVAILABLE", "BUSY", "IO", "CONNECTION_LOST"] as const) {
      expect(judge(code).kind, code).to.equal("again");
      expect(judge(code, attemptsMax - 1).kind, code).to.equal("again");
      expect(judge(code, attemptsMax).kind, code).to.equal("fail");
    }
    expect(judge("OBJECT_STORE", 1, { isDamaged: true }).kind, "it was fetched again already").to.equal("fail");
  });

  it("pauses longer after each failure, by a part that is drawn, up to a bound", () => {
    const pauses = [1, 2, 3].map((attempts) => [0, 1].map((drawn) => {
      const verdict = judgeFailure(new BquerydError("OBJECT_STORE", "m"), attempts, () => drawn);
      return verdict.kind === "again" ? verdict.pauseMs : 0;
    }));
    expect(pauses).to.deep.equal([[500, 1_000], [1_000, 2_000], [2_000, 4_000]]);
  });

  it("renews in a third of the lease, with news after a second, and never more often than a third of a short one", () => {
    const due = (nowMs: number, hasNews: boolean, leaseMs = 30_000): boolean => isRenewalDue({ leaseMs, renewedMs: 100, hasNews }, nowMs);
    expect([due(10_099, false), due(10_100, false)]).to.deep.equal([false, true]);
    expect([due(1_099, true), due(1_100, true)]).to.deep.equal([false, true]);
    expect([due(165, true, 200), due(167, true, 200)]).to.deep.equal([false, true]);
  });

  it("claims of the oldest ticket that has a free slot of its node, and of others' when their lease is over", () => {
    const ticket = (slots: Readonly<Record<string, Slot>>, state: TicketHead["state"] = "active"): Ticket => {
      const plan = ticketPlan();
      const head: TicketHead = { id: plan.id, version: 1, state, reason: null, createdMs: 0, changedMs: 0, endedMs: null, epoch: null, counts: { queued: 0, downloading: 0, verified: 0, prepared: 0, switched: 0, failed: 0 } };
      return { head, plan, slots: new Map(Object.entries(slots).map(([table, slot]) => [keyOfSlot({ node: "n1", table }), slot])) };
    };
    const queued: Slot = { state: "queued", fence: 0 };
    const taken: Slot = { state: "downloading", fence: 1, owner: "other", sinceMs: 0, leaseUntilMs: 50, bytesDone: 0, bytesTotal: null };
    const over = ticket({ "a.bcolz": queued }, "failed");
    const busy = ticket({ "a.bcolz": taken });
    const free = ticket({ "b.bcolz": queued });
    expect(findNextClaim([over, busy, free], "n1", "me", 49)).to.deep.equal({ ticket: free, place: { node: "n1", table: "b.bcolz" } });
    expect(findNextClaim([over, busy, free], "n1", "me", 50)?.ticket).to.equal(busy);
    expect(findNextClaim([over, busy, free], "n2", "me", 50)).to.equal(undefined);
  });
});
