/**
 * Sending tables to a store: first every file that is not there, named by its content, then the manifests. Whoever reads
 * sees a generation once its manifest is there, and so whole; what a sending that was cut off has left is found by the
 * next and not sent again.
 */
import { basename, resolve } from "node:path";
import { mapBounded } from "../../base/bounded.js";
import { BquerydError } from "../../base/errors.js";
import type { SetPlace } from "../../columns/files/footer.js";
import type { ObjectStore } from "../../objects/objects.js";
import { contentKey, encodeManifest, manifestKey, type ManifestFile } from "../manifest.js";
import { openSentTable, type SentTable } from "./sent-table.js";
import { stopTogether } from "../stopping.js";

/** How tables are sent. */
export interface UploadOptions {
  /** Aborting it ends the sending with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** Files sent side by side; 4 without it. */
  readonly filesAtOnce?: number | undefined;
  /** Called as bytes are stored. */
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined;
}

/** How far a sending is. Files that were there already count as done from the beginning. */
export interface UploadProgress {
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/** A table that a store holds now. */
export interface UploadedTable {
  readonly table: string;
  readonly generation: string;
  readonly manifestKey: string;
  readonly rows: number;
  /** Its place in a set; null for a table that is none's. */
  readonly set: SetPlace | null;
  /** Of all its files, and of those that had to be sent. */
  readonly bytes: number;
  readonly bytesSent: number;
}

/** A file to be sent, once for each content. */
interface Sending {
  readonly table: SentTable;
  readonly file: ManifestFile;
  /** Whether the store has another object by that key, of another length: a content name that lies. */
  readonly isWrong: boolean;
}

const tablesAtOnce = 8;
const filesAtOnceDefault = 4;

/**
 * Sends the tables in directories, each as it is now. Throws what opening a table throws, BAD_INPUT for two of one name,
 * CORRUPT_CHUNK for a damaged file, BUSY for one of bcolz that is written meanwhile, CANCELLED, and what the store throws.
 */
export async function uploadTables(store: ObjectStore, paths: readonly string[], options: UploadOptions = {}): Promise<UploadedTable[]> {
  requireNames(paths);
  const tables: SentTable[] = [];
  try {
    return await stopTogether(options.signal, async (signal, fail) => {
      const sendings = await mapBounded(paths, tablesAtOnce, async (path) => {
        const table = await openSentTable(path, signal);
        tables.push(table);
        return findMissing(store, table, signal);
      });
      await sendFiles(store, sendings.flat(), tables, { ...options, signal, fail });
      const bytesSent = new Map(sendings.map((ofTable) => [ofTable[0]?.table, ofTable.reduce((sum, { file }) => sum + file.bytes, 0)]));
      const sent = await mapBounded(tables, tablesAtOnce, (table) => sendManifest(store, table, bytesSent.get(table) ?? 0, signal));
      return sent.sort((a, b) => placeOf(paths, a.table) - placeOf(paths, b.table));
    });
  } finally {
    for (const table of tables) table.close();
  }
}

/** One listing tells what is there; asking for each file would take as many requests. */
async function findMissing(store: ObjectStore, table: SentTable, signal: AbortSignal): Promise<Sending[]> {
  const { manifest } = table;
  const wanted = new Map(manifest.files.map((file) => [contentKey(manifest.table, file.sha256), file]));
  const wrong = new Set<string>();
  for await (const { key, bytes } of store.list(`${manifest.table}/`, { signal })) {
    const file = wanted.get(key);
    if (file?.bytes === bytes) wanted.delete(key);
    else if (file !== undefined) wrong.add(key);
  }
  return [...wanted].map(([key, file]) => ({ table, file, isWrong: wrong.has(key) }));
}

async function sendFiles(store: ObjectStore, sendings: readonly Sending[], tables: readonly SentTable[], { signal, fail, filesAtOnce, onProgress }: UploadOptions & { signal: AbortSignal; fail: (cause: unknown) => never }): Promise<void> {
  const all = tables.flatMap(({ manifest }) => uniqueFiles(manifest.files));
  const bytesTotal = all.reduce((sum, { bytes }) => sum + bytes, 0);
  let filesDone = all.length - sendings.length;
  let bytesDone = bytesTotal - sendings.reduce((sum, { file }) => sum + file.bytes, 0);
  const report = (): void => { onProgress?.({ filesDone, filesTotal: all.length, bytesDone, bytesTotal }); };
  report();
  await mapBounded(sendings, filesAtOnce ?? filesAtOnceDefault, async ({ table, file, isWrong }) => {
    let counted = 0;
    const count = (bytes: number): void => {
      bytesDone += bytes - counted;
      counted = bytes;
      report();
    };
    try {
      await store.write(contentKey(table.manifest.table, file.sha256), table.sourceOf(file), { signal, onlyNew: !isWrong, onProgress: count });
    } catch (cause) {
      fail(cause);
    }
    filesDone++;
    count(file.bytes);
  });
}

async function sendManifest(store: ObjectStore, { manifest, set }: SentTable, bytesSent: number, signal: AbortSignal): Promise<UploadedTable> {
  const { table, generation, rows, files } = manifest;
  const bytes = encodeManifest(manifest);
  const source = { bytes: bytes.length, async *open(start: number, end: number) { yield bytes.subarray(start, end); } };
  await store.write(manifestKey(table, generation), source, { signal });
  await store.write(manifestKey(table), source, { signal });
  return { table, generation, rows, set, manifestKey: manifestKey(table, generation), bytes: uniqueFiles(files).reduce((sum, file) => sum + file.bytes, 0), bytesSent };
}

/** Files of one content are one object. */
function uniqueFiles(files: readonly ManifestFile[]): ManifestFile[] {
  return [...new Map(files.map((file) => [file.sha256, file])).values()];
}

function requireNames(paths: readonly string[]): void {
  const names = paths.map((path) => basename(resolve(path)));
  const double = names.find((name, at) => names.indexOf(name) < at);
  if (double !== undefined) throw new BquerydError("BAD_INPUT", `two tables are named ${double}, which would be one in the bucket; send one of them, or rename it`, { details: { table: double } });
}

function placeOf(paths: readonly string[], table: string): number {
  return paths.findIndex((path) => basename(resolve(path)) === table);
}
