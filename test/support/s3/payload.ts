/**
 * Bodies of requests as the S3 server takes them: plain, or aws-chunked with signatures of chunks, trailers or both; and
 * every length, hash and checksum that comes with them is compared.
 */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { pipeline } from "node:stream/promises";
import { randomId } from "../../../lib/base/clock.js";
import { checksumNames, createChecksum } from "./checksums.js";
import { refuse } from "./refuse.js";
import { isEqual, sha256, type Signed } from "./signature.js";

/** A body that was received whole, in its file. */
export interface Received {
  readonly bytes: number;
  readonly md5: Buffer;
  /** Those that came with it, by name. */
  readonly checksums: ReadonlyMap<string, string>;
}

const lineCharactersMax = 1_024;
const prefix = "x-amz-checksum-";

/** How a body is taken. */
interface Taking {
  /** May alter bytes before anything is compared. */
  readonly spoil: ((piece: Buffer) => Buffer) | undefined;
  /** Whether hashes and checksums of a plain body are taken for true. */
  readonly trustsPayloads: boolean;
}

/** Receives the body of a request into a new file. Refuses what does not fit. */
export async function receiveBody(request: IncomingMessage, signed: Signed, path: string, { spoil = (piece) => piece, trustsPayloads }: Taking): Promise<Received> {
  const expected = new Map(checksumNames.flatMap((name) => {
    const value = request.headers[`${prefix}${name}`];
    return typeof value === "string" ? [[name, value] as const] : [];
  }));
  const isChunked = signed.payload.startsWith("STREAMING-");
  const trailers = String(request.headers["x-amz-trailer"] ?? "").split(",").map((name) => name.trim()).filter((name) => name !== "");
  if (trailers.length > 0 && !signed.payload.endsWith("-TRAILER")) refuse("InvalidRequest", "a trailer was told of that this payload has none of");
  const announced = [...expected.keys(), ...trailers.map((name) => name.slice(prefix.length))];
  if (trustsPayloads && !isChunked) return receiveUnseen(request, path, expected);
  const running = new Map(announced.map((name) => [name, createChecksum(name) ?? refuse("InvalidRequest", `no such checksum ${name}`)]));
  const [md5, whole] = [createHash("md5"), createHash("sha256")];
  let bytes = 0;
  const found = new Map<string, string>();
  const file = await open(path, "wx");
  try {
    for await (const received of isChunked ? readChunks(request, signed, (name, value) => found.set(name, value)) : request as AsyncIterable<Buffer>) {
      const piece = spoil(received);
      md5.update(piece);
      if (!isChunked) whole.update(piece);
      for (const checksum of running.values()) checksum.update(piece);
      await file.write(piece);
      bytes += piece.length;
    }
  } finally {
    await file.close();
  }
  for (const name of trailers) expected.set(name.slice(prefix.length), found.get(name) ?? refuse("MalformedTrailerError"));
  checkLength(request, isChunked, bytes);
  if (/^[0-9a-f]{64}$/.test(signed.payload) && whole.digest("hex") !== signed.payload) refuse("XAmzContentSHA256Mismatch");
  const digest = md5.digest();
  const contentMd5 = request.headers["content-md5"];
  if (contentMd5 !== undefined && contentMd5 !== digest.toString("base64")) refuse("BadDigest", "the MD5 differs");
  const checksums = new Map([...running].map(([name, checksum]) => [name, checksum.digest()]));
  for (const [name, value] of checksums) if (value !== expected.get(name)) refuse("BadDigest", `the ${name} differs`);
  return { bytes, md5: digest, checksums };
}

/** A body of which its length alone is looked at, with an MD5 by chance. */
async function receiveUnseen(request: IncomingMessage, path: string, checksums: ReadonlyMap<string, string>): Promise<Received> {
  const output = createWriteStream(path, { flags: "wx", highWaterMark: 1024 * 1024 });
  await pipeline(request, output);
  checkLength(request, false, output.bytesWritten);
  return { bytes: output.bytesWritten, md5: Buffer.from(randomId(), "hex"), checksums };
}

