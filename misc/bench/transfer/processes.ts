/** The processes of `bench transfer`: the store, and who sends and fetches. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Identity } from "../../../test/support/s3/signature.js";

/** The bucket of all objects. */
export const bucket = "shelf";

/** Where the store is, and who may ask it. */
export interface StoreFacts {
  readonly url: string;
  readonly region: string;
  readonly identity: Identity;
}

/** What is to be done: tables sent, or fetched into stages; `cutAt` is the part of the bytes after which it is cut off. */
export type Job =
  | { readonly verb: "send"; readonly paths: readonly string[] }
  | { readonly verb: "fetch"; readonly tables: readonly string[]; readonly stages: string; readonly directories: string; readonly cutAt: number | null };

/** What came of a job. */
export interface AgentReport {
  readonly failure: string | null;
  readonly tookMs: number;
  /** Processor time of all its threads. */
  readonly processorMs: number;
  /** Bytes of the files that were sent, or that have been fetched, by then or before. */
  readonly moved: number;
  /** Bytes that the store was asked for and gave. */
  readonly readBytes: number;
  /** The most memory that the process has held since it started. */
  readonly peakMegabytes: number;
}

/** The running store. */
export interface StoreProcess extends StoreFacts {
  readonly pid: number;
  /** Forgets all objects. Throws when the server has failed itself. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

/** A running process that does jobs, one after the other. */
export interface AgentProcess {
  /** Throws what a job failed with, unless that was to be cut. */
  run(job: Job): Promise<AgentReport>;
  close(): Promise<void>;
}

/** Starts the store, which keeps its objects in a folder. */
export async function startStore(folder: string): Promise<StoreProcess> {
  const child = fork(fileURLToPath(new URL("store-process.js", import.meta.url)), [folder]);
  const facts = await answerOf<StoreFacts>(child);
  return {
    ...facts, pid: child.pid!,
    async empty() {
      child.send("forget");
      const failures = await answerOf<readonly string[]>(child);
      if (failures.length > 0) throw new Error(`the store failed: ${failures.join("; ")}`);
    },
    close: () => end(child),
  };
}

/** Variables by which a process finds whom it is to be for the store. */
export function credentialsOf({ identity }: Pick<StoreFacts, "identity">): Readonly<Record<string, string>> {
  return { AWS_ACCESS_KEY_ID: identity.accessKeyId, AWS_SECRET_ACCESS_KEY: identity.secretAccessKey };
}

/** Starts a process that sends to a store and fetches from it. */
export async function startAgent({ url, region, identity }: StoreFacts): Promise<AgentProcess> {
  const facts: StoreFacts = { url, region, identity };
  const child = fork(fileURLToPath(new URL("agent-process.js", import.meta.url)), [JSON.stringify(facts)], { env: { ...process.env, ...credentialsOf({ identity }) } });
  await answerOf(child);
  return {
    async run(job) {
      child.send(job);
      const report = await answerOf<AgentReport>(child);
      const isCut = job.verb === "fetch" && job.cutAt !== null;
      if ((report.failure !== null) !== isCut) throw new Error(report.failure ?? "it was to be cut off, and was not");
      return report;
    },
    close: () => end(child),
  };
}

/** The next message of a child. Throws when it ends before. */
async function answerOf<T>(child: ChildProcess): Promise<T> {
  const over = new AbortController();
  try {
    const [message] = await Promise.race([
      once(child, "message", { signal: over.signal }),
      once(child, "exit", { signal: over.signal }).then(([code]) => { throw new Error(`a process of the bench ended with ${code}`); }),
    ]) as [T];
    return message;
  } finally {
    over.abort();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.disconnect();
  await ended;
}
