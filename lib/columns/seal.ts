/** From stages to the files and the footer of a generation. */
import { join } from "node:path";
import { mapBounded } from "../base/bounded.js";
import type { Files } from "../base/files.js";
import type { Dtype } from "./dtypes.js";
import { sha256Hex, type Footer, type FooterColumn } from "./footer.js";
import { encodeIndex } from "./index-file.js";
import { temporaryName, type ColumnStage } from "./stage.js";

/** A finished column of a shard. */
export interface SealedColumn {
  readonly name: string;
  readonly dtype: Dtype;
  readonly stage: ColumnStage;
  readonly dictionary: SealedDictionary | null;
}

/** A finished dictionary, the same for all shards of an import. */
export interface SealedDictionary {
  /** Content name. */
  readonly name: string;
  readonly content: Uint8Array;
  readonly count: number;
  /** Bytes of its strings. */
  readonly bytes: number;
}

type FooterFile = Footer["files"][number];

const filesAtOnce = 8;

/** The content name of bytes. */
export function contentName(content: Uint8Array, extension: "dict" | "idx"): string {
  return `${sha256Hex(content)}.${extension}`;
}

/** Gives every file of a shard its content name, synced, and makes its footer, outside a set. */
export async function sealShard(files: Files, path: string, { rows, sort, columns }: { rows: number; sort: string | null; columns: readonly SealedColumn[] }): Promise<Footer> {
  const sealed = await mapBounded(columns, filesAtOnce, (column) => sealStage(files, path, column));
  const dictionaries = uniqueDictionaries(columns);
  await mapBounded(dictionaries, filesAtOnce, (dictionary) => writeAside(files, path, dictionary.name, dictionary.content));
  const footerColumns = columns.map((column, i): FooterColumn => ({
    name: column.name, dtype: column.dtype, unit: null,
    nullable: column.stage.records.some((record) => record.nullCount > 0),
    segments: sealed[i]!.map(({ data, index }) => ({ data: data.name, index: index.name, rows })),
    dictionary: column.dictionary === null ? null : dictionaries.findIndex((dictionary) => dictionary.name === column.dictionary?.name),
  }));
  return {
    format: "bqueryd", version: 1, rows, chunk_rows: 65_536, set: null, sort,
    columns: footerColumns,
    dictionaries: dictionaries.map(({ name, count, bytes }) => ({ file: name, count, bytes })),
    files: uniqueFiles([...sealed.flat().flatMap(({ data, index }) => [data, index]), ...dictionaries.map((dictionary) => fileFacts(dictionary.name, dictionary.content.length))]),
  };
}

/** Writes a whole file under its name: aside, synced, one rename. The directory is left to be synced. */
export async function writeAside(files: Files, path: string, name: string, content: Uint8Array): Promise<void> {
  const aside = join(path, temporaryName());
  await files.create(aside, content);
  await files.sync(aside);
  await files.rename(aside, join(path, name));
}

/** The files of the one segment of a column; none when it has no rows. */
async function sealStage(files: Files, path: string, column: SealedColumn): Promise<{ data: FooterFile; index: FooterFile }[]> {
  const { stage } = column;
  if (stage.records.length === 0) return [];
  const data = `${stage.hash.digest("hex")}.col`;
  await files.sync(stage.path);
  await files.rename(stage.path, join(path, data));
  const content = encodeIndex(column.dtype, stage.records);
  const index = contentName(content, "idx");
  await writeAside(files, path, index, content);
  return [{ data: fileFacts(data, stage.bytes), index: fileFacts(index, content.length) }];
}

function uniqueDictionaries(columns: readonly SealedColumn[]): SealedDictionary[] {
  const byName = new Map<string, SealedDictionary>();
  for (const { dictionary } of columns) if (dictionary !== null) byName.set(dictionary.name, dictionary);
  return [...byName.values()];
}

/** Columns that are equal share their files. */
function uniqueFiles(all: readonly FooterFile[]): FooterFile[] {
  const byName = new Map(all.map((file) => [file.name, file]));
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function fileFacts(name: string, bytes: number): FooterFile {
  return { name, bytes, sha256: name.slice(0, name.indexOf(".")) };
}
