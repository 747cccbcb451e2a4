import { expect } from "chai";
import { describe, it } from "mocha";
import { createVerbs, type Asking, type Verbs } from "../../lib/client/verbs.js";
import type { Answer } from "../../lib/client/session.js";
import { failureOf } from "../support/failure.js";

/** Verbs whose calls are answered so, and what they asked last. */
function verbs(value: unknown = null, answer?: { form: "json" | "bytes"; bytes: Uint8Array }): Verbs & { asked(): Asking & { verb: string } } {
  let asked: (Asking & { verb: string }) | undefined;
  const all = createVerbs(async (verb, _options, asking) => {
    asked = { verb, ...asking };
    if (answer !== undefined) asking.onAnswer?.(answer.form, [answer.bytes]);
    return { type: "result", id: "", value, cost: null, queuedMs: 0, workers: 1, retries: 0 } satisfies Answer;
  });
  return { ...all, asked: () => asked! };
}

function json(value: unknown): { form: "json"; bytes: Uint8Array } {
  return { form: "json", bytes: new TextEncoder().encode(JSON.stringify(value)) };
}

describe("verbs of a client", () => {
  it("sleep asks for one errand and waits as long as it takes, or queues several and waits for none", async () => {
    const one = verbs(null, json("z..."));
    expect(await one.sleep(300)).to.equal("z...");
    expect(one.asked()).to.deep.include({ verb: "sleep", isSafe: true, takesMs: 300_000, asks: { errands: [{ kind: "sleep", seconds: 300 }] } });
    const many = verbs(["a", "b"]);
    expect(await many.sleep([1, 0.5], { affinity: "night" })).to.deep.equal(["a", "b"]);
    expect(many.asked()).to.deep.include({ isSafe: false, affinity: "night", asks: { errands: [{ kind: "sleep", seconds: 1 }, { kind: "sleep", seconds: 0.5 }], detached: true } });
  });

  it("execute_code sends args, then kwargs, and is never safe to be sent twice", async () => {
    const code = verbs(null, json([1]));
    expect(await code.execute_code({ function: "fs.x", args: [1, "a"], kwargs: { b: 2 }, worker: "AB" })).to.deep.equal([1]);
    const { body, ...asked } = code.asked();
    expect(Buffer.from(body![0]!).toString()).to.equal('[1,"a",{"b":2}]');
    expect(asked).to.deep.include({ verb: "execute_code", isSafe: false, asks: { errands: [{ kind: "execute_code", function: "fs.x" }], worker: "ab" } });
    expect(await verbs(["id"]).execute_code({ function: "fs.x", wait: false })).to.equal("id");
  });

  it("readfile gives bytes of their own", async () => {
    const bytes = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
    const read = await verbs(null, { form: "bytes", bytes }).readfile("notes.txt");
    expect([...read]).to.deep.equal([2, 3]);
    expect(read.buffer.byteLength).to.equal(2);
    expect((await failureOf(() => verbs(null, json(5)).readfile("notes.txt"))).code).to.equal("BAD_MESSAGE");
  });

  it("refuse what they cannot mean, before anything is sent", async () => {
    const all = verbs();
    const wrong = [
      () => all.sleep(-1), () => all.sleep(3_601), () => all.sleep(Number.NaN), () => all.sleep([]), () => all.sleep([1, "2" as unknown as number]), () => all.sleep(Array.from({ length: 1_001 }, () => 1)),
      () => all.sleep(1, { affinity: 5 as unknown as string }), () => all.sleep(1, { worker: "worker" }),
      () => all.loglevel("trace" as "info"), () => all.readfile(""), () => all.readfile("x".repeat(5_000)), () => all.cancel(""), () => all.cancel("taxi"), () => all.cancel("a".repeat(33)),
      () => all.execute_code({} as { function: string }), () => all.execute_code("fs.x" as unknown as { function: string }), () => all.execute_code({ function: "" }),
      () => all.execute_code({ function: "fs.x", args: "." as unknown as string[] }), () => all.execute_code({ function: "fs.x", args: [1n] }), () => all.execute_code({ function: "fs.x", args: ["x".repeat(2 ** 24)] }), () => all.execute_code({ function: "fs.x", kwargs: [] as unknown as Record<string, unknown> }),
      () => all.execute_code({ function: "fs.x", wait: 0 as unknown as boolean }),
    ];
    for (const ask of wrong) expect((await failureOf(ask)).code, String(ask)).to.equal("USAGE");
    expect(all.asked()).to.equal(undefined);
  });

  it("check what they are answered", async () => {
    expect((await failureOf(() => verbs("x").queries())).code).to.equal("BAD_MESSAGE");
    expect((await failureOf(() => verbs({ workers: 1 }).killall())).code).to.equal("BAD_MESSAGE");
    expect((await failureOf(() => verbs(5).cancel("ab"))).code).to.equal("BAD_MESSAGE");
    expect((await failureOf(() => verbs(null, { form: "json", bytes: Uint8Array.of(123) }).sleep(1))).code).to.equal("BAD_MESSAGE");
    expect(await verbs({ controllers: 1, workers: 2 }).kill()).to.deep.equal({ controllers: 1, workers: 2 });
  });
});
