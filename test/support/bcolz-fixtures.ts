/** The tables that the real bcolz 1.2 wrote (test/fixtures/bcolz), unpacked, and what the JSON beside each says of it. */
import { mkdirSync, readFileSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import type { StoredValue } from "./read-table.js";

/** What is known of a column of a fixture. */
export interface ExpectedColumn {
  readonly name: string;
  /** As in meta/storage. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes of a value. */
  readonly itemsize: number;
  /** Of the bytes of all rows as bcolz stores them; absent for objects. */
  readonly sha256?: string;
}

/** What is known of a fixture. */
export interface Expected {
  /** Directory name. */
  readonly name: string;
  readonly kind: "ctable" | "carray";
  readonly nrows: number;
  readonly names?: readonly string[];
  readonly columns: readonly ExpectedColumn[];
}

const archive = fileURLToPath(new URL("../../../test/fixtures/bcolz/bcolz.tar.gz", import.meta.url));

/** The time of all files, as in the archive. */
const unpackedAt = new Date(0);

/** Unpacks all fixtures into a folder; gives the folder they lie in. */
export function unpackBcolz(folder: string): string {
  const tar = gunzipSync(readFileSync(archive));
  // Blocks of 512 bytes: a header with the name at 0, the size in octal digits at 124 and the kind at 156, then the content.
  for (let at = 0; tar[at] !== 0;) {
    const [name, size, kind] = [tar.toString("latin1", at, at + 100).replace(/\0.*$/s, ""), parseInt(tar.toString("latin1", at + 124, at + 135), 8), tar[at + 156]];
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    if (kind === "5".charCodeAt(0)) mkdirSync(path, { recursive: true });
    else writeFileSync(path, tar.subarray(at + 512, at + 512 + size));
    utimesSync(path, unpackedAt, unpackedAt);
    at += 512 * (1 + Math.ceil(size / 512));
  }
  return join(folder, "bcolz");
}

/** What is known of each fixture in a folder. */
export function readExpected(folder: string): Expected[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".expected.json")).sort();
  return names.map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Expected);
}

/** Values in the form in which bcolz stores them, nulls as NaN and NaT. */
export function bytesAsStored(values: readonly StoredValue[], column: ExpectedColumn): Buffer {
  return Buffer.concat(values.map((value) => bytesOf(value, column)));
}

function bytesOf(value: StoredValue, { dtype, itemsize }: ExpectedColumn): Buffer {
  const bytes = Buffer.alloc(itemsize);
  if (dtype.startsWith("|S")) bytes.write(String(value), "latin1");
  else if (dtype.startsWith("<U")) [...String(value)].forEach((character, at) => bytes.writeUInt32LE(character.codePointAt(0)!, 4 * at));
  else if (dtype === "float32") bytes.writeFloatLE(value === null ? NaN : Number(value));
  else if (dtype === "float64") bytes.writeDoubleLE(value === null ? NaN : Number(value));
  else {
    const whole = Buffer.alloc(8);
    whole.writeBigInt64LE(BigInt.asIntN(64, value === null ? -(2n ** 63n) : BigInt(value as bigint)));
    whole.copy(bytes, 0, 0, itemsize);
  }
  return bytes;
}
