/** Uploads in parts that were begun and never ended, as by a process that was killed: S3 keeps their parts, and bills them. */
import { wallMs } from "../../base/clock.js";
import type { S3Link } from "./link.js";

/**
 * Takes back the uploads of a key that nobody goes on with: begun longer ago than `abandonedMs`, and no part of them came
 * since. One that may be somebody's running one stays. What cannot be looked at or taken back is left to the rules of the
 * bucket for unfinished uploads: the object is stored all the same. Throws the reason of the signal alone.
 */
export async function endAbandoned(link: S3Link, key: string, signal: AbortSignal | undefined): Promise<void> {
  const place = { Bucket: link.bucket, Key: link.prefix + key };
  const options = signal === undefined ? {} : { abortSignal: signal };
  const oldMs = wallMs() - link.limits.abandonedMs;
  try {
    const { Uploads: uploads = [] } = await link.client.listMultipartUploads({ Bucket: place.Bucket, Prefix: place.Key }, options);
    for (const { Key: found, UploadId: id, Initiated: begun } of uploads) {
      const isOld = found === place.Key && id !== undefined && begun !== undefined && begun.getTime() < oldMs;
      if (isOld && !await hasPartSince(link, { ...place, UploadId: id }, oldMs, options)) await link.client.abortMultipartUpload({ ...place, UploadId: id }, options);
    }
  } catch {
    // It is tidying: rights that lack for it, or a store that does not have it, are no reason to send nothing.
    signal?.throwIfAborted();
  }
}

async function hasPartSince({ client }: S3Link, upload: { Bucket: string; Key: string; UploadId: string }, sinceMs: number, options: { readonly abortSignal?: AbortSignal }): Promise<boolean> {
  let marker: string | undefined;
  do {
    const page = await client.listParts({ ...upload, ...(marker === undefined ? {} : { PartNumberMarker: marker }) }, options);
    // A part without a time may be new.
    if ((page.Parts ?? []).some(({ LastModified: modified }) => modified === undefined || modified.getTime() >= sinceMs)) return true;
    marker = page.IsTruncated === true && page.NextPartNumberMarker !== marker ? page.NextPartNumberMarker : undefined;
  } while (marker !== undefined);
  return false;
}
