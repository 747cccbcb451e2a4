/** `bqueryd` without a command: a prompt, `--eval CODE`, or a script on standard input, with `rpc` in reach. */
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { isControllerAddress } from "../base/config-keys.js";
import { BquerydError } from "../base/errors.js";
import { findNearest, suggestion } from "../base/nearest.js";
import { connectWith, type Rpc } from "../client/connect.js";
import { readConfig } from "./options.js";
import { evaluate, formatValue, runRepl } from "./repl.js";

/** What is asked of `rpc`, and looked for among the commands. */
const verbs: readonly (keyof Rpc)[] = ["groupby", "rows", "files", "info", "ping", "killall"];

/** Makes the prompt what the program does without a command. */
export function addPrompt(program: Command): void {
  program
    .argument("[address]", "the controller to ask, tcp://host:port; without it the ones in the registry")
    .option("--eval <CODE>", "print what CODE yields, awaited, and exit")
    .action(async (address: string | undefined, flags: { eval?: string }) => {
      await runPrompt(program, address, flags.eval);
    });
}

async function runPrompt(program: Command, address: string | undefined, code: string | undefined): Promise<void> {
  if (address !== undefined) requireAddress(program, address);
  if (program.args.length > 1) throw new BquerydError("USAGE", `the prompt takes one address, and ${program.args.length} are given; leave the others out`);
  const config = readConfig(program);
  if (config === undefined) return;
  const controllers = address === undefined ? config.controllers : [address];
  const rpc = await connectWith({ ...config, controllers });
  try {
    if (code === undefined && process.stdin.isTTY) await runRepl(rpc);
    else process.stdout.write(formatValue(await evaluate(code ?? (await text(process.stdin)), rpc)));
  } finally {
    await rpc.close();
  }
}

function requireAddress(program: Command, text: string): void {
  if (isControllerAddress(text)) return;
  const commands = [...program.commands.map((command) => command.name()), "--help", "--version"];
  const verb = findNearest(text, verbs);
  const otherwise = verb === undefined ? "see bqueryd --help" : `'${verb}' is a verb of the prompt, as in bqueryd --eval "rpc.${verb}(...)"`;
  throw new BquerydError("USAGE", `'${text}' is neither a command nor an address such as tcp://127.0.0.1:14300${suggestion(text, commands, otherwise)}`);
}
