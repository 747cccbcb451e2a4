/** The keys of a cluster under attack: those of its own processes, and those that attackers have, who are known to it all the same. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../../../lib/base/clock.js";
import { createIntroduction, type Introduction } from "../../../lib/wire/introduction.js";
import { createKeyFile, readKeyFile } from "../../../lib/wire/key-file.js";
import { makeKeyPair, type KeyPair } from "../../../lib/wire/keys.js";
import { roleNames, type Role } from "../../../lib/wire/roles.js";
import { chance, oneOf } from "../random/draw.js";

/** Who has which key. */
export interface HostileKeys {
  /** What gives a process of the cluster its keys. */
  readonly controllerFlags: Readonly<Record<string, string>>;
  readonly workerFlags: Readonly<Record<string, string>>;
  readonly clientFlags: Readonly<Record<string, string>>;
  /** Keys that the controller knows, of every role and of some, in the hands of attackers. */
  readonly known: readonly KeyPair[];
}

/** How an attacker connects, and whether it tells the truth of its key. */
export interface Disguise {
  readonly introduction: Introduction | undefined;
  readonly provesKey: boolean;
}

/** Writes key files and the list of a controller into a folder. */
export function writeHostileKeys(folder: string): HostileKeys {
  const lines: string[] = [];
  function makeKey(name: string, roles: readonly Role[]): string {
    const path = join(folder, `${name}.key`);
    lines.push(createKeyFile(path, { name, roles: new Set(roles) }));
    return path;
  }
  const own = { controller: makeKey("controller", roleNames), worker: makeKey("worker", ["node"]), client: makeKey("client", ["client"]) };
  const known = [makeKey("insider", roleNames), makeKey("asker", ["client"]), makeKey("server", ["node"])].map(readKeyFile);
  const list = join(folder, "authorized_keys");
  writeFileSync(list, `${lines.join("\n")}\n`);
  return { controllerFlags: { key_file: own.controller, authorized_keys: list }, workerFlags: { key_file: own.worker }, clientFlags: { key_file: own.client }, known };
}

/** How one connection to a controller is made that gets through to it. */
export function drawDisguise(random: Random, address: string, keys: HostileKeys | undefined): Disguise {
  return { introduction: createIntroduction(address, keys === undefined ? undefined : oneOf(random, keys.known)), provesKey: chance(random, 0.9) };
}

/** How one is made that does not: with an unknown key, without any, or to somebody else. */
export function drawStranger(random: Random, { serverKey }: Pick<Introduction, "serverKey">, known: readonly KeyPair[]): { readonly keys: KeyPair; readonly serverKey: string } | undefined {
  return oneOf(random, [undefined, { keys: makeKeyPair(), serverKey }, { keys: oneOf(random, known), serverKey: makeKeyPair().publicKey }]);
}
