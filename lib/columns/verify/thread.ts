/** The thread that verifies: jobs in, findings out, one at a time. */
import { parentPort, workerData } from "node:worker_threads";
import { toBquerydError } from "../../base/errors.js";
import { createChecker } from "./jobs.js";
import type { VerifyAnswer, VerifyRequest } from "./thread-handle.js";

const port = parentPort!;
const checker = createChecker((workerData as { readonly directory: string }).directory);

port.on("message", ({ id, job }: VerifyRequest) => {
  port.postMessage(answer(id, job));
});

function answer(id: number, job: VerifyRequest["job"]): VerifyAnswer {
  try {
    const findings = checker.run(job, (bytes) => { port.postMessage({ kind: "progress", bytes } satisfies VerifyAnswer); });
    return { kind: "done", id, findings };
  } catch (cause) {
    const { code, message } = toBquerydError(cause, "verify a table");
    return { kind: "failed", id, code, message };
  }
}
