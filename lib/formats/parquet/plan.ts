/** From the metadata of a Parquet file to what is read of it: columns, row groups, places of bytes. All of it is checked. */
import type { ColumnChunk, FileMetaData, RowGroup, SchemaTree } from "hyparquet";
import { BquerydError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { formatCount, formatCounted } from "../../base/quantities.js";
import { chunkRows } from "../../columns/dtypes.js";
import type { Dtype } from "../../columns/dtypes.js";
import { describeParquetColumn } from "./columns.js";
import type { ParquetColumn } from "./columns.js";
import { tooLarge } from "./group.js";
import type { GroupPlan, PlannedColumn } from "./group.js";
import type { RefusedColumn, WantedColumn } from "../source.js";

/** A Parquet file as its metadata describes it. */
export interface ParquetSchema {
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  readonly columns: readonly (ParquetColumn | RefusedColumn)[];
  readonly groups: readonly RowGroup[];
}

/** The most that the columns read of a row group may be before compression. */
const groupRawBytesMax = 1_000_000_000;
/** What the texts of a part should not pass by far. */
const partBytes = 32 * 1024 * 1024;

/** The schema of a file of `bytes`; `named` has the dtypes that the user chose. Throws BAD_INPUT for what cannot be. */
export function describeSchema(path: string, metadata: FileMetaData, tree: SchemaTree, { bytes, named }: { readonly bytes: number; readonly named: ReadonlyMap<string, Dtype> }): ParquetSchema {
  const columns = tree.children.map((child) => describeParquetColumn(child, named.get(child.element.name)));
  if (columns.length === 0) throw badFile(path, "has no columns; nothing can be imported from it");
  if (columns.length > limits.columnsMax) throw badFile(path, `has ${columns.length} columns; the limit is ${limits.columnsMax}`);
  if (new Set(columns.map(({ name }) => name)).size < columns.length) throw badFile(path, "has two columns of one name; rename one of them");
  const { num_rows: rows, row_groups: groups } = metadata;
  const groupRows = groups.reduce((sum, group) => sum + group.num_rows, 0n);
  if (groupRows !== rows || groups.some((group) => group.num_rows < 0n) || rows > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw badFile(path, `claims ${formatCounted(Number(rows), "row")} and its row groups ${formatCount(Number(groupRows))}; write it again`);
  }
  return { path, rows: Number(rows), bytes, columns, groups };
}

/** What is to be read, row group after row group; those without rows are left out. Throws BAD_INPUT, MEMORY_LIMIT. */
export function planGroups(schema: ParquetSchema, wanted: readonly WantedColumn[]): GroupPlan[] {
  const columns = wanted.map(({ name, dtype }) => ({ column: requireColumn(schema, name), dtype }));
  const plans: GroupPlan[] = [];
  let firstRow = 0;
  for (const [index, group] of schema.groups.entries()) {
    const rows = Number(group.num_rows);
    if (rows > 0) plans.push(planGroup(schema, group, { index, firstRow, rows, columns }));
    firstRow += rows;
  }
  return plans;
}

interface GroupFacts {
  readonly index: number;
  readonly firstRow: number;
  readonly rows: number;
  readonly columns: readonly Omit<PlannedColumn, "place">[];
}

function planGroup({ path, bytes }: ParquetSchema, group: RowGroup, { index, firstRow, rows, columns }: GroupFacts): GroupPlan {
  const chunks = new Map(group.columns.map((chunk) => [nameOf(chunk), chunk]));
  let rawBytes = 0;
  const planned = columns.map(({ column, dtype }) => {
    const chunk = chunks.get(column.name);
    const facts = chunk?.meta_data;
    if (chunk === undefined || facts === undefined || chunk.file_path !== undefined || facts.num_values !== group.num_rows) {
      throw badFile(path, `lacks column '${column.name}' in row group ${index}; write it again`);
    }
    rawBytes += Number(facts.total_uncompressed_size);
    return { column, dtype, place: { ...placeOf(facts), codec: facts.codec, optional: column.optional } };
  });
  for (const { column, place } of planned) {
    if (!(place.start >= 0 && place.end >= place.start && place.end <= bytes)) throw badFile(path, `says that column '${column.name}' lies past its end; copy or download it again`);
  }
  if (rawBytes > groupRawBytesMax) throw tooLarge(path, index, rawBytes);
  return { path, index, firstRow, rows, rawBytes, partRows: partRowsOf(rawBytes, rows), columns: planned };
}

/** Fewer rows than a chunk where these are long. */
function partRowsOf(rawBytes: number, rows: number): number {
  const rowBytes = Math.max(1, rawBytes / rows);
  return Math.max(1, Math.min(chunkRows, Math.floor(partBytes / rowBytes)));
}

/** Some writers name the place of the dictionary as that of the first data page, and none for the dictionary. */
function placeOf(facts: NonNullable<ColumnChunk["meta_data"]>): { start: number; end: number } {
  const { dictionary_page_offset: dictionary = 0n, data_page_offset: data, total_compressed_size: bytes } = facts;
  const start = Number(dictionary > 0n && dictionary < data ? dictionary : data);
  return { start, end: start + Number(bytes) };
}

/** Undefined for what lies within a nested column. */
function nameOf({ meta_data: facts }: ColumnChunk): string | undefined {
  return facts?.path_in_schema.length === 1 ? facts.path_in_schema[0] : undefined;
}

function requireColumn({ path, columns }: ParquetSchema, name: string): ParquetColumn {
  const column = columns.find((candidate) => candidate.name === name);
  if (column === undefined || !("dtype" in column)) throw new BquerydError("INTERNAL", `column '${name}' of ${path} is read but not held`);
  return column;
}

function badFile(path: string, what: string): BquerydError {
  return new BquerydError("BAD_INPUT", `${path} ${what}`, { details: { path } });
}
