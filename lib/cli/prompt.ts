/** `bqueryd` without a command: a prompt, `--eval CODE`, or a script on standard input, with `rpc` in reach. */
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { isControllerAddress } from "../base/config-keys.js";
import { BquerydError } from "../base/errors.js";
import { findNearest, suggestion } from "../base/nearest.js";
import { historyFile } from "../base/config.js";
import { openClient } from "../client/connect.js";
import { verbNames } from "../client/option-names.js";
import { createLineCalls } from "./line-calls.js";
import { readConfig } from "./options.js";
import { openHistory } from "./prompt/history.js";
import { keepTableNames } from "./prompt/table-names.js";
import { createWaitingLine } from "./prompt/waiting-line.js";
import { evaluate, formatValue, runRepl } from "./repl.js";
import { reportWarning } from "./report.js";

/** Makes the prompt what the program does without a command; `commands` are the names of all, loaded or not. */
export function addPrompt(program: Command, commands: readonly string[]): void {
  program
    .argument("[address]", "the controller to ask, tcp://host:port; without it the ones in the registry")
    .option("--eval <CODE>", "print what CODE yields, awaited, and exit")
    .action(async (address: string | undefined, flags: { eval?: string }) => {
      if (address !== undefined) requireAddress(address, commands);
      await runPrompt(program, address, flags.eval);
    });
}

async function runPrompt(program: Command, address: string | undefined, code: string | undefined): Promise<void> {
  if (program.args.length > 1) throw new BquerydError("USAGE", `the prompt takes one address, and ${program.args.length} are given; leave the others out`);
  const config = readConfig(program);
  if (config === undefined) return;
  const controllers = address === undefined ? config.controllers : [address];
  const calls = createLineCalls();
  const isPrompt = code === undefined && process.stdin.isTTY;
  const waiting = isPrompt && process.stderr.isTTY ? createWaitingLine(process.stderr) : undefined;
  const { rpc, tables } = await openClient({ ...config, controllers }, { signalNow: calls.signal, watch: waiting });
  try {
    if (isPrompt) await runRepl(rpc, calls, {}, { history: openHistory(historyFile(), ({ message }) => { reportWarning(message); }), names: keepTableNames(tables), waiting });
    else process.stdout.write(formatValue(await evaluate(code ?? (await text(process.stdin)), rpc)));
  } finally {
    await rpc.close();
  }
}

function requireAddress(text: string, commands: readonly string[]): void {
  if (isControllerAddress(text)) return;
  const verb = findNearest(text, verbNames);
  const otherwise = verb === undefined ? "see bqueryd --help" : `'${verb}' is a verb of the prompt, as in bqueryd --eval "rpc.${verb}(...)"`;
  throw new BquerydError("USAGE", `'${text}' is neither a command nor an address such as tcp://127.0.0.1:14300${suggestion(text, [...commands, "--help", "--version"], otherwise)}`);
}
