/**
 * The manifest of a generation: what a bucket holds of it, under which names, canonical JSON.
 *
 *   TABLE/SHA256                     a file of the table, whatever its name in the table's directory
 *   TABLE/GENERATION.manifest.json   the manifest of a generation
 *   TABLE/CURRENT.manifest.json      the one that was sent last
 *
 * It comes from a bucket that others may write, so it is believed in nothing: every name is one that a table can have,
 * and every size and hash is looked at again when the files come.
 */
import { Type, Value, type Static } from "../base/typebox.js";
import { BquerydError } from "../base/errors.js";
import { canonicalJson } from "../base/json.js";
import { limits } from "../base/limits.js";
import { isBcolzFileName } from "../columns/bcolz/files.js";
import { isTableName } from "../columns/names.js";

/** Bytes of a manifest at most. */
export const manifestBytesMax = 128 * 1024 * 1024;

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Hash = Type.String({ pattern: "^[0-9a-f]{64}$" });
const File = Type.Object({
  name: Type.String({ maxLength: 300 }),
  bytes: Count,
  sha256: Hash,
  modified_ms: Type.Optional(Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 })),
});
const Shape = Type.Object({
  format: Type.Literal("bqueryd-manifest"),
  version: Type.Literal(1),
  kind: Type.Union([Type.Literal("bqueryd"), Type.Literal("bcolz")]),
  table: Type.String({ maxLength: limits.tableNameMax }),
  generation: Hash,
  rows: Count,
  files: Type.Array(File, { minItems: 1, maxItems: 1_000_000 }),
});

/** A file of a table: its name in the directory, and for one of bcolz the time of change that its copies are given. */
export type ManifestFile = Readonly<Static<typeof File>>;

/**
 * What makes up one generation. `kind` tells whose files they are. Of our own the footer is one of them, and the
 * generation its SHA-256; of bcolz the generation is that of a directory whose files have the times given here.
 */
export interface Manifest extends Readonly<Omit<Static<typeof Shape>, "files">> {
  readonly files: readonly ManifestFile[];
}

/** The key of the manifest of a generation; without one, of that which was sent last. */
export function manifestKey(table: string, generation?: string): string {
  return `${table}/${generation ?? "CURRENT"}.manifest.json`;
}

/** The key of a file by its content. */
export function contentKey(table: string, sha256: string): string {
  return `${table}/${sha256}`;
}

/** The bytes of a manifest. Throws MEMORY_LIMIT when there are too many. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const bytes = Buffer.from(canonicalJson(manifest));
  if (bytes.length <= manifestBytesMax) return bytes;
  throw new BquerydError("MEMORY_LIMIT", `the manifest of ${manifest.table} would take ${bytes.length} bytes of at most ${manifestBytesMax}; import the table with fewer files`, { details: { table: manifest.table } });
}

/** The manifest in bytes, of a table. Throws BAD_INPUT saying what is wrong, UNSUPPORTED_FORMAT for one of a later release. */
export function decodeManifest(bytes: Uint8Array, table: string): Manifest {
  if (bytes.length > manifestBytesMax) throw badManifest(table, `it has ${bytes.length} bytes, more than ${manifestBytesMax}`);
  const parsed = parseJson(bytes, table);
  requireVersion(parsed, table);
  if (!Value.Check(Shape, parsed)) {
    const first = Value.Errors(Shape, parsed).First();
    throw badManifest(table, `it is malformed at ${first?.path ?? "/"}: ${first?.message ?? "unknown reason"}`);
  }
  const wrong = findContradiction(parsed, table);
  if (wrong !== undefined) throw badManifest(table, wrong);
  return parsed;
}

/** A BAD_INPUT error about the manifest of a table. */
export function badManifest(table: string, wrong: string, cause?: unknown): BquerydError {
  return new BquerydError("BAD_INPUT", `the manifest of ${table} cannot be used: ${wrong}; upload the table again`, { details: { table }, cause });
}

function parseJson(bytes: Uint8Array, table: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  } catch (cause) {
    throw badManifest(table, "it is not JSON", cause);
  }
}

function requireVersion(parsed: unknown, table: string): void {
  const { format, version } = Object(parsed) as { format?: unknown; version?: unknown };
  if (format !== "bqueryd-manifest") throw badManifest(table, "it is no manifest");
  if (version !== 1) throw new BquerydError("UNSUPPORTED_FORMAT", `the manifest of ${table} is not of version 1; use the release that wrote it`, { details: { table } });
}

function findContradiction(manifest: Manifest, table: string): string | undefined {
  const { files, generation } = manifest;
  if (!isTableName(table) || manifest.table !== table) return `it is that of '${manifest.table}'`;
  const names = new Set(files.map(({ name }) => name));
  if (names.size < files.length) return "it names a file twice";
  if (!Number.isSafeInteger(files.reduce((sum, { bytes }) => sum + bytes, 0))) return "its files are larger than any disk";
  const isName = manifest.kind === "bcolz" ? isBcolzFile : (file: ManifestFile): boolean => isOwnFile(file, generation);
  const foreign = files.find((file) => !isName(file));
  if (foreign !== undefined) return `no table has a file ${JSON.stringify(foreign.name)} like that`;
  return names.has(manifest.kind === "bcolz" ? "__rootdirs__" : `${generation}.json`) ? undefined : "it lacks the file that makes it a table";
}

/** A file of our own is named by its content. */
function isOwnFile({ name, bytes, sha256, modified_ms: modifiedMs }: ManifestFile, generation: string): boolean {
  if (modifiedMs !== undefined) return false;
  if (name === `${generation}.json`) return sha256 === generation && bytes <= limits.footerBytesMax;
  return name === `${sha256}.col` || name === `${sha256}.idx` || name === `${sha256}.dict`;
}

function isBcolzFile({ name, modified_ms: modifiedMs }: ManifestFile): boolean {
  return modifiedMs !== undefined && isBcolzFileName(name);
}
