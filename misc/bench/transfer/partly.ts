/** What need not be moved: columns that are there already, and what came before a transfer was cut off. Bytes, not times. */
import { basename, join } from "node:path";
import { encodeManifest, type Manifest } from "../../../lib/transfer/manifest.js";
import { bufferBytes, buffersMax } from "../../../lib/transfer/fetch/buffers.js";
import { requireSame } from "./content.js";
import { manifestOf } from "./large.js";
import type { CaseInput, CaseResult } from "./main.js";
import { startAgent } from "./processes.js";
import { wideColumns, writeWide } from "./tables.js";

const megabyte = 1e6;

/** Sends and fetches the table anew, one column of which is another. Throws when a byte more moves than has to. */
export async function measureUnchanged(input: CaseInput): Promise<CaseResult[]> {
  const { store, table, rows, scratch } = input;
  const name = basename(table);
  const agent = await startAgent(store);
  try {
    await agent.run({ verb: "send", paths: [table] });
    const before = await manifestOf(table);
    const first = join(scratch, "first");
    await agent.run({ verb: "fetch", tables: [name], stages: first, directories: join(scratch, "none"), cutAt: null });
    const changed = join(scratch, "changed", name);
    await writeWide(changed, rows, Array.from({ length: wideColumns }, (_, column) => (column === 0 ? wideColumns : column)));
    const after = await manifestOf(changed);
    const known = new Set(before.files.map(({ sha256 }) => sha256));
    const newBytes = bytesOf({ ...after, files: after.files.filter(({ sha256 }) => !known.has(sha256)) });
    const { moved: sentBytes } = await agent.run({ verb: "send", paths: [changed] });
    if (sentBytes !== newBytes) throw new Error(`${sentBytes} bytes were sent of which ${newBytes} are new`);
    const second = join(scratch, "second");
    const { readBytes } = await agent.run({ verb: "fetch", tables: [name], stages: second, directories: first, cutAt: null });
    await requireSame(after, join(second, name));
    const fetchedBytes = readBytes - encodeManifest(after).length;
    if (fetchedBytes !== newBytes) throw new Error(`${fetchedBytes} bytes were fetched of which ${newBytes} are new`);
    return [
      { figure: "of the table sent", value: sentBytes / bytesOf(after) * 100, unit: "%", limit: null },
      { figure: "of the table fetched", value: fetchedBytes / bytesOf(after) * 100, unit: "%", limit: null },
    ];
  } finally {
    await agent.close();
  }
}

/** Cuts a fetching off in the middle and goes on: only what was in memory comes twice. */
export async function measureResume(input: CaseInput): Promise<CaseResult[]> {
  const { store, table, scratch } = input;
  const manifest = await manifestOf(table);
  const agent = await startAgent(store);
  try {
    await agent.run({ verb: "send", paths: [table] });
    const job = { verb: "fetch", tables: [manifest.table], stages: join(scratch, "ours"), directories: join(scratch, "none") } as const;
    const { readBytes: firstBytes } = await agent.run({ ...job, cutAt: 0.5 });
    const { readBytes: restBytes } = await agent.run({ ...job, cutAt: null });
    await requireSame(manifest, join(scratch, "ours", manifest.table));
    const manifestBytes = 2 * encodeManifest(manifest).length;
    return [
      { figure: "fetched before the cut", value: firstBytes / megabyte, unit: "MB", limit: null },
      { figure: "fetched twice", value: (firstBytes + restBytes - manifestBytes - bytesOf(manifest)) / megabyte, unit: "MB", limit: bufferBytes * buffersMax / megabyte },
    ];
  } finally {
    await agent.close();
  }
}

function bytesOf({ files }: Manifest): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
