/** What the S3 server does for requests whose signature is checked. */
import { readFile, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { randomId } from "../../../lib/base/clock.js";
import { checksumNames } from "./checksums.js";
import { checkConditions, forgetUpload, newPath, place, putTogether, type Headers, type KeptBucket, type KeptFile, type KeptObject, type NamedPart, type Upload } from "./keeping.js";
import { listPage } from "./listing.js";
import { receiveBody, type Received } from "./payload.js";
import { refuse } from "./refuse.js";
import type { Signed } from "./signature.js";
import { documentOf, parseXml, tag, textOf, type Element } from "./xml.js";

/** What a request is done with. */
export interface Context {
  readonly request: IncomingMessage;
  readonly signed: Signed;
  readonly parameters: ReadonlyMap<string, string>;
  readonly buckets: Map<string, KeptBucket>;
  readonly bucketName: string;
  readonly key: string;
  readonly directory: string;
  readonly region: string;
  readonly partBytesMin: number;
  readonly pageKeysMax: number;
  readonly nowMs: number;
  readonly spoil: ((piece: Buffer) => Buffer) | undefined;
  readonly trustsPayloads: boolean;
}

/** An answer: a document, or a part of an object. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text?: string;
  readonly object?: { readonly files: readonly KeptFile[]; readonly start: number; readonly end: number };
}

type Operation = (context: Context) => Promise<Answer> | Answer;

const documentBytesMax = 4 * 2 ** 20;

/** By S3's names. */
export const operations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["ListBuckets", ({ buckets }) => xml(documentOf("ListAllMyBucketsResult", [tag("Owner", [tag("ID", "test")]), tag("Buckets", [...buckets.keys()].map((name) => tag("Bucket", [tag("Name", name), tag("CreationDate", "2020-01-01T00:00:00.000Z")])))]))],
  ["HeadBucket", (context) => { bucketOf(context); return { status: 200, headers: { "x-amz-bucket-region": context.region } }; }],
  ["CreateBucket", ({ buckets, bucketName }) => (buckets.has(bucketName) ? refuse("BucketAlreadyOwnedByYou") : refuse("AccessDenied"))],
  ["GetBucketLocation", (context) => { bucketOf(context); return xml(`<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${context.region === "us-east-1" ? "" : context.region}</LocationConstraint>`); }],
  ["ListObjects", (context) => xml(listPage(bucketOf(context), context.parameters, context.pageKeysMax))],
  ["ListObjectsV2", (context) => xml(listPage(bucketOf(context), context.parameters, context.pageKeysMax))],
  ["ListMultipartUploads", (context) => xml(documentOf("ListMultipartUploadsResult", [tag("Bucket", context.bucketName), tag("IsTruncated", false), ...[...bucketOf(context).uploads.values()].filter(({ key }) => key.startsWith(context.parameters.get("prefix") ?? "")).map(({ id, key, startedMs }) => tag("Upload", [tag("Key", key), tag("UploadId", id), tag("Initiated", new Date(startedMs).toISOString())]))]))],
  ["GetObject", (context) => getObject(context, true)],
  ["HeadObject", (context) => getObject(context, false)],
  ["PutObject", putObject],
  ["CopyObject", copyObject],
  ["DeleteObject", (context) => { bucketOf(context).objects.delete(context.key); return { status: 204 }; }],
  ["DeleteObjects", deleteObjects],
  ["CreateMultipartUpload", createUpload],
  ["UploadPart", uploadPart],
  ["ListParts", listParts],
  ["CompleteMultipartUpload", completeUpload],
  ["AbortMultipartUpload", async (context) => { await forgetUpload(bucketOf(context), uploadOf(context)); return { status: 204 }; }],
]);

