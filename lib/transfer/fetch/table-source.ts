/** Where the files of a table come from: objects of a bucket, each a file, under their content's names or their own. */
import { BquerydError } from "../../base/errors.js";
import { isBcolzFileName } from "../../columns/bcolz/files.js";
import { currentName } from "../../columns/files/footer.js";
import { contentKey, decodeManifest, manifestBytesMax, manifestKey, type Manifest } from "../manifest.js";
import { readRanges, type TransferTools } from "./read-ranges.js";

/** The files of one table, to be fetched. */
export interface TableSource {
  /** For people: where it is. */
  readonly place: string;
  /** Bytes of each file by its name in the table's directory. */
  readonly sizes: ReadonlyMap<string, number>;
  /** The bytes of a file from a place on, in order; each piece is good until the next is asked for. Throws OBJECT_STORE, NOT_FOUND. */
  open(name: string, from: number): AsyncIterable<Uint8Array>;
}

/** How a table lies in a bucket. */
export type SourceKind = "manifest" | "zip" | "plain";

/** Objects of a plain copy at most. */
const objectsMax = 2_000_000;

/**
 * How a table lies in a bucket: with the manifest that was sent last, as a zip under its name, or as a copy of its
 * directory; the first of these that there is. Throws NOT_FOUND, and what the store throws.
 */
export async function findSourceKind({ store, signal }: Pick<TransferTools, "store" | "signal">, table: string): Promise<SourceKind> {
  if (await store.head(manifestKey(table), { signal }) !== undefined) return "manifest";
  if (await store.head(table, { signal }) !== undefined) return "zip";
  for (const name of [currentName, "__rootdirs__"]) {
    if (await store.head(`${table}/${name}`, { signal }) !== undefined) return "plain";
  }
  throw new BquerydError("NOT_FOUND", `${store.place} has no table ${table}; check the name and the bucket, or upload it first`, { details: { table } });
}

/** The manifest under a key. Throws NOT_FOUND, BAD_INPUT, UNSUPPORTED_FORMAT. */
export async function readManifest(tools: TransferTools, table: string, key: string): Promise<Manifest> {
  const found = await tools.store.head(key, { signal: tools.signal });
  if (found === undefined) throw new BquerydError("NOT_FOUND", `${tools.store.place} has no ${key}; upload the table again`, { details: { table } });
  const bytesMax = Math.min(found.bytes, manifestBytesMax + 1);
  return decodeManifest(await readTogether(readRanges(tools, { key, etag: found.etag, start: 0, end: bytesMax })), table);
}

/** The files that a manifest names. Throws NOT_FOUND naming the first that is not in the bucket in its size. */
export async function openManifestSource(tools: TransferTools, manifest: Manifest): Promise<TableSource> {
  const keys = new Map(manifest.files.map((file) => [contentKey(manifest.table, file.sha256), file]));
  const missing = new Map(keys);
  for await (const { key, bytes } of tools.store.list(`${manifest.table}/`, { signal: tools.signal })) {
    if (keys.get(key)?.bytes === bytes) missing.delete(key);
  }
  const [key] = missing.keys();
  if (key !== undefined) throw new BquerydError("NOT_FOUND", `${tools.store.place} lacks ${key} in the size that the manifest of ${manifest.table} says, as it does ${missing.size - 1} more; upload the table again`, { details: { table: manifest.table, key } });
  const byName = new Map(manifest.files.map((file) => [file.name, file]));
  return {
    place: `${tools.store.place}/${manifest.table}`,
    sizes: new Map(manifest.files.map(({ name, bytes }) => [name, bytes])),
    open(name, from) {
      const { sha256, bytes } = byName.get(name)!;
      return readRanges(tools, { key: contentKey(manifest.table, sha256), start: from, end: bytes });
    },
  };
}

/** A copy of a table's directory, as it is now: what has a name as tables have it. Throws BAD_INPUT for more than any table has. */
export async function openPlainSource(tools: TransferTools, table: string): Promise<TableSource> {
  const prefix = `${table}/`;
  const objects = new Map<string, { readonly bytes: number; readonly etag: string }>();
  let seen = 0;
  for await (const { key, bytes, etag } of tools.store.list(prefix, { signal: tools.signal })) {
    if (++seen > objectsMax) throw new BquerydError("BAD_INPUT", `${tools.store.place}/${prefix} has more than ${objectsMax} objects, more than a table; name the prefix of a table`, { details: { table } });
    const name = key.slice(prefix.length);
    if (isFileName(name)) objects.set(name, { bytes, etag });
  }
  return {
    place: `${tools.store.place}/${table}`,
    sizes: new Map([...objects].map(([name, { bytes }]) => [name, bytes])),
    open(name, from) {
      const { bytes, etag } = objects.get(name)!;
      return readRanges(tools, { key: prefix + name, etag, start: from, end: bytes });
    },
  };
}

/** Tells whether a copy of a table's directory can have a file of that name, ours or of bcolz, that is worth fetching. */
export function isFileName(name: string): boolean {
  return name === currentName || /^[0-9a-f]{64}\.(?:col|idx|dict|json)$/.test(name) || isBcolzFileName(name);
}

/** Pieces as one. */
export async function readTogether(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const copies: Uint8Array[] = [];
  for await (const piece of pieces) copies.push(Buffer.from(piece));
  return Buffer.concat(copies);
}
