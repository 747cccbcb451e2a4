/** Who may connect to a controller, and what each may do there. Without keys everybody may do everything. */
import { monotonicMs } from "../../../base/clock.js";
import type { Config } from "../../../base/config.js";
import { BquerydError } from "../../../base/errors.js";
import type { Log } from "../../../base/log.js";
import { readAuthorizedKeys, type AuthorizedKey, type AuthorizedKeys } from "../../../wire/authorized-keys.js";
import { isProved, type FirstMessage } from "../../../wire/introduction.js";
import { findKeys } from "../../../wire/key-file.js";
import { createProver, type KeyPair, type Prover } from "../../../wire/keys.js";
import { countMalformed, createMalformedCounts } from "../../../wire/malformed.js";
import type { ClientReply, ProcessRole, WorkerReply } from "../../../wire/messages.js";
import { everyRole, findForbidden, findForbiddenWorker, noRole, type Role } from "../../../wire/roles.js";
import type { Admit } from "../../../wire/zap.js";
import type { Session } from "./sessions.js";

type ErrorReply = ClientReply & { type: "error" };

/** The doorkeeper of one controller. A key is 64 hexadecimal digits; null stands for who has proved none. */
export interface Access {
  /** The controller's own keys, and who is let in; undefined where there are no keys. */
  readonly guard: { readonly keys: KeyPair; readonly admit: Admit } | undefined;
  /** How many connections, first messages and calls were refused since the start. */
  readonly refused: number;
  /** The key that the sender of a first message owns. A client that has proved none is to hear why its calls are refused. */
  identify(header: FirstMessage): string | null;
  /** Answers a call for which its key has no role; tells whether it did. */
  refuseVerb(key: string | null, call: { readonly id: string; readonly verb: string }, answer: (error: Omit<ErrorReply, "origin">) => void): boolean;
  /** Answers a worker, downloader or mover whose key has not the role of those; tells whether it did. */
  refuseWorker(key: string | null, role: ProcessRole, answer: (refused: WorkerReply & { type: "refused" }) => void): boolean;
  /** Counts a refusal; each `who` is logged once a minute. */
  noteRefused(who: string, reason: string): void;
  /** Takes the keys that `authorized_keys` lists now. Throws CONFIG, and keeps those it had. */
  reload(config: Config): void;
  /** Tells whether a session would be let in now as what it is. */
  isWelcome(session: Session): boolean;
}

const loopback = /^(127(\.\d{1,3}){3}|localhost|::1|\[::1\])$/;
/** Addresses that stand for all of a machine: others cannot connect to them. */
const wildcard = /^(0\.0\.0\.0|::|\[::\])$/;

/** Keys that one line of the log names. */
const keysLoggedMax = 20;

/** The doorkeeper that a configuration asks for; throws CONFIG for keys that cannot be read, and for a `bind` that needs more. */
export function createAccess(config: Config, log: Log): Access {
  requireSafeBind(config);
  const own = findKeys(config.keyFile);
  if (own === undefined) return openToAll(config, log);
  const ownFacts: AuthorizedKey = { name: "the key of this controller", roles: everyRole };
  let listed = listKeys(config);
  let provers = new Map<string, Prover | undefined>();
  const refusals = createRefusals(log);
  const { note: noteRefused } = refusals;

  const find = (key: string | null): AuthorizedKey | undefined => (key === own.publicKey ? ownFacts : key === null ? undefined : listed.get(key));
  const rolesOf = (key: string | null): ReadonlySet<Role> => find(key)?.roles ?? noRole;
  const nameOf = (key: string | null): string => (key === null ? "a peer without proof of its key" : `${find(key)?.name ?? ""} ${key.slice(0, 8)}`.trim());

  function proverOf(key: string): Prover | undefined {
    if (!provers.has(key)) provers.set(key, createProver(own!, key));
    return provers.get(key);
  }

  return {
    guard: {
      keys: own,
      admit(key, address) {
        if (find(key) !== undefined) return true;
        // Not by key: who has none can make a new one for every connection.
        noteRefused(address, `its key ${key} is not in authorized_keys`);
        return false;
      },
    },
    get refused() { return refusals.total; },
    identify(header) {
      const key = header.credential?.key;
      if (key !== undefined && find(key) !== undefined) {
        const prover = proverOf(key);
        if (prover !== undefined && isProved(header, prover)) return key;
      }
      noteRefused(nameOf(null), `its ${header.type} proves no key of authorized_keys`);
      return null;
    },
    refuseVerb(key, { id, verb }, answer) {
      const refusal = findForbidden(verb, rolesOf(key));
      if (refusal === undefined) return false;
      noteRefused(nameOf(key), `${verb} is not for its roles`);
      answer({ type: "error", id, code: refusal.code, message: refusal.message, details: refusal.details });
      return true;
    },
    refuseWorker(key, role, answer) {
      const reason = findForbiddenWorker(role, rolesOf(key));
      if (reason === undefined) return false;
      noteRefused(nameOf(key), `it may not serve as a ${role}`);
      answer({ type: "refused", reason });
      return true;
    },
    noteRefused,
    reload(changed) {
      const before = listed;
      listed = listKeys(changed);
      provers = new Map();
      logChanges(log, linesOf(before), linesOf(listed));
    },
    isWelcome: ({ kind, key }) => find(key) !== undefined && (kind === "client" || rolesOf(key).has("node")),
  };
}