/** S3's name of what a request asks for. */
export function operationOf({ method = "", headers }: IncomingMessage, { bucket, key, parameters }: { readonly bucket: string; readonly key: string; readonly parameters: ReadonlyMap<string, string> }): string {
  const has = (name: string): boolean => parameters.has(name);
  if (["acl", "policy", "versioning", "tagging", "cors", "lifecycle", "website", "torrent", "versions", "object-lock", "retention"].some(has)) return "unknown";
  if (bucket === "") return method === "GET" ? "ListBuckets" : "unknown";
  if (key === "") {
    if (method === "POST") return has("delete") ? "DeleteObjects" : "unknown";
    if (method !== "GET") return { HEAD: "HeadBucket", PUT: "CreateBucket" }[method] ?? "unknown";
    if (has("location")) return "GetBucketLocation";
    if (has("uploads")) return "ListMultipartUploads";
    return parameters.get("list-type") === "2" ? "ListObjectsV2" : "ListObjects";
  }
  if (method === "POST") return has("uploads") ? "CreateMultipartUpload" : has("uploadId") ? "CompleteMultipartUpload" : "unknown";
  if (has("uploadId")) return { PUT: "UploadPart", GET: "ListParts", DELETE: "AbortMultipartUpload" }[method] ?? "unknown";
  if (method === "PUT") return headers["x-amz-copy-source"] === undefined ? "PutObject" : "CopyObject";
  return { GET: "GetObject", HEAD: "HeadObject", DELETE: "DeleteObject" }[method] ?? "unknown";
}

function xml(text: string): Answer {
  return { status: 200, text };
}

function bucketOf({ buckets, bucketName }: Context): KeptBucket {
  return buckets.get(bucketName) ?? refuse("NoSuchBucket", "the specified bucket does not exist", { BucketName: bucketName });
}

function objectOf(context: Context): KeptObject {
  return bucketOf(context).objects.get(context.key) ?? refuse("NoSuchKey", "the specified key does not exist", { Key: context.key });
}

function uploadOf(context: Context): Upload {
  const upload = bucketOf(context).uploads.get(context.parameters.get("uploadId") ?? "");
  return upload !== undefined && upload.key === context.key ? upload : refuse("NoSuchUpload");
}

function headerOf({ request }: Context, name: string): string | undefined {
  return request.headers[name]?.toString();
}

function getObject(context: Context, withBody: boolean): Answer {
  const object = objectOf(context);
  const { bytes, etag, checksums } = object;
  const ifMatch = headerOf(context, "if-match");
  if (ifMatch !== undefined && ifMatch !== etag && ifMatch !== "*") refuse("PreconditionFailed");
  const headers = { ...headersOf(object), etag, "accept-ranges": "bytes", "last-modified": new Date(object.modifiedMs).toUTCString() };
  if (headerOf(context, "if-none-match") === etag) return { status: 304, headers };
  const range = withBody ? rangeOf(headerOf(context, "range"), bytes) : undefined;
  const checked = range === undefined && headerOf(context, "x-amz-checksum-mode") === "ENABLED" ? [...checksums].map(([name, value]) => [`x-amz-checksum-${name}`, value] as const) : [];
  const { start, end } = range ?? { start: 0, end: bytes };
  return {
    status: range === undefined ? 200 : 206,
    headers: { ...headers, ...Object.fromEntries(checked), ...(range === undefined ? {} : { "content-range": `bytes ${start}-${end - 1}/${bytes}` }), "content-length": String(end - start) },
    ...(withBody ? { object: { files: object.files, start, end } } : {}),
  };
}

function headersOf({ contentType, metadata, encryption }: Headers): Record<string, string> {
  return { "content-type": contentType, ...Object.fromEntries([...metadata].map(([name, value]) => [`x-amz-meta-${name}`, value])), ...Object.fromEntries(encryption) };
}

