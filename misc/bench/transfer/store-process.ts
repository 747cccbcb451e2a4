/**
 * The store of `bench transfer`, a process of its own: an S3 server that takes payloads for true. It tells where it is, and
 * forgets all objects whenever it is sent a message. It ends when whoever started it does.
 */
import { rm } from "node:fs/promises";
import { startS3 } from "../../../test/support/s3/server.js";
import { bucket, type StoreFacts } from "./processes.js";

const server = await startS3({ buckets: [bucket], folder: process.argv[2]!, trustsPayloads: true });
process.once("disconnect", () => { void server.close(); });
process.on("message", () => { void forgetAll(); });
const { url, region, identity } = server;
process.send!({ url, region, identity } satisfies StoreFacts);

async function forgetAll(): Promise<void> {
  const { objects } = server.buckets.get(bucket)!;
  const files = [...objects.values()].flatMap((object) => object.files);
  objects.clear();
  for (const { path } of files) await rm(path);
  process.send!(server.failures.map(String));
}
