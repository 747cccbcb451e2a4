/** Who may do what: the roles of keys, and the one table of what they allow. */
import { BquerydError } from "../base/errors.js";
import type { ProcessRole } from "./messages.js";

/** The roles that a key can have, several at once. */
export const roleNames = ["client", "admin", "node"] as const;
/** `client` asks, `admin` asks and directs the cluster, `node` serves as a worker, downloader or mover. */
export type Role = (typeof roleNames)[number];

/** Every role: of everybody where there are no keys, and of who has the controller's own. */
export const everyRole: ReadonlySet<Role> = new Set(roleNames);
/** No role: of who has proved no key. */
export const noRole: ReadonlySet<Role> = new Set();

/** Verbs that ask and change nothing; all others need `admin`, those too that this release does not know. */
const clientVerbs: ReadonlySet<string> = new Set(["ping", "info", "files", "groupby", "queries", "sleep", "generations", "downloads"]);

/** Tells whether a text names a role. */
export function isRole(text: string): text is Role {
  return roleNames.some((name) => name === text);
}

/** The role that a verb needs; who has `admin` has `client` too. */
export function roleOfVerb(verb: string): Role {
  return clientVerbs.has(verb) ? "client" : "admin";
}

/** Why who has these roles may not use a verb: FORBIDDEN, naming the verb and the role; undefined when they may. */
export function findForbidden(verb: string, roles: ReadonlySet<Role>): BquerydError | undefined {
  const role = roleOfVerb(verb);
  if (roles.has(role) || roles.has("admin")) return undefined;
  return new BquerydError("FORBIDDEN", `${verb} needs the role ${role}, and the key of this client has ${describeRoles(roles)}; use another key_file, or give the key that role in authorized_keys of the controller`, {
    details: { verb, role },
  });
}

/** Why who has these roles may not serve as a worker, downloader or mover; undefined when they may. */
export function findForbiddenWorker(served: ProcessRole, roles: ReadonlySet<Role>): string | undefined {
  if (roles.has("node")) return undefined;
  return `a ${served} needs the role node, and its key has ${describeRoles(roles)}; use another key_file, or give the key that role in authorized_keys of the controller`;
}

function describeRoles(roles: ReadonlySet<Role>): string {
  return roles.size === 0 ? "none" : [...roles].join(" and ");
}
