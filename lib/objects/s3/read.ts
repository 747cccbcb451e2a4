/** Reading an object of S3: resumed where the connection breaks, never put together from two objects. */
import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import type { GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { BquerydError } from "../../base/errors.js";
import type { Reading } from "../objects.js";
import { ask, pauseAfter, strangeAnswer, type Attempts, type S3Link } from "./link.js";
import { headObject } from "./head.js";
import { readRefusal } from "./refusal.js";

/** What one request gives: the bytes of an object up to `end`. */
interface Answer {
  readonly body: Readable;
  readonly end: number;
  readonly etag: string;
  /** The CRC32 of the whole object, where that was asked for and S3 knows it. */
  readonly crc: number | undefined;
}

/** Bytes of an object after which failures are not counted with those before. */
const newLeaseBytes = 1024 * 1024;

/** The bytes of an object, as `ObjectStore.read` says. */
export async function* readObject(link: S3Link, key: string, { start = 0, end, etag, signal }: Reading): AsyncIterable<Uint8Array> {
  if (start < 0 || (end !== undefined && end < start)) throw beyondEnd(link, key, { start, end, bytes: 0 });
  if (start === end) return requireFacts(link, key, { start, end, etag, signal });
  let at = start;
  let first: Answer | undefined;
  let crc = 0;
  // Requests and bodies that break off are counted together: each alone would let the other begin anew.
  const attempts: Attempts = { failed: 0 };
  for (;;) {
    const range = { start: at, end: first?.end ?? end, etag: first?.etag ?? etag, signal };
    const answer = await openAt(link, key, range, attempts);
    if (answer === undefined) return requireFacts(link, key, range);
    first ??= answer;
    const from = at;
    try {
      for await (const piece of answer.body as AsyncIterable<Uint8Array>) {
        at += piece.length;
        if (at > answer.end) throw strangeAnswer(link, key, "more bytes came than were asked for");
        if (first.crc !== undefined) crc = crc32(piece, crc);
        yield piece;
      }
      if (at < answer.end) throw new Error(`${answer.end - at} bytes are missing`);
      if (first.crc !== undefined && first.crc !== crc) throw wrongChecksum(link, key);
      return;
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof BquerydError) throw cause;
      // The client has compared one of the checksums that S3 knows, and may hold back the last bytes then.
      if (at === answer.end || (cause instanceof Error && cause.message.startsWith("Checksum mismatch"))) throw wrongChecksum(link, key);
      if (at - from >= newLeaseBytes) attempts.failed = 0;
      await pauseAfter(link, readRefusal(cause), { attempts, signal, doing: { place: link.place, verb: "read", key } });
    } finally {
      answer.body.destroy();
    }
  }
}

/** What is asked of one request. */
interface Range {
  readonly start: number;
  readonly end: number | undefined;
  readonly etag: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Undefined where S3 says that no byte lies in the range. */
async function openAt(link: S3Link, key: string, range: Range, attempts: Attempts): Promise<Answer | undefined> {
  const { start, end, etag, signal } = range;
  const isWhole = start === 0 && end === undefined;
  const output = await ask<GetObjectCommandOutput | "none">(link, {
    verb: "read", key, signal, attempts,
    send: (options) => link.client.getObject({
      Bucket: link.bucket, Key: link.prefix + key,
      ...(isWhole ? { ChecksumMode: "ENABLED" } : { Range: `bytes=${start}-${end === undefined ? "" : end - 1}` }),
      ...(etag === undefined ? {} : { IfMatch: etag }),
    }, options),
    understand({ status }) {
      if (status === 412) throw changed(link, key);
      return status === 416 ? "none" : undefined;
    },
  });
  if (output === "none") return undefined;
  const { Body: body } = output;
  if (body === undefined || !("destroy" in body)) throw strangeAnswer(link, key, "it has no body");
  try {
    return checkAnswer(link, key, { output, body, range, isWhole });
  } catch (cause) {
    body.destroy();
    throw cause;
  }
}

function checkAnswer(link: S3Link, key: string, { output, body, range, isWhole }: { output: GetObjectCommandOutput; body: Readable; range: Range; isWhole: boolean }): Answer {
  const { ETag: etag, ContentLength: length, ChecksumCRC32: crc = "-" } = output;
  const { start, end } = range;
  if (etag === undefined || length === undefined) throw strangeAnswer(link, key, "its length or its ETag is missing");
  const told = isWhole ? ["", "0", String(length - 1), String(length)] : /^bytes (\d+)-(\d+)\/(\d+)$/.exec(output.ContentRange ?? "");
  if (told === null) throw strangeAnswer(link, key, "it does not say which bytes they are");
  const [from, to, totalBytes] = [Number(told[1]), Number(told[2]) + 1, Number(told[3])];
  if (end !== undefined && end > totalBytes) throw beyondEnd(link, key, { start, end, bytes: totalBytes });
  if (from !== start || to !== (end ?? totalBytes) || to - from !== length) throw strangeAnswer(link, key, "other bytes came than were asked for");
  // A checksum of checksums ends in the number of parts.
  return { body, end: to, etag, crc: !isWhole || crc.includes("-") ? undefined : Buffer.from(crc, "base64").readUInt32BE(0) };
}

/** Nothing is to be given of an object: it has to be there, be the one that is meant, and end at `start` if it has no other end. */
async function requireFacts(link: S3Link, key: string, { start, end = start, etag, signal }: Range): Promise<void> {
  const facts = await headObject(link, key, signal);
  if (facts === undefined) throw new BquerydError("NOT_FOUND", `cannot read ${key} in ${link.place}: there is no such object; check its name`, { details: { place: link.place, key } });
  if (etag !== undefined && facts.etag !== etag) throw changed(link, key);
  if (end > facts.bytes) throw beyondEnd(link, key, { start, end, bytes: facts.bytes });
}

function wrongChecksum(link: S3Link, key: string): BquerydError {
  return strangeAnswer(link, key, "what came differs from its checksum");
}

function changed(link: S3Link, key: string): BquerydError {
  return new BquerydError("OBJECT_STORE", `${key} in ${link.place} has been replaced meanwhile; read it again from its beginning`, { details: { place: link.place, key, status: 412 } });
}

function beyondEnd(link: S3Link, key: string, { start, end, bytes }: { start: number; end: number | undefined; bytes: number }): BquerydError {
  return new BquerydError("OBJECT_STORE", `bytes ${start} to ${end ?? "the end"} of ${key} in ${link.place} are not there, it has ${bytes}; ask for what it has`, { details: { place: link.place, key, start, end, bytes } });
}
