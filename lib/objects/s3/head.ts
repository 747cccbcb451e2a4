/** Facts of an object in S3, and the list of those with a prefix. */
import type { HeadObjectCommandOutput } from "@aws-sdk/client-s3";
import type { ObjectFacts } from "../objects.js";
import { again, ask, strangeAnswer, type Attempts, type S3Link } from "./link.js";
import { isAbsent } from "./refusal.js";

/** The metadata under which an object keeps the id of the write that stored it. */
export const writeIdName = "bqueryd-write";

/** Facts of an object with the id of the write that stored it, where we did; undefined where there is no such object. */
export async function headObject(link: S3Link, key: string, signal: AbortSignal | undefined): Promise<ObjectFacts & { readonly writeId: string | undefined } | undefined> {
  const attempts: Attempts = { failed: 0 };
  const output = await ask<HeadObjectCommandOutput | "absent">(link, {
    verb: "look at", key, signal, attempts,
    send: (options) => link.client.headObject({ Bucket: link.bucket, Key: link.prefix + key }, options),
    // Answers to HEAD have no body: whether it is the key, the bucket or the region that is wrong only others tell.
    async understand({ status = 0 }) {
      if (status < 300 || status >= 500) return undefined;
      const found = await findReason(link, key, { signal, attempts });
      // One that came meanwhile was not there either. Any other refusal is over.
      return found === "absent" || status === 404 ? "absent" : again;
    },
  });
  if (output === "absent") return undefined;
  const { ContentLength: bytes, ETag: etag, Metadata: metadata } = output;
  if (bytes === undefined || etag === undefined) throw strangeAnswer(link, key, "its length or its ETag is missing");
  return { key, bytes, etag, writeId: metadata?.[writeIdName] };
}

/** Reads one byte for the reason of a refusal, and throws it unless it is that there is no such object. */
function findReason(link: S3Link, key: string, shared: { readonly signal: AbortSignal | undefined; readonly attempts: Attempts }): Promise<"there" | "absent"> {
  return ask<"there" | "absent">(link, {
    verb: "look at", key, ...shared,
    async send(options) {
      const { Body: body } = await link.client.getObject({ Bucket: link.bucket, Key: link.prefix + key, Range: "bytes=0-0" }, options);
      if (body !== undefined && "destroy" in body) body.destroy();
      return "there";
    },
    understand(refusal) {
      if (isAbsent(refusal)) return "absent";
      // An empty object has no first byte.
      return refusal.status === 416 ? "there" : undefined;
    },
  });
}

/** Objects whose key, after that of the store, begins with a prefix. */
export async function* listObjects(link: S3Link, prefix: string, signal: AbortSignal | undefined): AsyncIterable<ObjectFacts> {
  let token: string | undefined;
  do {
    const page = await ask(link, {
      verb: "list", key: prefix, signal,
      send: (options) => link.client.listObjectsV2({
        Bucket: link.bucket, Prefix: link.prefix + prefix,
        // XML cannot hold all that keys may.
        EncodingType: "url",
        ...(token === undefined ? {} : { ContinuationToken: token }),
      }, options),
    });
    for (const { Key: encoded, Size: bytes, ETag: etag } of page.Contents ?? []) {
      const key = encoded === undefined ? undefined : decodeKey(encoded, page.EncodingType === "url");
      if (key?.startsWith(link.prefix + prefix) !== true || bytes === undefined || etag === undefined) throw strangeAnswer(link, prefix, "its list holds no proper keys, sizes and ETags");
      // Other programs keep an empty object for a folder.
      if (bytes > 0 || !key.endsWith("/")) yield { key: key.slice(link.prefix.length), bytes, etag };
    }
    if (page.IsTruncated === true && (page.NextContinuationToken === undefined || page.NextContinuationToken === token)) throw strangeAnswer(link, prefix, "its list does not go on");
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

/** The key that S3 wrote as in a form; undefined for what is none. */
function decodeKey(encoded: string, isEncoded: boolean): string | undefined {
  if (!isEncoded) return encoded;
  try {
    return decodeURIComponent(encoded.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}
