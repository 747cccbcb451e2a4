/**
 * A strict S3 server for tests: it refuses what S3 refuses, and fails where a test scripts it. Paths name buckets
 * (http://host/bucket/key); objects are files of a directory and are gone when it is closed.
 */
import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { randomId, wallMs } from "../../../lib/base/clock.js";
import { isSystemError } from "../../../lib/base/files.js";
import { alter, distort, finish, type Fault, type Script, type SeenRequest } from "./faults.js";
import type { KeptBucket, KeptFile } from "./keeping.js";
import { operationOf, operations, type Answer } from "./operations.js";
import { refuse, S3Refusal } from "./refuse.js";
import { verifyRequest, type Identity } from "./signature.js";
import { documentOf, tag } from "./xml.js";

/** How a server is. */
export interface S3ServerOptions {
  readonly buckets: readonly string[];
  readonly identities?: readonly Identity[];
  readonly region?: string;
  /** Least bytes of a part but the last. */
  readonly partBytesMin?: number;
  readonly pageKeysMax?: number;
  readonly nowMs?: () => number;
  /** Where the folder of the objects is made; the folder for temp files by default. */
  readonly folder?: string;
  /** Takes hashes and checksums of bodies for true, as a store that leaves them to its hardware: for measuring clients. */
  readonly trustsPayloads?: boolean;
}

/** A running server. */
export interface S3Server {
  readonly url: string;
  readonly port: number;
  readonly region: string;
  readonly identity: Identity;
  readonly buckets: ReadonlyMap<string, KeptBucket>;
  /** Every request since the start. */
  readonly requests: readonly SeenRequest[];
  /** Failures of the server itself, which no test may see. */
  readonly failures: readonly unknown[];
  /** Sets what goes wrong from now on; undefined for nothing. */
  play(script: Script | undefined): void;
  openSockets(): number;
  close(): Promise<void>;
}

/** Whom a server knows by default. */
export const testIdentity: Identity = { accessKeyId: "AKIDTEST", secretAccessKey: "secret/of+the=test" };