/** Undefined for the whole object; what cannot be read as a range does not count. */
function rangeOf(header: string | undefined, bytes: number): { readonly start: number; readonly end: number } | undefined {
  const [whole, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (whole === undefined || (first === "" && last === "")) return undefined;
  const start = first === "" ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = first === "" || last === "" ? bytes : Math.min(bytes, Number(last) + 1);
  return start < end ? { start, end } : refuse("InvalidRange", "the requested range cannot be satisfied", { ActualObjectSize: String(bytes) });
}

function headersToKeep(context: Context): Headers {
  const { headers } = context.request;
  const kind = headerOf(context, "x-amz-server-side-encryption");
  const keyId = headerOf(context, "x-amz-server-side-encryption-aws-kms-key-id");
  if (kind !== undefined && kind !== "AES256" && kind !== "aws:kms") refuse("InvalidArgument");
  if (keyId !== undefined && kind !== "aws:kms") refuse("InvalidArgument", "a key of KMS without aws:kms");
  const encryption = [["x-amz-server-side-encryption", kind], ["x-amz-server-side-encryption-aws-kms-key-id", keyId]] as const;
  return {
    contentType: headers["content-type"] ?? "binary/octet-stream",
    metadata: new Map(Object.entries(headers).flatMap(([name, value]) => (name.startsWith("x-amz-meta-") ? [[name.slice("x-amz-meta-".length), String(value)] as const] : []))),
    encryption: new Map(encryption.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))),
  };
}

function conditionsOf(context: Context): { readonly ifNoneMatch: string | undefined; readonly ifMatch: string | undefined } {
  return { ifNoneMatch: headerOf(context, "if-none-match"), ifMatch: headerOf(context, "if-match") };
}

/** A body in a new file, which is removed when it is refused. */
async function receive(context: Context): Promise<Received & { readonly path: string }> {
  const path = newPath(context.directory);
  try {
    return { ...await receiveBody(context.request, context.signed, path, context), path };
  } catch (cause) {
    await rm(path, { force: true });
    throw cause;
  }
}

async function putObject(context: Context): Promise<Answer> {
  const bucket = bucketOf(context);
  if (Buffer.byteLength(context.key) > 1_024) refuse("KeyTooLongError");
  const headers = headersToKeep(context);
  const { path, bytes, md5, checksums } = await receive(context);
  const object = { ...headers, key: context.key, files: [{ path, bytes }], bytes, etag: `"${md5.toString("hex")}"`, modifiedMs: context.nowMs, checksums };
  await place(bucket, object, conditionsOf(context));
  return { status: 200, headers: { etag: object.etag, ...Object.fromEntries(headers.encryption) } };
}

