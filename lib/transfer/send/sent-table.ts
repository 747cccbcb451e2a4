/** A table as it is about to be sent: its manifest, and where each of its files lies. */
import { statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { BquerydError } from "../../base/errors.js";
import { isBcolz, readBcolzDirectory } from "../../columns/bcolz/directory.js";
import { listBcolzFiles } from "../../columns/bcolz/files.js";
import type { SetPlace } from "../../columns/files/footer.js";
import { parseTableName } from "../../columns/names.js";
import { openOwnTable } from "../../columns/read/open.js";
import type { ObjectSource } from "../../objects/objects.js";
import { digestFile, hashedSource } from "../digest.js";
import type { Manifest, ManifestFile } from "../manifest.js";

/** A table that nothing is collected of until it is closed. */
export interface SentTable {
  readonly manifest: Manifest;
  /** Its place in a set; null for a table that is none's. */
  readonly set: SetPlace | null;
  /** A file of the manifest, hashed as it is read: of one that is not what the manifest says CORRUPT_CHUNK, or BUSY of one of bcolz. */
  sourceOf(file: ManifestFile): ObjectSource;
  close(): void;
}

/**
 * Opens the table in a directory as it is now. The files of one of bcolz, which are not named by content, are all read.
 * Throws NOT_FOUND where there is no table, BAD_INPUT for a name that no table has, CORRUPT_FOOTER, CANCELLED, IO.
 */
export async function openSentTable(path: string, signal?: AbortSignal): Promise<SentTable> {
  parseTableName(basename(resolve(path)));
  return isBcolz(path) ? openSentBcolz(resolve(path), signal) : openSentOwn(path);
}

function openSentOwn(path: string): SentTable {
  const table = openOwnTable(path, { pin: true });
  const { generation, name, rows, footer } = table;
  const pathOf = (file: string): string => join(table.path, file);
  const footerName = `${generation}.json`;
  return {
    set: footer.set,
    manifest: {
      format: "bqueryd-manifest", version: 1, kind: "bqueryd", table: name, generation, rows,
      files: [...footer.files.map(({ name: file, bytes, sha256 }) => ({ name: file, bytes, sha256 })), { name: footerName, bytes: statSync(pathOf(footerName)).size, sha256: generation }],
    },
    sourceOf: (file) => hashedSource(pathOf(file.name), file, () => new BquerydError("CORRUPT_CHUNK", `file ${file.name} of ${name} is damaged: its SHA-256 differs; copy the table again from a good holder, or import it again`, { details: { table: name, file: file.name } })),
    close: () => { table.close(); },
  };
}

/**
 * A generation of bcolz goes by the times of its files, which a copy does not keep by itself: the manifest has them in ms,
 * as the generation does, and whoever fetches the files sets them. So every copy is of the generation that was sent.
 */
async function openSentBcolz(path: string, signal: AbortSignal | undefined): Promise<SentTable> {
  const directory = readBcolzDirectory(path);
  const pathOf = (file: string): string => join(directory.path, file);
  const files: Manifest["files"][number][] = [];
  for (const { name, modifiedMs } of listBcolzFiles(directory)) {
    files.push({ name, ...await digestFile(pathOf(name), signal), modified_ms: modifiedMs });
  }
  const { name: table, generation, rows } = directory;
  // What was written while it was read would be of no generation.
  if (readBcolzDirectory(path).generation !== generation) throw changed(table, "read");
  return {
    set: null,
    manifest: { format: "bqueryd-manifest", version: 1, kind: "bcolz", table, generation, rows, files },
    sourceOf: (file) => hashedSource(pathOf(file.name), file, () => changed(table, "sent")), close: () => undefined,
  };
}

function changed(table: string, verb: string): BquerydError {
  return new BquerydError("BUSY", `${table} was changed while it was ${verb}; wait until nothing writes it, and start again`, { details: { table } });
}
