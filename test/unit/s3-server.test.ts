import { createHash, createHmac } from "node:crypto";
import { request } from "node:http";
import { Readable } from "node:stream";
import { S3 } from "@aws-sdk/client-s3";
import { expect } from "chai";
import { describe, it } from "mocha";
import { checksumOf } from "../support/s3/checksums.js";
import { startS3, testIdentity, type S3Server, type S3ServerOptions } from "../support/s3/server.js";
import { someBytes } from "../support/object-suite.js";

async function withServer(work: (server: S3Server, client: S3) => Promise<void>, options: Partial<S3ServerOptions> = {}, client: Partial<ConstructorParameters<typeof S3>[0]> = {}): Promise<void> {
  const server = await startS3({ buckets: ["shelf"], ...options });
  const s3 = new S3({ endpoint: server.url, region: "us-east-1", forcePathStyle: true, maxAttempts: 1, credentials: testIdentity, ...client });
  try {
    await work(server, s3);
    expect(server.failures).to.deep.equal([]);
  } finally {
    s3.destroy();
    await server.close();
  }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(() => "done", (cause: unknown) => (cause instanceof Error ? cause.name : String(cause)));
}

/** How a request by hand is signed, and what is wrong with it. */
interface ByHand {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly payload: string;
  /** The body, from what signs its chunks. */
  body(sign: (kind: string, text: string) => string, signature: string): string | Buffer;
}

