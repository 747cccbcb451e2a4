/** A client whose controller is hostile: whatever that says, every call of it ends, in time, with an error that has a code. */
import { monotonicMs } from "../../../lib/base/clock.js";
import { loadConfig } from "../../../lib/base/config.js";
import { BquerydError } from "../../../lib/base/errors.js";
import { connectWith } from "../../../lib/client/connect.js";
import type { Rpc } from "../../../lib/index.js";

/** Calls by the code they ended with; those that the hostile controller answered well count as `answered`. */
export interface VictimTally {
  readonly outcomes: Map<string, number>;
  /** Calls that ended too late, or with what is no error of ours. */
  readonly misses: string[];
}

const timeoutSeconds = 0.3;
const lateMs = 20_000;

const questions: readonly ((rpc: Rpc) => Promise<unknown>)[] = [
  (rpc) => rpc.ping({ timeout: timeoutSeconds }),
  (rpc) => rpc.info({ timeout: timeoutSeconds }),
  (rpc) => rpc.files({ timeout: timeoutSeconds }),
  (rpc) => rpc.groupby("numbers", ["k"], [["v", "sum"]], [], { timeout: timeoutSeconds }),
  (rpc) => rpc.groupby("numbers", [], ["v"], [], { timeout: timeoutSeconds, aggregate: false, limit: 10 }),
  async (rpc) => { for await (const table of rpc.rows("numbers", [], ["v"], [], { timeout: timeoutSeconds })) void table.numRows; },
];

/** Asks the controller that flags name, one call after another of each verb, until the signal is aborted. */
export async function askInDanger(flags: Readonly<Record<string, string>>, until: AbortSignal): Promise<VictimTally> {
  const tally: VictimTally = { outcomes: new Map(), misses: [] };
  const rpc = await connectWith(loadConfig({ flags, env: {}, machineFile: "/nonexistent" }));
  await Promise.all(questions.map(async (question) => {
    while (!until.aborted) await askOnce(rpc, question, tally);
  }));
  await rpc.close();
  return tally;
}

async function askOnce(rpc: Rpc, question: (rpc: Rpc) => Promise<unknown>, { outcomes, misses }: VictimTally): Promise<void> {
  const startMs = monotonicMs();
  let outcome = "answered";
  try {
    await question(rpc);
  } catch (error) {
    if (!(error instanceof BquerydError)) misses.push(`a call failed with what is no error of ours: ${error instanceof Error ? error.stack : String(error)}`);
    else outcome = error.code;
    // With an origin it is what the controller says, which may be anything.
    if (error instanceof BquerydError && error.code === "INTERNAL" && error.origin === undefined) misses.push(`a call failed with INTERNAL: ${String(error)}`);
  }
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  if (monotonicMs() - startMs > timeoutSeconds * 1_000 + lateMs) misses.push(`a call of ${timeoutSeconds} s took ${Math.round(monotonicMs() - startMs)} ms`);
}
