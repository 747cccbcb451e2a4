/** The peer of `bench transfer`: curl, with addresses that hold their signatures, and what it wrote made durable. */
import { execFile } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { bucket, type StoreFacts } from "./processes.js";

const run = promisify(execFile);
/** How long an address is good. */
const expirySeconds = 86_400;
const outputBytesMax = 1024 * 1024;

/** A file and the key of its object. */
export interface PeerFile {
  readonly path: string;
  readonly key: string;
}

/** Stores files, one after the other over one connection. */
export async function curlUp(store: StoreFacts, files: readonly PeerFile[], { scratch, signal }: { scratch: string; signal: AbortSignal }): Promise<void> {
  await curl(files.map(({ path, key }) => `upload-file = "${path}"\nurl = "${signUrl(store, "PUT", key)}"\n`), { scratch, signal });
}

/** Fetches objects, one after the other over one connection, and makes the files durable. */
export async function curlDown(store: StoreFacts, files: readonly PeerFile[], { scratch, signal }: { scratch: string; signal: AbortSignal }): Promise<void> {
  await curl(files.map(({ path, key }) => `output = "${path}"\nurl = "${signUrl(store, "GET", key)}"\n`), { scratch, signal });
  await run("sync", files.map(({ path }) => path), { signal });
}

async function curl(requests: readonly string[], { scratch, signal }: { scratch: string; signal: AbortSignal }): Promise<void> {
  const path = `${scratch}/curl.cfg`;
  await writeFile(path, `silent\nshow-error\nfail\n${requests.join("")}`);
  try {
    await run("curl", ["--config", path], { signal, maxBuffer: outputBytesMax });
  } finally {
    await rm(path);
  }
}

/** An address with its signature, version 4. https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html */
function signUrl({ url, region, identity }: StoreFacts, method: "GET" | "PUT", key: string): string {
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = `${date.slice(0, 8)}/${region}/s3/aws4_request`;
  const path = `/${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
  const query = [
    ["X-Amz-Algorithm", "AWS4-HMAC-SHA256"], ["X-Amz-Credential", `${identity.accessKeyId}/${scope}`], ["X-Amz-Date", date],
    ["X-Amz-Expires", String(expirySeconds)], ["X-Amz-SignedHeaders", "host"],
  ].map(([name, value]) => `${name}=${encodeURIComponent(value!)}`).join("&");
  const canonical = [method, path, query, `host:${new URL(url).host}`, "", "host", "UNSIGNED-PAYLOAD"].join("\n");
  const secret = scope.split("/").reduce<string | Buffer>((each, text) => hmac(each, text), `AWS4${identity.secretAccessKey}`);
  const text = ["AWS4-HMAC-SHA256", date, scope, createHash("sha256").update(canonical).digest("hex")].join("\n");
  return `${url}${path}?${query}&X-Amz-Signature=${hmac(secret, text).toString("hex")}`;
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