function checkLength(request: IncomingMessage, isChunked: boolean, bytes: number): void {
  const told = request.headers[isChunked ? "x-amz-decoded-content-length" : "content-length"];
  if (told === undefined && (isChunked || request.headers["transfer-encoding"] !== undefined)) refuse("MissingContentLength");
  if (Number(told ?? 0) !== bytes) refuse("IncompleteBody");
}

/** The pieces of an aws-chunked body. Its trailers are told of when they are checked. */
async function* readChunks(request: IncomingMessage, signed: Signed, onTrailer: (name: string, value: string) => void): AsyncIterable<Buffer> {
  const input = createInput(request);
  const isSigned = signed.payload.startsWith("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
  if (!isSigned && signed.payload !== "STREAMING-UNSIGNED-PAYLOAD-TRAILER") refuse("NotImplemented", signed.payload);
  let previous = signed.signature;
  for (let size = -1; size !== 0;) {
    const [, digits, claimed] = /^([0-9a-fA-F]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(await input.line()) ?? refuse("InvalidRequest", "the head of a chunk is malformed");
    size = parseInt(digits!, 16);
    const hash = createHash("sha256");
    for await (const piece of input.bytes(size)) {
      hash.update(piece);
      yield piece;
    }
    if (isSigned) {
      const signature = signed.signChunk("AWS4-HMAC-SHA256-PAYLOAD", `${previous}\n${sha256("")}\n${hash.digest("hex")}`);
      if (!isEqual(signature, claimed ?? "")) refuse("SignatureDoesNotMatch", "the signature of a chunk is another");
      previous = signature;
    }
    if (size > 0 && await input.line() !== "") refuse("InvalidRequest", "a chunk does not end where it should");
  }
  await readTrailers(input, { signed, isSigned, previous, onTrailer });
}

async function readTrailers(input: Input, { signed, isSigned, previous, onTrailer }: { signed: Signed; isSigned: boolean; previous: string; onTrailer: (name: string, value: string) => void }): Promise<void> {
  const found: [string, string][] = [];
  for (let line = await input.line(); line !== ""; line = await input.line()) {
    const [, name, value] = /^([A-Za-z0-9-]+):\s*(\S+)\s*$/.exec(line) ?? refuse("MalformedTrailerError");
    found.push([name!.toLowerCase(), value!]);
  }
  if (!signed.payload.endsWith("-TRAILER")) {
    if (found.length > 0) refuse("MalformedTrailerError");
    return;
  }
  const signature = found.find(([name]) => name === "x-amz-trailer-signature")?.[1];
  const trailers = found.filter(([name]) => name !== "x-amz-trailer-signature");
  if (isSigned && !isEqual(signed.signChunk("AWS4-HMAC-SHA256-TRAILER", `${previous}\n${sha256(trailers.map(([name, value]) => `${name}:${value}\n`).join(""))}`), signature ?? "")) {
    refuse("SignatureDoesNotMatch", "the signature of the trailer is another");
  }
  for (const [name, value] of trailers) onTrailer(name, value);
}

/** A body read by lines and by counts. */
interface Input {
  /** Up to CRLF, without it; the last may end with the body. */
  line(): Promise<string>;
  bytes(count: number): AsyncIterable<Buffer>;
}

function createInput(request: IncomingMessage): Input {
  const pieces = (request as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  async function more(): Promise<boolean> {
    const { done, value } = await pieces.next();
    if (done !== true) rest = Buffer.concat([rest, value]);
    return done !== true;
  }
  return {
    async line() {
      for (;;) {
        const end = rest.indexOf("\r\n");
        if (end !== -1) {
          const text = rest.toString("latin1", 0, end);
          rest = rest.subarray(end + 2);
          return text;
        }
        if (rest.length > lineCharactersMax) refuse("InvalidRequest", "a line is too long");
        if (await more()) continue;
        if (rest.length > 0) refuse("IncompleteBody");
        return "";
      }
    },
    async *bytes(count) {
      for (let left = count; left > 0;) {
        if (rest.length === 0 && !await more()) refuse("IncompleteBody");
        const piece = rest.subarray(0, left);
        rest = rest.subarray(piece.length);
        left -= piece.length;
        if (piece.length > 0) yield piece;
      }
    },
  };
}
