/**
 * A program that asks a cluster without a pause and tells its parent what came of every call: groups and rows of the set
 * `numbers`, whose answers it knows. Its arguments are the addresses of controllers and the seconds that a call may take.
 * It ends when it is told to, or when its parent is gone.
 */
import { monotonicMs } from "../../../lib/base/clock.js";
import { loadConfig } from "../../../lib/base/config.js";
import { BquerydError } from "../../../lib/base/errors.js";
import { connectWith } from "../../../lib/client/connect.js";
import type { Rpc } from "../../../lib/index.js";
import { askGroups, askRows, expectedGroups } from "../hostile/honest.js";

/** What came of one call: `right`, `wrong`, or the code of its error. */
export interface CallOutcome {
  readonly verb: "groupby" | "rows";
  readonly outcome: string;
  /** What was wrong, or the sentence of the error. */
  readonly message: string;
  readonly tookMs: number;
}

const [, , controllers = "", timeout = "10"] = process.argv;
let isOver = false;
process.on("message", () => { isOver = true; });
process.on("disconnect", () => { process.exit(0); });

const rpc = await connectWith(loadConfig({ flags: { controllers, timeout, answer_memory: "0" }, env: {}, machineFile: "/nonexistent" }));
const expected = expectedGroups();
await Promise.all([
  askAgain("groupby", groupsProblem), askAgain("groupby", groupsProblem), askAgain("rows", askRows),
]);
await rpc.close();
process.disconnect();

async function groupsProblem(of: Rpc): Promise<string | undefined> {
  const groups = await askGroups(of);
  return groups === expected ? undefined : groups;
}

async function askAgain(verb: CallOutcome["verb"], ask: (rpc: Rpc) => Promise<string | undefined>): Promise<void> {
  while (!isOver) {
    const startMs = monotonicMs();
    const { outcome, message } = await outcomeOf(ask);
    const told: CallOutcome = { verb, outcome, message, tookMs: monotonicMs() - startMs };
    process.send?.(told);
    // Who is refused at once asks again in a while.
    if (outcome !== "right") await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function outcomeOf(ask: (rpc: Rpc) => Promise<string | undefined>): Promise<Pick<CallOutcome, "outcome" | "message">> {
  try {
    const problem = await ask(rpc);
    return problem === undefined ? { outcome: "right", message: "" } : { outcome: "wrong", message: problem };
  } catch (error) {
    return error instanceof BquerydError ? { outcome: error.code, message: error.message } : { outcome: "wrong", message: error instanceof Error ? String(error.stack) : String(error) };
  }
}