/** Everybody who can connect may do everything: on loopback, or where `insecure` says so. */
function openToAll(config: Config, log: Log): Access {
  if (config.authorizedKeys !== undefined) throw new BquerydError("CONFIG", "authorized_keys is set and key_file is not, so nobody could prove a key; set key_file to a file of bqueryd keygen", { details: { key: "key_file" } });
  if (!loopback.test(config.bind)) {
    log.warn({ event: "controller.insecure", bind: config.bind, message: "insecure is true: whoever reaches this address may ask, stop and replace everything" });
  }
  const refusals = createRefusals(log);
  return {
    guard: undefined, identify: () => null, refuseVerb: () => false, refuseWorker: () => false,
    get refused() { return refusals.total; },
    noteRefused: refusals.note, reload: () => undefined, isWelcome: () => true,
  };
}

/** Counts who is refused, and logs it now and then. */
function createRefusals(log: Log): { readonly total: number; note(who: string, reason: string): void } {
  const counts = createMalformedCounts();
  return {
    get total() { return counts.total; },
    note(who, reason) {
      const count = countMalformed(counts, who, monotonicMs());
      if (count > 0) log.warn({ event: "peer.refused", peer: who, reason, count });
    },
  };
}

function listKeys({ authorizedKeys }: Config): AuthorizedKeys {
  return authorizedKeys === undefined ? new Map() : readAuthorizedKeys(authorizedKeys);
}

/** The keys as a log names them: roles, the beginning of the key, whose it is. */
function linesOf(keys: AuthorizedKeys): ReadonlySet<string> {
  return new Set([...keys].map(([key, { name, roles }]) => `${[...roles].join(",")} ${key.slice(0, 8)} ${name}`.trimEnd()));
}

function logChanges(log: Log, before: ReadonlySet<string>, after: ReadonlySet<string>): void {
  const added = [...after].filter((line) => !before.has(line));
  const removed = [...before].filter((line) => !after.has(line));
  if (added.length + removed.length === 0) return;
  log.info({ event: "keys.changed", keys: after.size, added: added.slice(0, keysLoggedMax), removed: removed.slice(0, keysLoggedMax) });
}

function requireSafeBind({ bind, keyFile, insecure, advertise }: Config): void {
  if (!loopback.test(bind) && keyFile === undefined && !insecure) {
    throw new BquerydError("CONFIG", `bind is ${bind}, which other machines can reach, and there are no keys to tell them apart; set key_file (bqueryd keygen makes one), or insecure = true where everybody may do everything`, { details: { key: "bind" } });
  }
  if (wildcard.test(bind) && advertise === undefined) {
    throw new BquerydError("CONFIG", `bind is ${bind}, which is no address that others could connect to; set advertise to the host name or address of this machine`, { details: { key: "advertise" } });
  }
}
