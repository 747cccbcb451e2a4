/**
 * What the S3 server keeps: objects and unfinished uploads in memory, their bytes in files of a directory. A file of an
 * object that was replaced or removed stays: somebody may be reading it.
 */
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { randomId } from "../../../lib/base/clock.js";
import { checksumOf } from "./checksums.js";
import { refuse } from "./refuse.js";

/** What an object is stored with. */
export interface Headers {
  readonly contentType: string;
  /** x-amz-meta-..., by the rest of the name. */
  readonly metadata: ReadonlyMap<string, string>;
  /** x-amz-server-side-encryption and the key of it. */
  readonly encryption: ReadonlyMap<string, string>;
}

/** A file that is never changed. */
export interface KeptFile {
  readonly path: string;
  readonly bytes: number;
}

/** An object, its bytes in files one after the other: one of its own, or those of the parts it was sent in. */
export interface KeptObject extends Headers {
  readonly key: string;
  readonly files: readonly KeptFile[];
  readonly bytes: number;
  /** With its quotes. */
  readonly etag: string;
  readonly modifiedMs: number;
  /** By name; one of checksums of parts ends in their number. */
  readonly checksums: ReadonlyMap<string, string>;
}

/** A part of an upload. */
export type Part = KeptFile & Pick<KeptObject, "etag" | "checksums" | "modifiedMs">;

/** An upload that is not completed. */
export interface Upload {
  readonly id: string;
  readonly key: string;
  readonly headers: Headers;
  readonly startedMs: number;
  /** The kind of checksum that every part has to have. */
  readonly checksum: string | undefined;
  readonly parts: Map<number, Part>;
}

/** A bucket. */
export interface KeptBucket {
  readonly name: string;
  readonly objects: Map<string, KeptObject>;
  readonly uploads: Map<string, Upload>;
}

/** A part as the completion of an upload names it. */
export interface NamedPart {
  readonly number: number;
  readonly etag: string;
  readonly checksums: ReadonlyMap<string, string>;
}

/** A path for new bytes in a directory. */
export function newPath(directory: string): string {
  return join(directory, randomId());
}

/** Puts an object in its place and forgets the one that was there. `onlyNew` refuses where there is one. */
export async function place(bucket: KeptBucket, object: KeptObject, conditions: { readonly ifNoneMatch: string | undefined; readonly ifMatch: string | undefined }): Promise<void> {
  const before = bucket.objects.get(object.key);
  try {
    checkConditions(before, conditions);
  } catch (cause) {
    for (const { path } of object.files) await rm(path);
    throw cause;
  }
  bucket.objects.set(object.key, object);
}

/** Refuses where an object does not fit the conditions of a write. */
export function checkConditions(before: KeptObject | undefined, { ifNoneMatch, ifMatch }: { readonly ifNoneMatch: string | undefined; readonly ifMatch: string | undefined }): void {
  if (ifNoneMatch !== undefined && ifNoneMatch !== "*") refuse("NotImplemented", "If-None-Match is * here");
  if (ifNoneMatch === "*" && before !== undefined) refuse("PreconditionFailed");
  if (ifMatch !== undefined && before === undefined) refuse("NoSuchKey");
  if (ifMatch !== undefined && before?.etag !== ifMatch) refuse("PreconditionFailed");
}

/** Forgets an upload with its parts, but for those that an object is made of. */
export async function forgetUpload(bucket: KeptBucket, upload: Upload, object?: KeptObject): Promise<void> {
  bucket.uploads.delete(upload.id);
  for (const { path } of upload.parts.values()) if (object?.files.some((file) => file.path === path) !== true) await rm(path);
}

/** The object of an upload's parts, whose files it takes over. Refuses as S3 does. */
export function putTogether(upload: Upload, named: readonly NamedPart[], { partBytesMin, nowMs }: { readonly partBytesMin: number; readonly nowMs: number }): KeptObject {
  if (named.length === 0) refuse("MalformedXML");
  const parts = named.map(({ number, etag, checksums }, index) => {
    if (index > 0 && number <= named[index - 1]!.number) refuse("InvalidPartOrder");
    const part = upload.parts.get(number);
    if (part === undefined || part.etag.replaceAll('"', "") !== etag.replaceAll('"', "")) return refuse("InvalidPart", `part ${number}`);
    if (upload.checksum !== undefined && !checksums.has(upload.checksum)) refuse("InvalidRequest", `part ${number} is named without its ${upload.checksum}`);
    for (const [name, value] of checksums) if (part.checksums.get(name) !== value) refuse("InvalidPart", `the ${name} of part ${number} is another`);
    if (index + 1 < named.length && part.bytes < partBytesMin) refuse("EntityTooSmall", `part ${number}`);
    return part;
  });
  const md5 = createHash("md5").update(Buffer.concat(parts.map(({ etag }) => Buffer.from(etag.slice(1, -1), "hex")))).digest("hex");
  const { checksum } = upload;
  const ofParts = checksum === undefined ? [] : [[checksum, `${checksumOf(checksum, Buffer.concat(parts.map(({ checksums }) => Buffer.from(checksums.get(checksum)!, "base64"))))}-${parts.length}`] as const];
  return {
    ...upload.headers, key: upload.key, files: parts.map(({ path, bytes }) => ({ path, bytes })), bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0), etag: `"${md5}-${parts.length}"`, modifiedMs: nowMs, checksums: new Map(ofParts),
  };
}
