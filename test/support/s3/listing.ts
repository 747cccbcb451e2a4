/** Lists of objects, of both versions, page by page in the order of the bytes of keys. */
import { compareBytes } from "../../../lib/objects/keys.js";
import type { KeptBucket, KeptObject } from "./keeping.js";
import { refuse } from "./refuse.js";
import { documentOf, tag } from "./xml.js";

/** What stands in a page: an object, or all below a delimiter as one. */
type Entry = { readonly name: string; readonly object: KeptObject | undefined };

/** The page of `GET /bucket` that its parameters ask for; at most `pageKeysMax` entries. */
export function listPage(bucket: KeptBucket, parameters: ReadonlyMap<string, string>, pageKeysMax: number): string {
  const isSecond = parameters.get("list-type") === "2";
  const prefix = parameters.get("prefix") ?? "";
  const delimiter = parameters.get("delimiter") ?? "";
  const asked = parameters.get("max-keys") ?? "1000";
  const encoding = parameters.get("encoding-type");
  if (!/^\d{1,6}$/.test(asked) || (encoding !== undefined && encoding !== "url")) refuse("InvalidArgument");
  const encode = encoding === "url" ? encodeKey : (text: string) => text;
  const after = startOf(parameters, isSecond);
  const most = Math.min(Number(asked), pageKeysMax);
  const left = entriesOf(bucket, prefix, delimiter).filter(({ name }) => after === undefined || compareBytes(name, after) > 0);
  const page = left.slice(0, most);
  const isTruncated = left.length > page.length && most > 0;
  const last = page.at(-1)?.name ?? "";
  return documentOf("ListBucketResult", [
    tag("Name", bucket.name), tag("Prefix", encode(prefix)), ...(delimiter === "" ? [] : [tag("Delimiter", encode(delimiter))]), tag("MaxKeys", Number(asked)),
    ...(encoding === undefined ? [] : [tag("EncodingType", encoding)]), tag("IsTruncated", isTruncated),
    ...pagingOf(parameters, { isSecond, isTruncated, last, delimiter, count: page.length, encode }),
    ...page.map(({ name, object }) => (object === undefined ? tag("CommonPrefixes", [tag("Prefix", encode(name))]) : contentsOf(object, encode))),
  ]);
}

function entriesOf(bucket: KeptBucket, prefix: string, delimiter: string): Entry[] {
  const names = new Map<string, KeptObject | undefined>();
  for (const [key, object] of bucket.objects) {
    if (!key.startsWith(prefix)) continue;
    const end = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    if (end === -1) names.set(key, object);
    else names.set(key.slice(0, end + delimiter.length), undefined);
  }
  return [...names].map(([name, object]) => ({ name, object })).sort((left, right) => compareBytes(left.name, right.name));
}

/** Entries up to this one have been listed. */
function startOf(parameters: ReadonlyMap<string, string>, isSecond: boolean): string | undefined {
  if (!isSecond) return parameters.get("marker");
  const token = parameters.get("continuation-token");
  if (token === undefined) return parameters.get("start-after");
  const text = Buffer.from(token, "base64").toString();
  if (!text.startsWith("after:")) refuse("InvalidArgument", "the continuation token is wrong");
  return text.slice("after:".length);
}

function pagingOf(parameters: ReadonlyMap<string, string>, page: { isSecond: boolean; isTruncated: boolean; last: string; delimiter: string; count: number; encode: (text: string) => string }): string[] {
  const { isSecond, isTruncated, last, delimiter, count, encode } = page;
  if (!isSecond) {
    // Without a delimiter the last key of a page is the marker of the next.
    return [tag("Marker", encode(parameters.get("marker") ?? "")), ...(isTruncated && delimiter !== "" ? [tag("NextMarker", encode(last))] : [])];
  }
  return [tag("KeyCount", count), ...(isTruncated ? [tag("NextContinuationToken", Buffer.from(`after:${last}`).toString("base64"))] : [])];
}

function contentsOf({ key, modifiedMs, etag, bytes }: KeptObject, encode: (text: string) => string): string {
  return tag("Contents", [tag("Key", encode(key)), tag("LastModified", new Date(modifiedMs).toISOString()), tag("ETag", etag), tag("Size", bytes), tag("StorageClass", "STANDARD")]);
}

/** As S3 does: slashes as they are, a space as a plus. */
function encodeKey(key: string): string {
  return encodeURIComponent(key).replaceAll("%2F", "/").replaceAll("%20", "+");
}
