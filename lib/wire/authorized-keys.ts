/**
 * The file authorized_keys of a controller: which keys may connect, and what each may do.
 *
 *   # a comment
 *   ROLE[,ROLE...] KEY [NAME]     client 3f0c...(64 hexadecimal digits) ada's laptop
 */
import { statSync } from "node:fs";
import { readAtMost } from "../base/files.js";
import { BquerydError, toBquerydError } from "../base/errors.js";
import { isPublicKey } from "./keys.js";
import { isRole, roleNames, type Role } from "./roles.js";

/** What is known of a key. */
export interface AuthorizedKey {
  /** For people: in logs. */
  readonly name: string;
  readonly roles: ReadonlySet<Role>;
}

/** By public key. */
export type AuthorizedKeys = ReadonlyMap<string, AuthorizedKey>;

const fileBytesMax = 4 * 1024 * 1024;
/** The permission of everybody to write. */
const anybodyMask = 0o002;
/** Characters of a name. */
const nameMax = 255;

/** The keys that a file lists. Throws CONFIG naming the file, and the first line that is none, or that anybody could let himself in there. */
export function readAuthorizedKeys(path: string): AuthorizedKeys {
  return parseAuthorizedKeys(readText(path), path);
}

/** The keys in the text of such a file. Throws CONFIG naming `source` and the first line that is none, or comes twice. */
export function parseAuthorizedKeys(text: string, source: string): AuthorizedKeys {
  const keys = new Map<string, AuthorizedKey>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.trimStart().startsWith("#")) continue;
    const parsed = parseLine(line.trim());
    const problem = typeof parsed === "string" ? parsed : keys.has(parsed.publicKey) ? "its key is in an earlier line too; leave one" : undefined;
    if (typeof parsed === "string" || problem !== undefined) {
      throw new BquerydError("CONFIG", `line ${index + 1} of ${source}: ${problem}`, { details: { source, line: index + 1 } });
    }
    keys.set(parsed.publicKey, { name: parsed.name, roles: parsed.roles });
  }
  return keys;
}

/** The line of a key, without its end. */
export function formatAuthorizedKey(publicKey: string, { name, roles }: AuthorizedKey): string {
  return `${[...roles].join(",")} ${publicKey} ${name}`.trimEnd();
}

/** A name that such a line can hold: printable, on one line, not too long. */
export function isKeyName(text: string): boolean {
  return text.length <= nameMax && text.trim() === text && !/\p{Cc}/u.test(text);
}

/** The key of a line, or what is wrong with it. The line itself is not repeated: it may hold a secret by mistake. */
function parseLine(line: string): { publicKey: string } & AuthorizedKey | string {
  const [, roleList = "", publicKey = "", name = ""] = /^(\S+)(?:\s+(\S+))?(?:\s+(.*))?$/.exec(line) ?? [];
  const roles = roleList.split(",");
  if (!roles.every(isRole)) return `it does not begin with a role; write ${roleNames.join(", ")} or several with commas, then the key and a name`;
  if (!isPublicKey(publicKey)) return "no public key follows the role; write the 64 hexadecimal digits that bqueryd keygen printed";
  if (!isKeyName(name)) return `its name has control characters or is longer than ${nameMax}; write a shorter one`;
  return { publicKey, name, roles: new Set(roles) };
}

function readText(path: string): string {
  const { mode, bytes } = readFacts(path);
  if ((mode & anybodyMask) !== 0) throw new BquerydError("CONFIG", `authorized_keys ${path} may be changed by everybody on this machine; run chmod o-w ${path}`, { details: { source: path } });
  if (bytes.length > fileBytesMax) throw new BquerydError("CONFIG", `authorized_keys ${path} has more than ${fileBytesMax} bytes; name a file of keys`, { details: { source: path } });
  return Buffer.from(bytes).toString("utf8");
}

function readFacts(path: string): { readonly mode: number; readonly bytes: Uint8Array } {
  try {
    return { mode: statSync(path).mode, bytes: readAtMost(path, fileBytesMax + 1) };
  } catch (cause) {
    throw new BquerydError("CONFIG", `cannot read authorized_keys ${path}: ${toBquerydError(cause).message}`, { details: { source: path }, cause });
  }
}
