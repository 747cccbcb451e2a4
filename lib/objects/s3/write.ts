/** Storing an object in S3: in one request, or in parts side by side; each with its checksum, whole or not at all. */
import { crc32 } from "node:zlib";
import type { CompletedPart } from "@aws-sdk/client-s3";
import { mapBounded } from "../../base/bounded.js";
import { randomId } from "../../base/clock.js";
import { BquerydError } from "../../base/errors.js";
import type { ObjectSource, Writing } from "../objects.js";
import { readSource } from "../sources.js";
import { endAbandoned } from "./abandoned.js";
import { headObject, writeIdName } from "./head.js";
import { ask, strangeAnswer, type S3Link } from "./link.js";

type Outcome = "written" | "exists";

/** One write: its id, which S3 keeps with the object, tells it from all others when an answer was lost. */
interface Write {
  readonly link: S3Link;
  readonly key: string;
  readonly id: string;
  readonly source: ObjectSource;
  readonly onlyNew: boolean;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((bytes: number) => void) | undefined;
}

/** Stores an object, as `ObjectStore.write` says. */
export async function writeObject(link: S3Link, key: string, source: ObjectSource, { onlyNew = false, onProgress, signal }: Writing): Promise<Outcome> {
  const write = { link, key, id: randomId(), source, onlyNew, signal, onProgress };
  if (source.bytes <= link.limits.partBytes) return putWhole(write);
  // Parts would be sent in vain: S3 looks for the object when the last has come.
  if (onlyNew && await headObject(link, key, signal) !== undefined) return "exists";
  return putParts(write, partBytesOf(link, source.bytes));
}

async function putWhole(write: Write): Promise<Outcome> {
  const { link, key, source, signal, onProgress } = write;
  const body = await createReading(write)(0, source.bytes);
  try {
    source.confirm?.();
    const outcome = await ask<Outcome>(link, {
      verb: "store", key, signal,
      async send(options) {
        await link.client.putObject({ ...placeOf(write), ...storing(write), ...conditionOf(write), ...checked(body.bytes) }, options);
        return "written";
      },
      understand: ({ status }, attempt) => (status === 412 ? outcomeOf(write, attempt) : undefined),
    });
    if (outcome === "written") onProgress?.(source.bytes);
    return outcome;
  } finally {
    body.close();
  }
}

/** Bytes in memory that is lent. */
interface Body {
  readonly bytes: Uint8Array;
  close(): void;
}

/** Reads parts of a source into memory that is lent, one after the other in the order in which they are asked for. */
function createReading({ link: { buffers }, source, signal }: Write): (start: number, end: number) => Promise<Body> {
  // Where one part fails those behind it do too, and with the same.
  let before: Promise<unknown> = Promise.resolve();
  async function read(start: number, end: number, turn: Promise<unknown>, taking: Promise<Buffer>): Promise<Body> {
    const buffer = await taking;
    try {
      await turn;
      signal?.throwIfAborted();
      const bytes = buffer.subarray(0, end - start);
      await readSource(source, start, bytes);
      return { bytes, close: () => { buffers.give(buffer); } };
    } catch (cause) {
      buffers.give(buffer);
      throw cause;
    }
  }
  return (start, end) => {
    // Memory is lent in the order of the parts, so that nobody has some who waits for one who has none.
    const body = read(start, end, before, buffers.take());
    before = body;
    return body;
  };
}

async function putParts(write: Write, partBytes: number): Promise<Outcome> {
  const { link, key, source, signal } = write;
  await endAbandoned(link, key, signal);
  const upload = await ask(link, { verb: "store", key, signal, send: (options) => link.client.createMultipartUpload({ ...placeOf(write), ...storing(write), ChecksumAlgorithm: "CRC32" }, options) });
  const { UploadId: uploadId } = upload;
  if (uploadId === undefined) throw strangeAnswer(link, key, "an upload has no id");
  try {
    const starts = Array.from({ length: Math.ceil(source.bytes / partBytes) }, (_, index) => index * partBytes);
    let doneBytes = 0;
    const read = createReading(write);
    const parts = await mapBounded(starts, link.limits.partsAtOnce, async (start, index) => {
      const end = Math.min(start + partBytes, source.bytes);
      const part = await putPart(write, { uploadId, number: index + 1, reading: read(start, end) });
      doneBytes += end - start;
      write.onProgress?.(doneBytes);
      return part;
    });
    source.confirm?.();
    const outcome = await complete(write, uploadId, parts);
    if (outcome === "exists") await abort(write, uploadId);
    return outcome;
  } catch (cause) {
    await abort(write, uploadId);
    throw cause;
  }
}

