/**
 * The file key_file: the secret key of a process, for its owner alone.
 *
 *   # a comment
 *   SECRET      64 hexadecimal digits
 */
import { closeSync, fsyncSync, openSync, statSync, writeSync } from "node:fs";
import { isSystemError, readAtMost } from "../base/files.js";
import { BquerydError, toBquerydError } from "../base/errors.js";
import { formatAuthorizedKey, type AuthorizedKey } from "./authorized-keys.js";
import { keyPairOf, makeKeyPair, type KeyPair } from "./keys.js";

const fileBytesMax = 65_536;
/** Permissions of anybody but the owner. */
const othersMask = 0o077;

/** The keys of the file that `key_file` names, if it names one. Throws what `readKeyFile` throws. */
export function findKeys(keyFile: string | undefined): KeyPair | undefined {
  return keyFile === undefined ? undefined : readKeyFile(keyFile);
}

/** The keys in a file. Throws CONFIG for a file that others may read, or that holds none. */
export function readKeyFile(path: string): KeyPair {
  const lines = readLines(path).filter((line) => line !== "" && !line.startsWith("#"));
  const [secret = ""] = lines;
  // What is there is not repeated: it may be most of a secret.
  if (lines.length !== 1 || !/^[0-9a-f]{64}$/.test(secret)) throw badKeyFile(path, "holds no secret key; make one with bqueryd keygen");
  return keyPairOf(Buffer.from(secret, "hex"));
}

/**
 * Makes a key and writes its secret into a new file that only its owner may read. Gives the line for authorized_keys.
 * Throws EXISTS when the file is there.
 */
export function createKeyFile(path: string, facts: AuthorizedKey): string {
  const pair = makeKeyPair();
  const line = formatAuthorizedKey(pair.publicKey, facts);
  const secret = Buffer.from(pair.secret()).toString("hex");
  writeNew(path, `# The secret key of a bqueryd process: whoever reads it can act for it. Its line in authorized_keys:\n# ${line}\n${secret}\n`);
  return line;
}

function readLines(path: string): string[] {
  try {
    const facts = statSync(path);
    if (!facts.isFile()) throw badKeyFile(path, "is no file; make one with bqueryd keygen");
    if ((facts.mode & othersMask) !== 0) throw badKeyFile(path, `may be read or changed by others; run chmod 600 ${path}`);
    return Buffer.from(readAtMost(path, fileBytesMax)).toString("utf8").split("\n").map((line) => line.trim());
  } catch (cause) {
    if (cause instanceof BquerydError) throw cause;
    throw badKeyFile(path, `cannot be read: ${toBquerydError(cause).message}`);
  }
}

function writeNew(path: string, text: string): void {
  try {
    const file = openSync(path, "wx", 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    if (isSystemError(cause, "EEXIST")) throw new BquerydError("EXISTS", `${path} is there already; name another file, or remove it if nobody uses its key any more`, { details: { path } });
    throw toBquerydError(cause, `write ${path}`);
  }
}

function badKeyFile(path: string, problem: string): BquerydError {
  return new BquerydError("CONFIG", `key_file ${path} ${problem}`, { details: { key: "key_file", path } });
}
