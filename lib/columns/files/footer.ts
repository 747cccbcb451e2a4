/** The footer of a table, version 1: the file that describes one immutable generation. */
import { createHash } from "node:crypto";
import { Type, Value, type TSchema } from "../../base/typebox.js";
import { BquerydError } from "../../base/errors.js";
import { canonicalJson } from "../../base/json.js";
import { limits } from "../../base/limits.js";
import { chunkRows, isTextDtype, type Dtype } from "../dtypes.js";
import { isDtype } from "./encodings.js";

/** A shard's place in the set it was imported with. */
export interface SetPlace {
  /** First 32 hex digits of the SHA-256 over the canonical footers of the shards with `set: null`, in order. */
  readonly id: string;
  readonly index: number;
  readonly count: number;
}

/** What one write added to a column. */
export interface FooterSegment {
  readonly data: string;
  readonly index: string;
  /** Rows still used from it; all but the last segment use a multiple of 65,536. */
  readonly rows: number;
}

/** A column as the footer names it. */
export interface FooterColumn {
  readonly name: string;
  readonly dtype: Dtype;
  readonly nullable: boolean;
  readonly unit: string | null;
  readonly segments: readonly FooterSegment[];
  /** Index into `dictionaries`, or null. */
  readonly dictionary: number | null;
}

/** The footer: canonical JSON on disk, its SHA-256 is the generation. */
export interface Footer {
  readonly format: "bqueryd";
  readonly version: 1;
  readonly rows: number;
  readonly chunk_rows: 65_536;
  readonly set: SetPlace | null;
  readonly sort: string | null;
  readonly columns: readonly FooterColumn[];
  readonly dictionaries: readonly { readonly file: string; readonly count: number; readonly bytes: number }[];
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
}

/** The name of a table's pointer file: the one place a generation becomes visible. */
export const currentName = "CURRENT";

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Name = Type.String({ maxLength: limits.columnNameMax });
const FileName = Type.String({ pattern: "^[0-9a-f]{64}\\.(col|idx|dict)$" });
const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const Shape = Type.Object({
  rows: Count,
  chunk_rows: Type.Literal(chunkRows),
  set: Nullable(Type.Object({ id: Type.String({ pattern: "^[0-9a-f]{32}$" }), index: Count, count: Type.Integer({ minimum: 1, maximum: limits.shardsMax }) })),
  sort: Nullable(Name),
  columns: Type.Array(Type.Object({
    name: Name,
    dtype: Type.String({ maxLength: 64 }),
    nullable: Type.Boolean(),
    unit: Nullable(Type.String({ maxLength: 64 })),
    segments: Type.Array(Type.Object({ data: FileName, index: FileName, rows: Type.Integer({ minimum: 1 }) })),
    dictionary: Nullable(Count),
  }), { maxItems: limits.columnsMax }),
  dictionaries: Type.Array(Type.Object({ file: FileName, count: Count, bytes: Count })),
  files: Type.Array(Type.Object({ name: FileName, bytes: Count, sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }) })),
});

/** The segments that hold the first `rows` rows, a multiple of 65,536 unless all are kept; the last is cut to what is used of it. */
export function keepSegments(segments: readonly FooterSegment[], rows: number): FooterSegment[] {
  let left = rows;
  return segments.flatMap((segment) => {
    const used = Math.min(segment.rows, left);
    left -= used;
    return used === 0 ? [] : [{ ...segment, rows: used }];
  });
}

/** The canonical bytes of a footer, and the generation they are. */
export function encodeFooter(footer: Footer): { bytes: Uint8Array; generation: string } {
  const bytes = Buffer.from(canonicalJson(footer));
  return { bytes, generation: sha256Hex(bytes) };
}

/**
 * The footer in the bytes of `<generation>.json`. Throws CORRUPT_FOOTER when the bytes are not that generation or
 * contradict themselves, UNSUPPORTED_FORMAT for another version, UNSUPPORTED_DTYPE naming the column.
 */
