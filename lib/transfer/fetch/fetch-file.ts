/** One file of a table, from where it comes from into the stage: hashed as it lands, and under its name only when it is whole. */
import { join } from "node:path";
import { BquerydError } from "../../base/errors.js";
import type { Files } from "../../base/files.js";
import { removeIfThere } from "../../columns/directory/remove.js";
import { partPath, resumePart } from "../stage.js";
import type { TableSource } from "./table-source.js";
import type { WriteBack, WrittenBack } from "./write-back.js";

/** A file to be fetched. */
export interface WantedFile {
  readonly name: string;
  readonly bytes: number;
  /** What it has to be; null where nobody knows. */
  readonly sha256: string | null;
}

/** Where it goes, and who is told. */
export interface LandingPlace {
  readonly files: Files;
  readonly writeBack: WriteBack;
  readonly stage: string;
  /** Told of bytes that are there now, and with a number below 0 of those that were thrown away. */
  readonly onBytes: (bytes: number) => void;
}

/** Times that a file is fetched from its beginning when it came as another than it has to be. */
const triesMax = 3;

/**
 * Fetches a file into its folder, which is there, going on behind what the stage has of it; gives its SHA-256. Throws
 * OBJECT_STORE when it comes wrong again and again, and what reading and writing throw; then what came stays for the next
 * time, unless the disk did not take it.
 */
export async function fetchFile(source: TableSource, wanted: WantedFile, { files, writeBack, stage, onBytes }: LandingPlace): Promise<string> {
  const { name } = wanted;
  const part = partPath(stage, name);
  for (let tries = 1; ; tries++) {
    const writing = writeBack.open(files, part);
    let landed = 0;
    const onMore = (bytes: number): void => {
      landed += bytes;
      onBytes(bytes);
    };
    try {
      const found = await land(source, wanted, { files, stage, writing, onBytes: onMore });
      await writing.finish();
      await files.rename(part, join(stage, name));
      return found;
    } catch (cause) {
      const unwritten = await writing.close();
      // What a wrong file has begun with is not gone on with, nor what may look written and is not.
      if (unwritten === undefined && !isDamage(cause)) throw cause;
      await removeIfThere(files, part);
      onBytes(-landed);
      if (unwritten !== undefined) throw unwritten.cause;
      if (tries === triesMax) throw cause;
    }
  }
}

/** Where a file lands in one try. */
interface Landing extends Omit<LandingPlace, "writeBack"> {
  readonly writing: WrittenBack;
}

/** Adds what is missing to the beginning of a file; gives its SHA-256. Throws the failure of a damaged one where it is not what it has to be. */
async function land(source: TableSource, { name, bytes, sha256 }: WantedFile, { files, stage, writing, onBytes }: Landing): Promise<string> {
  const part = partPath(stage, name);
  const { hash, bytes: resumedBytes } = await resumePart(files, stage, name, bytes);
  onBytes(resumedBytes);
  if (bytes === 0) await files.append(part, new Uint8Array(0));
  let at = resumedBytes;
  for await (const piece of source.open(name, at)) {
    // The disk takes it while it is hashed.
    const appended = files.append(part, piece);
    hash.update(piece);
    await appended;
    at += piece.length;
    onBytes(piece.length);
    writing.add(piece.length);
  }
  const found = hash.digest("hex");
  if (at !== bytes || (sha256 !== null && found !== sha256)) throw damaged(source, name);
  return found;
}

function isDamage(cause: unknown): boolean {
  return cause instanceof BquerydError && cause.details["isDamaged"] === true;
}

/** The failure of a file whose bytes are not what they have to be. */
export function damaged(source: Pick<TableSource, "place">, name: string): BquerydError {
  return new BquerydError("OBJECT_STORE", `${name} of ${source.place} comes damaged each time: its content is not what its name or checksum says; upload the table again`, { details: { file: name, isDamaged: true } });
}
