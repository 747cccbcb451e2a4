/** An S3 bucket as an object store. The only file that loads the client of AWS, and only when one is opened. */
import type { S3 } from "@aws-sdk/client-s3";
import { createBuffers } from "../../base/buffers.js";
import { freshSeed, seededRandom } from "../../base/clock.js";
import { setVariable } from "../../base/config.js";
import { BquerydError } from "../../base/errors.js";
import { checkKey } from "../keys.js";
import type { ObjectStore } from "../objects.js";
import { headObject, listObjects } from "./head.js";
import { ask, type S3Link } from "./link.js";
import { readObject } from "./read.js";
import { failureOf, readRefusal } from "./refusal.js";
import { s3Limits, type S3Limits, type S3Settings } from "./settings.js";
import { writeObject } from "./write.js";

/** Where in S3. */
export interface S3Place {
  readonly bucket: string;
  /** Before every key: empty, or ending in a slash. */
  readonly prefix: string;
}

/** Region of requests to servers that have none. */
const regionOfOthers = "us-east-1";

/** A bucket, or what lies below a prefix of it. CONFIG where no credentials or no region are found; the bucket itself is not asked for. */
export async function openS3({ bucket, prefix }: S3Place, settings: S3Settings, limits: S3Limits = s3Limits): Promise<ObjectStore> {
  const place = `s3://${bucket}${prefix === "" ? "" : `/${prefix.slice(0, -1)}`}`;
  const client = await openClient(place, settings, limits);
  const link: S3Link = { client, bucket, prefix, place, settings, limits, random: seededRandom(freshSeed()), buffers: createBuffers(limits.bodiesAtOnce, limits.partBytesMax) };
  return {
    place,
    async head(key, { signal } = {}) {
      const facts = await headObject(link, checkKey(key), signal);
      return facts === undefined ? undefined : { key, bytes: facts.bytes, etag: facts.etag };
    },
    list: (start, { signal } = {}) => listObjects(link, start, signal),
    async *read(key, options = {}) { yield* readObject(link, checkKey(key), options); },
    write: async (key, source, options = {}) => writeObject(link, checkKey(key), source, options),
    async remove(key, { signal } = {}) {
      const where = { Bucket: bucket, Key: prefix + checkKey(key) };
      await ask(link, { verb: "remove", key, signal, send: (options) => client.deleteObject(where, options) });
    },
    async close() { client.destroy(); },
  };
}

async function openClient(place: string, settings: S3Settings, limits: S3Limits): Promise<S3> {
  // It would tell users on stderr that they should have another Node.
  setVariable("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", "true");
  // An idle daemon has no use for its tens of megabytes.
  const { S3 } = await import("@aws-sdk/client-s3");
  const { s3Endpoint: endpoint, s3Region, s3PathStyle = endpoint !== undefined, s3Profile: profile } = settings;
  const make = (region: string | undefined): S3 => leavePartsUnsigned(new S3({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(profile === undefined ? {} : { profile }),
    forcePathStyle: s3PathStyle,
    // Attempts are made in one place, ours, which knows what was done by then.
    maxAttempts: 1,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // It would wait a round trip for leave to send, on a connection of its own.
    expectContinueHeader: false,
    requestHandler: { connectionTimeout: limits.connectMs, socketTimeout: limits.silenceMs },
  }));
  const client = make(s3Region);
  try {
    const region = await findRegion(client);
    if (region === undefined && endpoint === undefined) {
      throw new BquerydError("CONFIG", `cannot open ${place}: its region is not known; set s3_region, or AWS_REGION`, { details: { place } });
    }
    await client.config.credentials();
    if (region !== undefined) return client;
  } catch (cause) {
    client.destroy();
    throw cause instanceof BquerydError ? cause : failureOf(readRefusal(cause), { place, verb: "open", key: "" });
  }
  client.destroy();
  return make(regionOfOthers);
}

/**
 * Of a part its CRC-32 is signed and not its SHA-256, which would take as long as all else that is done with it. Large
 * objects are such as whose readers compare a hash; what is sent whole, as manifests are, is signed.
 */
function leavePartsUnsigned(client: S3): S3 {
  client.middlewareStack.add((next, { commandName }) => (args) => {
    const { request } = args as { request?: { headers?: Record<string, string> } };
    if (commandName === "UploadPartCommand" && request?.headers !== undefined) request.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD";
    return next(args);
  }, { step: "build", name: "leavePartsUnsigned" });
  return client;
}

/** The region that is set somewhere; the client knows none where it throws. */
async function findRegion(client: S3): Promise<string | undefined> {
  try {
    return await client.config.region();
  } catch {
    return undefined;
  }
}