/** Starts a server on a free port of loopback. */
export async function startS3(options: S3ServerOptions): Promise<S3Server> {
  const directory = await mkdtemp(join(options.folder ?? tmpdir(), "bqueryd-s3-"));
  const { identities = [testIdentity], region = "us-east-1", partBytesMin = 5 * 2 ** 20, pageKeysMax = 1_000, nowMs = wallMs, trustsPayloads = false } = options;
  const buckets = new Map(options.buckets.map((name): [string, KeptBucket] => [name, { name, objects: new Map(), uploads: new Map() }]));
  const requests: SeenRequest[] = [];
  const failures: unknown[] = [];
  const sockets = new Set<Socket>();
  const underWay = new Set<Promise<void>>();
  let script: Script | undefined;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = readAsked(request);
    const seen = { index: requests.length, operation: operationOf(request, asked), ...asked, headers: request.headers };
    requests.push(seen);
    const fault = script?.(seen);
    if (fault?.kind === "slow") await delay(fault.ms);
    if (fault?.kind === "reset") return void request.socket.destroy();
    const answer = await answerTo(request, seen, fault);
    if (fault?.kind === "lost") return void request.socket.destroy();
    // The client corrects its clock by it.
    response.setHeader("date", new Date(nowMs()).toUTCString());
    await send(request, response, { answer, fault });
  }

  async function answerTo(request: IncomingMessage, seen: SeenRequest, fault: Fault | undefined): Promise<Answer> {
    try {
      if (fault?.kind === "refuse") throw Object.assign(new S3Refusal(fault.code, "as scripted"), { status: fault.status });
      const operation = operations.get(seen.operation) ?? refuse("NotImplemented", `${request.method} ${request.url}`);
      const signed = verifyRequest(request, { identities, region, nowMs });
      return await operation({
        request, signed, parameters: seen.parameters, buckets, bucketName: seen.bucket, key: seen.key, directory, region, partBytesMin, pageKeysMax,
        nowMs: nowMs(), spoil: fault?.kind === "spoil" ? alter : undefined, trustsPayloads,
      });
    } catch (cause) {
      if (cause instanceof S3Refusal) return answerOf(cause, seen);
      // A client that breaks off what it sends is no failure of ours.
      if (!isSystemError(cause, "ECONNRESET")) failures.push(cause);
      return answerOf(new S3Refusal("InternalError", String(cause)), seen);
    }
  }

  const server = createServer((request, response) => {
    // A client that has gone is no failure.
    response.on("error", () => {});
    const work = handle(request, response).catch((cause: unknown) => {
      failures.push(cause);
      request.socket.destroy();
    }).finally(() => underWay.delete(work));
    underWay.add(work);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`, port, region, identity: identities[0]!, buckets, requests, failures,
    play(next) { script = next; },
    openSockets: () => sockets.size,
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await Promise.allSettled(underWay);
      await rm(directory, { recursive: true });
    },
  };
}

function readAsked({ url = "/" }: IncomingMessage): { bucket: string; key: string; parameters: Map<string, string> } {
  const [path = "", query = ""] = url.split("?", 2);
  const [, bucket = "", key = ""] = /^\/([^/]*)\/?(.*)$/s.exec(path) ?? [];
  const pairs = query === "" ? [] : query.split("&").map((pair) => pair.split("=", 2).map((text) => decode(text)));
  return { bucket: decode(bucket), key: decode(key), parameters: new Map(pairs.map(([name = "", value = ""]) => [name, value])) };
}

/** What cannot be decoded is left as it is: its signature will not fit. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function answerOf({ code, status, message, facts }: S3Refusal, { key }: SeenRequest): Answer {
  const text = documentOf("Error", [tag("Code", code), tag("Message", message), ...Object.entries(facts).map(([name, value]) => tag(name, value)), tag("Resource", key), tag("RequestId", randomId())])
    .replace(' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', "");
  return { status, text, ...(facts["Region"] === undefined ? {} : { headers: { "x-amz-bucket-region": facts["Region"] } }) };
}

async function send(request: IncomingMessage, response: ServerResponse, { answer, fault }: { readonly answer: Answer; readonly fault: Fault | undefined }): Promise<void> {
  const { status, text, object } = answer;
  const document = text === undefined ? undefined : Buffer.from(text);
  const headers: Record<string, string> = { "x-amz-request-id": randomId(), ...answer.headers };
  if (document !== undefined) Object.assign(headers, { "content-type": "application/xml", "content-length": String(document.length) });
  // What the client still sends is not waited for.
  if (!request.complete) headers["connection"] = "close";
  const bytes = document?.length ?? (object === undefined ? 0 : object.end - object.start);
  const { sentBytes, end } = distort(fault, headers, bytes);
  if (response.destroyed) return;
  response.writeHead(status, headers);
  if (request.method === "HEAD" || status === 204 || status === 304) return void response.end();
  if (document !== undefined) response.write(document.subarray(0, sentBytes));
  else if (object !== undefined && sentBytes > 0) await sendFiles(response, { files: object.files, start: object.start, bytes: sentBytes, fault });
  else response.flushHeaders();
  // What was written has to be out before a cut.
  if (end === "cut") await new Promise((resolve) => { response.write("", resolve); });
  finish(response, end);
  request.resume();
}

async function sendFiles(response: ServerResponse, { files, start, bytes, fault }: { readonly files: readonly KeptFile[]; readonly start: number; readonly bytes: number; readonly fault: Fault | undefined }): Promise<void> {
  let isAltered = fault?.kind !== "wrongBytes";
  for await (const read of readFiles(files, start, start + bytes)) {
    const piece = isAltered ? read : alter(read);
    isAltered = true;
    if (response.destroyed) return;
    if (!response.write(piece)) await drained(response);
  }
}

/** The bytes of [start, end) of files one after the other. */
async function* readFiles(files: readonly KeptFile[], start: number, end: number): AsyncIterable<Buffer> {
  let at = 0;
  for (const { path, bytes } of files) {
    const [from, to] = [Math.max(start - at, 0), Math.min(end - at, bytes)];
    if (from < to) yield* createReadStream(path, { start: from, end: to - 1, highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>;
    at += bytes;
  }
}

/** Resolves when more may be written, or nobody reads any more. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}
