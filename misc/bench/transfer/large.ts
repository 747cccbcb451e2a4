/** One large table, up and down: how fast beside curl, in how much memory, and what the store itself takes of the time. */
import { readFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { contentKey, type Manifest } from "../../../lib/transfer/manifest.js";
import { openSentTable } from "../../../lib/transfer/send/sent-table.js";
import { measureInTurn, type Runs, type Times } from "../measure.js";
import { processorSeconds } from "../cluster/processes.js";
import { requireSame } from "./content.js";
import type { CaseInput, CaseResult } from "./main.js";
import { curlDown, curlUp, type PeerFile } from "./peer.js";
import { startAgent, type AgentReport } from "./processes.js";

/** The part of the speed of curl that is asked for. */
const leastRatio = 0.6;
/** The memory that a transfer may take, MB. */
export const mostMegabytes = 150;
/** The table is fetched into a folder of this name, and its files by curl into another. */
const [ours, theirs] = ["ours", "theirs"];

/** What a table consists of. */
export async function manifestOf(path: string): Promise<Manifest> {
  const table = await openSentTable(path);
  table.close();
  return table.manifest;
}

/** Fetches the table into an empty stage each time, as curl fetches its objects. */
export async function measureDownload(input: CaseInput): Promise<CaseResult[]> {
  const { store, table, scratch, signal } = input;
  const manifest = await manifestOf(table);
  await fill(input);
  const agent = await startAgent(store);
  try {
    let last: AgentReport | undefined;
    const fetch = async (): Promise<void> => {
      last = await agent.run({ verb: "fetch", tables: [manifest.table], stages: join(scratch, ours), directories: join(scratch, "none"), cutAt: null });
    };
    const files = manifest.files.map(({ name, sha256 }) => ({ path: join(scratch, theirs, name), key: contentKey(manifest.table, sha256) }));
    const clear = (): Promise<void> => clearFolders(scratch);
    await clear();
    await fetch();
    await requireSame(manifest, join(scratch, ours, manifest.table));
    const { times, serverSeconds } = await compare(input, [fetch, () => curlDown(store, files, { scratch, signal })], clear);
    return results(manifest, times, { serverSeconds, last: last!, what: "curl && sync" });
  } finally {
    await agent.close();
  }
}

/** Sends the table to an empty store each time, as curl sends its files. */
export async function measureUpload(input: CaseInput): Promise<CaseResult[]> {
  const { store, table, scratch, signal } = input;
  const manifest = await manifestOf(table);
  const agent = await startAgent(store);
  try {
    let last: AgentReport | undefined;
    const send = async (): Promise<void> => { last = await agent.run({ verb: "send", paths: [table] }); };
    const filesTo = (place: string): PeerFile[] => manifest.files.map(({ name, sha256 }) => ({ path: join(place, name), key: contentKey(manifest.table, sha256) }));
    await send();
    await clearFolders(scratch);
    await curlDown(store, filesTo(join(scratch, theirs)), { scratch, signal });
    await requireSame(manifest, join(scratch, theirs));
    await clearFolders(scratch);
    const { times, serverSeconds } = await compare(input, [send, () => curlUp(store, filesTo(table), { scratch, signal })], () => store.empty());
    return results(manifest, times, { serverSeconds, last: last!, what: "curl -T" });
  } finally {
    await agent.close();
  }
}

/** The most memory that a process has held, MB. */
export function peakMegabytes(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1_024 / 1e6;
}

/** Puts the large table into the store by a process that ends: its memory is no part of that of a fetching. */
export async function fill({ store, table }: Pick<CaseInput, "store" | "table">): Promise<void> {
  const agent = await startAgent(store);
  try {
    await agent.run({ verb: "send", paths: [table] });
  } finally {
    await agent.close();
  }
}

/** The times of us and the peer, and the processor time of the store for each run of ours. */
async function compare({ store, runs, signal }: CaseInput, contenders: readonly [() => Promise<void>, () => Promise<void>], before: () => Promise<void>): Promise<{ times: readonly Times[]; serverSeconds: number }> {
  let serverSeconds = 0;
  const measured = async (): Promise<void> => {
    const start = processorSeconds(store.pid);
    await contenders[0]();
    serverSeconds += processorSeconds(store.pid) - start;
  };
  const all: Runs = { warmUps: 0, timed: runs };
  const times = await measureInTurn([measured, contenders[1]], all, signal, before);
  return { times, serverSeconds: serverSeconds / runs };
}

function results({ files }: Manifest, [mine, peer]: readonly Times[], { serverSeconds, last: { peakMegabytes, processorMs }, what }: { serverSeconds: number; last: AgentReport; what: string }): CaseResult[] {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return [
    { times: mine!, bytes, peer: { name: what, times: peer! } },
    { figure: "speed of the peer's", value: peer!.medianMs / mine!.medianMs * 100, unit: "%", limit: leastRatio * 100, isFloor: true },
    { figure: "memory", value: peakMegabytes, unit: "MB", limit: mostMegabytes },
    { figure: "our processor", value: processorMs / (bytes / 1e6), unit: "s/GB", limit: null },
    { figure: "the store's processor", value: serverSeconds / (bytes / 1e9), unit: "s/GB", limit: null },
  ];
}

async function clearFolders(scratch: string): Promise<void> {
  for (const name of [ours, theirs]) {
    await rm(join(scratch, name), { recursive: true, force: true });
    await mkdir(join(scratch, name));
  }
}