/** The status and S3's code of a request that is signed here, as the documentation says it. */
async function sendByHand(server: S3Server, { method = "PUT", path, headers = {}, payload, body }: ByHand): Promise<string> {
  const date = new Date().toISOString().replace(/[:-]|\.\d+/g, "");
  const scope = `${date.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
  const key = [date.slice(0, 8), "us-east-1", "s3", "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${testIdentity.secretAccessKey}`) as Buffer;
  const all: Record<string, string> = { ...headers, host: `127.0.0.1:${server.port}`, "x-amz-date": date, "x-amz-content-sha256": payload };
  const names = Object.keys(all).sort();
  const canonical = [method, path, "", ...names.map((name) => `${name}:${all[name]}`), "", names.join(";"), payload].join("\n");
  const sign = (kind: string, text: string): string => hmac(key, `${kind}\n${date}\n${scope}\n${text}`).toString("hex");
  const signature = sign("AWS4-HMAC-SHA256", createHash("sha256").update(canonical).digest("hex"));
  const authorization = `AWS4-HMAC-SHA256 Credential=${testIdentity.accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  const content = Buffer.from(body(sign, signature));
  return new Promise((resolve, reject) => {
    const asked = request({ port: server.port, host: "127.0.0.1", method, path, headers: { ...all, authorization, "content-length": String(content.length) } }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => { text += piece; }).on("end", () => { resolve(/<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? String(response.statusCode)); });
    });
    asked.on("error", reject).end(content);
  });
}

const hash = (text: string | Uint8Array): string => createHash("sha256").update(text).digest("hex");

/** A body in signed chunks, of which one may be spoilt. */
function signedChunks(chunks: readonly string[], spoilt = -1): ByHand["body"] {
  return (sign, signature) => {
    let previous = signature;
    return [...chunks, ""].map((chunk, index) => {
      previous = sign("AWS4-HMAC-SHA256-PAYLOAD", `${previous}\n${hash("")}\n${hash(chunk)}`);
      const sent = index === spoilt ? chunk.replace(/^./, "!") : chunk;
      return `${chunk.length.toString(16)};chunk-signature=${previous}\r\n${sent}\r\n`;
    }).join("");
  };
}

describe("S3 server of the tests", () => {
  it("knows the published checksums of 123456789", () => {
    const digits = Buffer.from("123456789");
    const asHex = (name: string): string => Buffer.from(checksumOf(name, digits), "base64").toString("hex");
    expect(["crc32", "crc32c", "crc64nvme"].map(asHex)).to.deep.equal(["cbf43926", "e3069283", "ae8b14860a799888"]);
    expect(asHex("sha1")).to.equal("f7c3bc1d808e04732adf679965ccc34ca7ae3441");
  });

  it("takes the bodies of the client of AWS in every form, with every checksum", () => withServer(async (server, client) => {
    const content = someBytes(200_000);
    for (const algorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const) {
      for (const isStream of [false, true]) {
        const body = isStream ? Readable.from([content.subarray(0, 70_001), content.subarray(70_001)].map((piece) => Buffer.from(piece))) : content;
        await client.putObject({ Bucket: "shelf", Key: algorithm, Body: body, ContentLength: content.length, ChecksumAlgorithm: algorithm });
        const { Body: stored } = await client.getObject({ Bucket: "shelf", Key: algorithm, ChecksumMode: "ENABLED" });
        expect(Buffer.compare(await stored!.transformToByteArray(), content), algorithm).to.equal(0);
      }
    }
    const payloads = new Set(server.requests.map(({ headers }) => headers["x-amz-content-sha256"]));
    expect([...payloads]).to.include("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
  }));

  it("refuses a wrong secret, key, region, token, bucket and clock", async () => {
    const credentials = testIdentity;
    const cases: [string, Partial<S3ServerOptions>, ConstructorParameters<typeof S3>[0]][] = [
      ["SignatureDoesNotMatch", {}, { credentials: { ...credentials, secretAccessKey: "wrong" } }],
      ["InvalidAccessKeyId", {}, { credentials: { ...credentials, accessKeyId: "AKIDWRONG" } }],
      ["AuthorizationHeaderMalformed", {}, { region: "eu-west-1" }],
      ["InvalidToken", {}, { credentials: { ...credentials, sessionToken: "more" } }],
      ["InvalidToken", { identities: [{ ...credentials, sessionToken: "token" }] }, {}],
      ["ExpiredToken", { identities: [{ ...credentials, isExpired: true }] }, {}],
      ["NoSuchBucket", { buckets: ["another"] }, {}],
      ["RequestTimeTooSkewed", { nowMs: () => Date.now() + 16 * 60_000 }, {}],
      ["RequestTimeTooSkewed", { nowMs: () => Date.now() - 16 * 60_000 }, {}],
    ];
    for (const [code, options, client] of cases) {
      await withServer(async (_server, s3) => {
        expect(await codeOf(s3.listObjectsV2({ Bucket: "shelf" }))).to.equal(code);
        // The client sets its clock by the first refusal.
        expect(await codeOf(s3.putObject({ Bucket: "shelf", Key: "x", Body: "x" }))).to.equal(code === "RequestTimeTooSkewed" ? "done" : code);
      }, options, client);
    }
  });

  it("takes chunks that are signed, and refuses one that was altered, cut or left out", () => withServer(async (server) => {
    const payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    const headers = { "content-encoding": "aws-chunked", "x-amz-decoded-content-length": "8" };
    const put = (body: ByHand["body"], more = {}): Promise<string> => sendByHand(server, { path: "/shelf/x", headers: { ...headers, ...more }, payload, body });
    expect(await put(signedChunks(["good ", "day"]))).to.equal("200");
    expect(await put(signedChunks(["good ", "day"], 1))).to.equal("SignatureDoesNotMatch");
    expect(await put(signedChunks(["good ", "days"]))).to.equal("IncompleteBody");
    expect(await put((...signing) => String(signedChunks(["good ", "day"])(...signing)).replace(/^5;.*\r\n.*\r\n/, ""))).to.equal("SignatureDoesNotMatch");
    expect(await put((...signing) => String(signedChunks(["good ", "day"])(...signing)).slice(0, 120))).to.equal("IncompleteBody");
    expect([...server.buckets.get("shelf")!.objects.keys()]).to.deep.equal(["x"]);
  }));

  it("refuses a body, a trailer or a digest that does not fit", () => withServer(async (server) => {
    const put = (payload: string, body: string, headers = {}): Promise<string> => sendByHand(server, { path: "/shelf/x", headers, payload, body: () => body });
    expect(await put(hash("good day"), "good day")).to.equal("200");
    expect(await put(hash("good day"), "good dai")).to.equal("XAmzContentSHA256Mismatch");
    expect(await put("UNSIGNED-PAYLOAD", "good day", { "content-md5": createHash("md5").update("good dai").digest("base64") })).to.equal("BadDigest");
    expect(await put("UNSIGNED-PAYLOAD", "good day", { "x-amz-checksum-crc32": checksumOf("crc32", Buffer.from("good dai")) })).to.equal("BadDigest");
    const headers = { "x-amz-decoded-content-length": "8", "x-amz-trailer": "x-amz-checksum-crc32" };
    const trailer = (text: string): string => `8\r\ngood day\r\n0\r\n${text}\r\n\r\n`;
    const kind = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    expect(await put(kind, trailer(`x-amz-checksum-crc32:${checksumOf("crc32", Buffer.from("good day"))}`), headers)).to.equal("200");
    expect(await put(kind, trailer(`x-amz-checksum-crc32:${checksumOf("crc32", Buffer.from("good dai"))}`), headers)).to.equal("BadDigest");
    expect(await put(kind, "8\r\ngood day\r\n0\r\n\r\n", headers)).to.equal("MalformedTrailerError");
    expect(await sendByHand(server, { method: "GET", path: "/shelf/x", payload: "", body: () => "" })).to.equal("InvalidRequest");
  }));

  it("puts together parts that are large enough, named in order with their ETags and checksums", () => withServer(async (server, client) => {
    const where = { Bucket: "shelf", Key: "x" };
    const { UploadId = "" } = await client.createMultipartUpload({ ...where, ChecksumAlgorithm: "CRC32" });
    const [large, small] = [someBytes(1_000, 1), someBytes(10, 2)];
    const parts = await Promise.all([large, small, large].map(async (Body, index) => {
      const { ETag, ChecksumCRC32 } = await client.uploadPart({ ...where, UploadId, PartNumber: index + 1, Body, ChecksumAlgorithm: "CRC32" });
      return { PartNumber: index + 1, ETag, ChecksumCRC32 };
    }));
    const [first, second, third] = parts as [typeof parts[0], typeof parts[0], typeof parts[0]];
    const complete = (...Parts: (typeof parts)[number][]): Promise<string> => codeOf(client.completeMultipartUpload({ ...where, UploadId, MultipartUpload: { Parts } }));
    expect(await complete(first, second, third)).to.equal("EntityTooSmall");
    expect(await complete(third, first)).to.equal("InvalidPartOrder");
    expect(await complete(first, { ...third, ETag: second.ETag })).to.equal("InvalidPart");
    expect(await complete(first, { ...third, ChecksumCRC32: second.ChecksumCRC32 })).to.equal("InvalidPart");
    expect(await complete({ PartNumber: 1, ETag: first.ETag, ChecksumCRC32: undefined })).to.equal("InvalidRequest");
    expect(await complete(first, { ...third, PartNumber: 9 })).to.equal("InvalidPart");
    expect(await complete(first, third)).to.equal("done");
    expect(await complete(first, third)).to.equal("NoSuchUpload");
    expect(server.buckets.get("shelf")!.objects.get("x")).to.include({ bytes: 2_000 });
    expect(server.buckets.get("shelf")!.uploads.size).to.equal(0);
  }, { partBytesMin: 1_000 }));
});
