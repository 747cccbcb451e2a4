/** From stages to the files and the footer of a generation. */
import { join } from "node:path";
import { mapBounded } from "../../base/bounded.js";
import { BquerydError } from "../../base/errors.js";
import type { Files } from "../../base/files.js";
import type { Dtype } from "../dtypes.js";
import { sha256Hex, type Footer, type FooterColumn, type FooterSegment } from "../files/footer.js";
import { encodeIndex } from "../files/index.js";
import type { ColumnStage } from "./stage.js";
import { temporaryName } from "../directory/table-directory.js";

/** A finished column of a shard. */
export interface SealedColumn {
  readonly name: string;
  readonly dtype: Dtype;
  readonly unit: string | null;
  /** Segments of the generation before that go on being used, ahead of the rows of the stage. */
  readonly kept: readonly FooterSegment[];
  /** Whether a row of those is null. */
  readonly keptNullable: boolean;
  readonly stage: ColumnStage;
  readonly dictionary: SealedDictionary | null;
}

/** A finished dictionary, the same for all shards of an import. */
export interface SealedDictionary {
  /** Content name of its file, which is there. */
  readonly name: string;
  readonly fileBytes: number;
  readonly count: number;
  /** Bytes of its texts. */
  readonly bytes: number;
}

/** A finished shard. */
export interface SealedShard {
  /** Rows of all segments. */
  readonly rows: number;
  readonly sort: string | null;
  readonly columns: readonly SealedColumn[];
  /** The files of the generation before; those that go on being used are found among them. */
  readonly keptFiles: Footer["files"];
}

type FooterFile = Footer["files"][number];

const filesAtOnce = 8;

/** The content name of bytes. */
export function contentName(content: Uint8Array, extension: "dict" | "idx"): string {
  return `${sha256Hex(content)}.${extension}`;
}

/** Gives every file of a shard its content name, synced, and makes its footer, outside a set. */
export async function sealShard(files: Files, path: string, { rows, sort, columns, keptFiles }: SealedShard): Promise<Footer> {
  const sealed = columns.map(({ stage }) => sealStage(stage));
  const dictionaries = uniqueDictionaries(columns);
  const footerColumns = columns.map((column, i): FooterColumn => ({
    name: column.name, dtype: column.dtype, unit: column.unit,
    nullable: column.keptNullable || column.stage.records.some((record) => record.nullCount > 0),
    segments: [...column.kept, ...sealed[i]!.map(({ segment }) => segment)],
    dictionary: column.dictionary === null ? null : dictionaries.findIndex((dictionary) => dictionary.name === column.dictionary?.name),
  }));
  await mapBounded(sealed.flat().flatMap(({ writes }) => writes), filesAtOnce, (write) => write(files, path));
  const kept = new Set(columns.flatMap((column) => column.kept.flatMap(({ data, index }) => [data, index])));
  return {
    format: "bqueryd", version: 1, rows, chunk_rows: 65_536, set: null, sort,
    columns: footerColumns,
    dictionaries: dictionaries.map(({ name, count, bytes }) => ({ file: name, count, bytes })),
    files: uniqueFiles([
      ...keptFiles.filter(({ name }) => kept.has(name)),
      ...sealed.flat().flatMap((segment) => segment.files),
      ...dictionaries.map(({ name, fileBytes }) => fileFacts(name, fileBytes)),
    ]),
  };
}

/** Writes a whole file under its name: aside, synced, one rename. The directory is left to be synced. */
export async function writeAside(files: Files, path: string, name: string, content: Uint8Array): Promise<void> {
  const aside = join(path, temporaryName());
  await files.createSynced(aside, content);
  await files.rename(aside, join(path, name));
}

/** Makes a file of a directory durable under its content name. */
type Write = (files: Files, path: string) => Promise<void>;

/** The one segment that a stage has become, with its files and what makes them; none when it has no rows. */
function sealStage(stage: ColumnStage): { segment: FooterSegment; files: FooterFile[]; writes: Write[] }[] {
  if (stage.records.length === 0) return [];
  const data = `${stage.hash.digest("hex")}.col`;
  const content = encodeIndex(stage.dtype, stage.records);
  const index = contentName(content, "idx");
  const writeData: Write = async (files, path) => {
    // A writer that takes the lock for that of a dead process removes the file, and what came after would be a file of its own.
    const found = await files.find(stage.path);
    if (found?.bytes !== stage.bytes) throw new BquerydError("IO", `a file just written to ${path} has ${found?.bytes ?? "no"} bytes instead of ${stage.bytes}; see that nothing else changes the directory, and try again`, { details: { path } });
    await files.sync(stage.path);
    await files.rename(stage.path, join(path, data));
  };
  return [{
    segment: { data, index, rows: stage.rows },
    files: [fileFacts(data, stage.bytes), fileFacts(index, content.length)],
    writes: [writeData, (files, path) => writeAside(files, path, index, content)],
  }];
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