export function decodeFooter(bytes: Uint8Array, generation: string, table: string): Footer {
  if (sha256Hex(bytes) !== generation) throw corruptFooter(table, `footer ${generation} is damaged: its SHA-256 differs`);
  const parsed = parseJson(bytes, table);
  requireVersion(parsed, table);
  if (!Value.Check(Shape, parsed)) {
    const first = Value.Errors(Shape, parsed).First();
    throw corruptFooter(table, `footer ${generation} is malformed at ${first?.path ?? "/"}: ${first?.message ?? "unknown reason"}`);
  }
  for (const { name, dtype } of parsed.columns) {
    if (!isDtype(dtype)) throw new BquerydError("UNSUPPORTED_DTYPE", `column '${name}' of ${table} has dtype ${dtype.slice(0, 64)}, which this release cannot read; use a newer one`, { details: { table, column: name, dtype } });
  }
  const footer = parsed as unknown as Footer;
  const contradiction = findContradiction(footer);
  if (contradiction !== undefined) throw corruptFooter(table, `footer ${generation} contradicts itself: ${contradiction}`);
  return footer;
}

/** A CORRUPT_FOOTER error about the metadata of a table: what is wrong, and what to do. */
export function corruptFooter(table: string, wrong: string, cause?: unknown): BquerydError {
  return new BquerydError("CORRUPT_FOOTER", `${wrong} (table ${table}); copy the table again from a good holder, or import it again`, { details: { table, problem: wrong }, cause });
}

/** The SHA-256 of bytes, as 64 hexadecimal digits. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function parseJson(bytes: Uint8Array, table: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  } catch (cause) {
    throw corruptFooter(table, "a footer is not JSON", cause);
  }
}

function requireVersion(parsed: unknown, table: string): void {
  const { format, version } = Object(parsed) as { format?: unknown; version?: unknown };
  if (format === "bqueryd" && version === 1) return;
  throw new BquerydError("UNSUPPORTED_FORMAT", `${table} is not a bqueryd table of version 1; read it with the release that wrote it`, { details: { table } });
}

/** What the parts of a well-shaped footer say against each other. */
function findContradiction(footer: Footer): string | undefined {
  const files = new Set(footer.files.map((file) => file.name));
  if (footer.files.some((file) => !file.name.startsWith(`${file.sha256}.`))) return "a file is not named by its SHA-256";
  if (new Set(footer.columns.map((column) => column.name)).size !== footer.columns.length) return "two columns have one name";
  if (footer.columns.length === 0 && footer.rows > 0) return "it has rows without columns";
  if (footer.set !== null && footer.set.index >= footer.set.count) return "its place in the set is past the end";
  if (footer.dictionaries.some((dictionary) => !files.has(dictionary.file))) return "a dictionary's file is not listed";
  for (const column of footer.columns) {
    const wrong = findColumnContradiction(column, footer, files);
    if (wrong !== undefined) return `column '${column.name}': ${wrong}`;
  }
  return undefined;
}

function findColumnContradiction(column: FooterColumn, footer: Footer, files: ReadonlySet<string>): string | undefined {
  const { segments, dictionary } = column;
  if (segments.some((segment) => !files.has(segment.data) || !files.has(segment.index))) return "a file is not listed";
  if (segments.some((segment) => !segment.data.endsWith(".col") || !segment.index.endsWith(".idx"))) return "a file is of the wrong sort";
  if (segments.slice(0, -1).some((segment) => segment.rows % chunkRows !== 0)) return "a segment ends inside a chunk";
  if (segments.reduce((sum, segment) => sum + segment.rows, 0) !== footer.rows) return "its segments have other rows than the table";
  if (dictionary === null) return undefined;
  if (!isTextDtype(column.dtype)) return "its dtype has no dictionary";
  const entry = footer.dictionaries[dictionary];
  return entry === undefined || entry.count === 0 ? "its dictionary is missing or empty" : undefined;
}
