/** Opening the keeper that the text of a bucket names. */
import { isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { BquerydError } from "../base/errors.js";
import { openDirectory } from "./directory/store.js";
import { checkKey } from "./keys.js";
import type { ObjectStore } from "./objects.js";
import { openS3 } from "./s3/store.js";
import type { S3Settings } from "./s3/settings.js";

/** What an object store is opened with: the configuration of the process holds all of it. */
export type ObjectStoreOptions = S3Settings;

/** A bucket text taken apart. */
export type Bucket =
  | { readonly kind: "directory"; readonly path: string }
  /** `prefix` is empty or ends in a slash. */
  | { readonly kind: "s3"; readonly bucket: string; readonly prefix: string };

/**
 * The object store that a bucket text names: `name` or `s3://name/prefix` in S3, an absolute path or `file:///path` of a
 * directory that exists. Nothing is asked of S3 yet but credentials of their own providers. CONFIG names what is wrong or missing.
 */
export async function openObjectStore(bucket: string, options: ObjectStoreOptions): Promise<ObjectStore> {
  const parsed = parseBucket(bucket);
  return parsed.kind === "directory" ? openDirectory(parsed.path) : openS3(parsed, options);
}

/** The parts of a bucket text, whose shape alone is looked at. Throws CONFIG for a text that names no bucket. */
export function parseBucket(text: string): Bucket {
  if (isAbsolute(text)) return { kind: "directory", path: resolve(text) };
  if (text.startsWith("file:")) return { kind: "directory", path: pathOf(text) };
  const [, name = "", prefix = ""] = /^(?:s3:\/\/)?([^/]*)(?:\/(.*))?$/s.exec(text) ?? [];
  const isPlainName = !text.startsWith("s3://") && text.includes("/");
  if (isPlainName || !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) || name.includes("..")) throw wrongBucket(text);
  const trimmed = prefix.replace(/\/+$/, "");
  return { kind: "s3", bucket: name, prefix: trimmed === "" ? "" : `${checkKey(trimmed)}/` };
}

function pathOf(text: string): string {
  try {
    return fileURLToPath(text);
  } catch (cause) {
    throw wrongBucket(text, cause);
  }
}

function wrongBucket(text: string, cause?: unknown): BquerydError {
  return new BquerydError("CONFIG", `'${text}' names no bucket; give the name of one in S3, s3://name/prefix, or the absolute path of a directory`, {
    details: { bucket: text }, cause,
  });
}
