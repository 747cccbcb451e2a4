/** `bqueryd keygen`: makes the key of a process, and prints the line that lets it in at a controller. */
import { hostname } from "node:os";
import { resolve } from "node:path";
import { Argument, Option, type Command } from "commander";
import { BquerydError } from "../base/errors.js";
import { isKeyName } from "../wire/authorized-keys.js";
import { createKeyFile } from "../wire/key-file.js";
import { isRole, roleNames } from "../wire/roles.js";

interface KeygenFlags {
  readonly role: string;
  readonly name?: string;
}

/** Adds `keygen` to the program. */
export function addKeygenCommand(program: Command): void {
  program.command("keygen")
    .description("make a secret key, and print its line for authorized_keys")
    .addArgument(new Argument("[file]", "where the secret goes, readable for you alone; it must not be there yet").default("bqueryd.key"))
    .addOption(new Option("--role <ROLES>", `what the key may do: ${roleNames.join(", ")}, or several with commas`).default("client"))
    .option("--name <NAME>", "whose key it is, for people (default: the host name)")
    .action(runKeygen);
}

function runKeygen(file: string, { role, name = hostname() }: KeygenFlags): void {
  const roles = role.split(",");
  if (!roles.every(isRole)) throw new BquerydError("USAGE", `'${role}' is no role; give ${roleNames.join(", ")}, or several with commas`);
  if (!isKeyName(name)) throw new BquerydError("USAGE", "a name of a key is one line of at most 255 characters; give a shorter one");
  process.stdout.write(`${createKeyFile(resolve(file), { name, roles: new Set(roles) })}\n`);
}