async function putPart({ link, key, signal }: Write, { uploadId, number, reading }: { uploadId: string; number: number; reading: Promise<Body> }): Promise<CompletedPart> {
  const { bytes, close } = await reading;
  try {
    const body = checked(bytes);
    const { ETag: etag } = await ask(link, {
      verb: "store", key, signal,
      send: (options) => link.client.uploadPart({ ...placeOf({ link, key }), UploadId: uploadId, PartNumber: number, ...body }, options),
    });
    if (etag === undefined) throw strangeAnswer(link, key, "a part has no ETag");
    return { PartNumber: number, ETag: etag, ChecksumCRC32: body.ChecksumCRC32 };
  } finally {
    close();
  }
}

function complete(write: Write, uploadId: string, parts: readonly CompletedPart[]): Promise<Outcome> {
  const { link, key, signal } = write;
  return ask<Outcome>(link, {
    verb: "store", key, signal,
    async send(options) {
      await link.client.completeMultipartUpload({ ...placeOf(write), ...conditionOf(write), UploadId: uploadId, MultipartUpload: { Parts: [...parts] } }, options);
      return "written";
    },
    async understand({ status, reason }, attempt) {
      if (status === 412) return outcomeOf(write, attempt);
      // An attempt whose answer was lost may have completed it.
      return reason === "NoSuchUpload" && attempt > 0 && await isOurs(write) ? "written" : undefined;
    },
  });
}

/** What it means that there is an object already: it may be that of an attempt whose answer was lost. */
async function outcomeOf(write: Write, attempt: number): Promise<Outcome> {
  return attempt > 0 && await isOurs(write) ? "written" : "exists";
}

async function isOurs({ link, key, id, signal }: Write): Promise<boolean> {
  return (await headObject(link, key, signal))?.writeId === id;
}

/** Takes back what was sent, also of a write that was aborted; what the store does not let us take back, its rules for unfinished uploads do. */
async function abort({ link, key }: Write, uploadId: string): Promise<void> {
  try {
    await ask<void>(link, {
      verb: "take back parts of", key, signal: undefined,
      async send(options) { await link.client.abortMultipartUpload({ ...placeOf({ link, key }), UploadId: uploadId }, options); },
    });
  } catch (cause) {
    // The failure that led here is the one to tell, and a completed upload is gone.
    if (!(cause instanceof BquerydError)) throw cause;
  }
}

function placeOf({ link, key }: Pick<Write, "link" | "key">): { Bucket: string; Key: string } {
  return { Bucket: link.bucket, Key: link.prefix + key };
}

function conditionOf({ onlyNew }: Write): { IfNoneMatch?: string } {
  return onlyNew ? { IfNoneMatch: "*" } : {};
}

/** How the object is kept. */
function storing({ link: { settings }, id }: Write) {
  const { s3Sse, s3KmsKeyId } = settings;
  return {
    Metadata: { [writeIdName]: id },
    ...(s3Sse === "none" ? {} : { ServerSideEncryption: s3Sse }),
    ...(s3KmsKeyId === undefined ? {} : { SSEKMSKeyId: s3KmsKeyId }),
  };
}

function checked(bytes: Uint8Array): { Body: Uint8Array; ContentLength: number; ChecksumCRC32: string } {
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(bytes));
  return { Body: bytes, ContentLength: bytes.length, ChecksumCRC32: crc.toString("base64") };
}

/** Bytes of a part so that there are not too many. */
function partBytesOf({ limits: { partBytes, partBytesMax, partsMax } }: S3Link, bytes: number): number {
  const needed = Math.max(partBytes, Math.ceil(bytes / partsMax));
  if (needed <= partBytesMax) return needed;
  throw new BquerydError("BAD_INPUT", `an object of ${bytes} bytes is larger than the ${partBytesMax * partsMax} that can be stored; divide its table into shards`, { details: { bytes, bytesMax: partBytesMax * partsMax } });
}