async function copyObject(context: Context): Promise<Answer> {
  const source = decodeURIComponent(headerOf(context, "x-amz-copy-source") ?? "").replace(/^\//, "");
  const [name = "", ...rest] = source.split("/");
  const from = objectOf({ ...context, bucketName: name, key: rest.join("/") });
  const headers = headerOf(context, "x-amz-metadata-directive") === "REPLACE" ? headersToKeep(context) : {};
  const { objects } = bucketOf(context);
  checkConditions(objects.get(context.key), conditionsOf(context));
  objects.set(context.key, { ...from, ...headers, key: context.key, modifiedMs: context.nowMs });
  return xml(documentOf("CopyObjectResult", [tag("LastModified", new Date(context.nowMs).toISOString()), tag("ETag", from.etag)]));
}

/** A document in the body. */
async function receiveDocument(context: Context, name: string): Promise<Element> {
  const { path, bytes } = await receive(context);
  try {
    if (bytes > documentBytesMax) refuse("EntityTooLarge");
    const root = parseXml(await readFile(path, "utf8"));
    return root.name === name ? root : refuse("MalformedXML");
  } finally {
    await rm(path);
  }
}

async function deleteObjects(context: Context): Promise<Answer> {
  const bucket = bucketOf(context);
  const isChecked = context.request.headers["content-md5"] !== undefined || Object.keys(context.request.headers).some((name) => name.startsWith("x-amz-checksum-"));
  if (!isChecked) refuse("InvalidRequest", "Content-MD5 is missing");
  const root = await receiveDocument(context, "Delete");
  const keys = root.children.filter(({ name }) => name === "Object").map((object) => textOf(object, "Key") ?? refuse("MalformedXML"));
  if (keys.length === 0 || keys.length > 1_000) refuse("MalformedXML");
  for (const key of keys) bucket.objects.delete(key);
  return xml(documentOf("DeleteResult", textOf(root, "Quiet") === "true" ? [] : keys.map((key) => tag("Deleted", [tag("Key", key)]))));
}

async function createUpload(context: Context): Promise<Answer> {
  const bucket = bucketOf(context);
  const checksum = headerOf(context, "x-amz-checksum-algorithm")?.toLowerCase();
  if (checksum !== undefined && !checksumNames.includes(checksum)) refuse("InvalidRequest");
  const upload: Upload = { id: randomId(), key: context.key, headers: headersToKeep(context), startedMs: context.nowMs, checksum, parts: new Map() };
  bucket.uploads.set(upload.id, upload);
  return xml(documentOf("InitiateMultipartUploadResult", [tag("Bucket", bucket.name), tag("Key", context.key), tag("UploadId", upload.id)]));
}

async function uploadPart(context: Context): Promise<Answer> {
  const upload = uploadOf(context);
  const number = Number(context.parameters.get("partNumber"));
  if (!Number.isInteger(number) || number < 1 || number > 10_000) refuse("InvalidArgument");
  const { path, bytes, md5, checksums } = await receive(context);
  // It may have been aborted or completed while the part came.
  if (!bucketOf(context).uploads.has(upload.id)) {
    await rm(path);
    refuse("NoSuchUpload");
  }
  const before = upload.parts.get(number);
  const part = { path, bytes, etag: `"${md5.toString("hex")}"`, checksums, modifiedMs: context.nowMs };
  upload.parts.set(number, part);
  if (before !== undefined) await rm(before.path);
  return { status: 200, headers: { etag: part.etag, ...Object.fromEntries([...checksums].map(([name, value]) => [`x-amz-checksum-${name}`, value])) } };
}

function listParts(context: Context): Answer {
  const parts = [...uploadOf(context).parts].sort(([left], [right]) => left - right);
  return xml(documentOf("ListPartsResult", [
    tag("Bucket", context.bucketName), tag("Key", context.key), tag("UploadId", context.parameters.get("uploadId") ?? ""), tag("IsTruncated", false),
    ...parts.map(([number, { etag, bytes, modifiedMs }]) => tag("Part", [tag("PartNumber", number), tag("LastModified", new Date(modifiedMs).toISOString()), tag("ETag", etag), tag("Size", bytes)])),
  ]));
}

async function completeUpload(context: Context): Promise<Answer> {
  const bucket = bucketOf(context);
  const upload = uploadOf(context);
  const root = await receiveDocument(context, "CompleteMultipartUpload");
  const named = root.children.filter(({ name }) => name === "Part").map(readPart);
  checkConditions(bucket.objects.get(context.key), conditionsOf(context));
  // Of two that complete it the other one meets no upload.
  bucket.uploads.delete(upload.id);
  try {
    const object = putTogether(upload, named, context);
    checkConditions(bucket.objects.get(context.key), conditionsOf(context));
    bucket.objects.set(context.key, object);
    await forgetUpload(bucket, upload, object);
  } catch (cause) {
    bucket.uploads.set(upload.id, upload);
    throw cause;
  }
  return xml(documentOf("CompleteMultipartUploadResult", [tag("Bucket", bucket.name), tag("Key", context.key), tag("ETag", bucket.objects.get(context.key)?.etag ?? "")]));
}

function readPart(part: Element): NamedPart {
  const number = Number(textOf(part, "PartNumber"));
  const etag = textOf(part, "ETag");
  if (!Number.isInteger(number) || etag === undefined) return refuse("MalformedXML");
  const checksums = checksumNames.flatMap((name) => {
    const value = textOf(part, `Checksum${name.toUpperCase()}`);
    return value === undefined ? [] : [[name, value] as const];
  });
  return { number, etag, checksums: new Map(checksums) };
}
