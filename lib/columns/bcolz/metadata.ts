/**
 * The JSON files of a bcolz 1.x table, read and checked: everything in them comes from outside.
 *
 *   __rootdirs__        {"names": [...]}: the columns in order; older ones have "dirs" besides, which is not looked at
 *   COLUMN/meta/sizes   {"shape": [rows, ...], "nbytes", "cbytes"}: only the shape counts
 *   COLUMN/meta/storage {"dtype", "chunklen", ...}: the rest concerns writers
 */
import { Type, Value, type Static, type TSchema } from "../../base/typebox.js";
import { limits } from "../../base/limits.js";
import { corruptFooter } from "../files/footer.js";

/** What the two files of a column say. */
export interface ColumnMetadata {
  readonly dtype: string;
  readonly rows: number;
  /** Dimensions of one row; none for a plain column. */
  readonly rowShape: readonly number[];
  /** Rows of a chunk. */
  readonly chunkLength: number;
}

/** Bytes of a metadata file at most: names are escaped, a default value is as wide as its column. */
export const metadataBytesMax = 16 * 1024 * 1024;
/** No Python process has ever filled more; it keeps loops over chunks that a table claims to have finite. */
const rowsMax = 2 ** 40;

const Whole = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Names = Type.Object({ names: Type.Array(Type.String({ minLength: 1, maxLength: limits.columnNameMax }), { maxItems: limits.columnsMax }) });
const Sizes = Type.Object({ shape: Type.Array(Whole, { minItems: 1, maxItems: 32 }) });
const Storage = Type.Object({ dtype: Type.String({ maxLength: 65_536 }), chunklen: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }) });

/** The column names in the bytes of `__rootdirs__`. Throws CORRUPT_FOOTER, also for a name that is no plain directory name. */
export function decodeNames(bytes: Uint8Array, table: string): string[] {
  const { names } = decode(Names, bytes, "__rootdirs__", table);
  const strange = names.find((name) => /[/\0]/.test(name) || name === "." || name === "..");
  if (strange !== undefined) throw corruptFooter(table, `column name ${JSON.stringify(strange.slice(0, 80))} is no name of a directory`);
  if (new Set(names).size !== names.length) throw corruptFooter(table, "__rootdirs__ names a column twice");
  return names;
}

/** The metadata of a column in the bytes of its two files. Throws CORRUPT_FOOTER. */
export function decodeColumnMetadata(files: { sizes: Uint8Array; storage: Uint8Array }, column: string, table: string): ColumnMetadata {
  const [rows = 0, ...rowShape] = decode(Sizes, files.sizes, `meta/sizes of column '${column}'`, table).shape;
  const { dtype, chunklen } = decode(Storage, files.storage, `meta/storage of column '${column}'`, table);
  if (rows > rowsMax) throw corruptFooter(table, `column '${column}' claims ${rows} rows`);
  return { dtype, rows, rowShape, chunkLength: chunklen };
}

function decode<T extends TSchema>(schema: T, bytes: Uint8Array, file: string, table: string): Static<T> {
  const parsed = parse(bytes, file, table);
  if (Value.Check(schema, parsed)) return parsed;
  const first = Value.Errors(schema, parsed).First();
  throw corruptFooter(table, `${file} is malformed at ${first?.path === "" ? "its top" : first?.path.slice(0, 200)}: ${first?.message}`);
}

function parse(bytes: Uint8Array, file: string, table: string): unknown {
  try {
    return JSON.parse(withoutNaN(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()));
  } catch (cause) {
    throw corruptFooter(table, `${file} is not JSON`, cause);
  }
}

/** Python writes NaN and Infinity as such, as a default value of floats for instance; JSON has neither. */
function withoutNaN(text: string): string {
  return /NaN|Infinity/.test(text) ? replaceOutsideStrings(text) : text;
}

function replaceOutsideStrings(text: string): string {
  let result = "";
  let from = 0;
  let isInside = false;
  for (let at = 0; at < text.length; at++) {
    if (isInside && text[at] === "\\") at++;
    else if (text[at] === '"') {
      result += isInside ? text.slice(from, at + 1) : replaceNaN(text.slice(from, at + 1));
      from = at + 1;
      isInside = !isInside;
    }
  }
  return result + (isInside ? text.slice(from) : replaceNaN(text.slice(from)));
}

function replaceNaN(text: string): string {
  return text.replace(/-?\b(?:NaN|Infinity)\b/g, "null");
}
