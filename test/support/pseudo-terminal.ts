/** A program on a terminal of its own, typed at by a test: `script` of util-linux makes the terminal. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { stripVTControlCharacters } from "node:util";
import { until } from "./until.js";

/** The program, and the one who types. */
export interface Typist {
  /** All that the terminal has shown, without what moves the cursor and colours. */
  shown(): string;
  type(keys: string): void;
  /** Waits until the terminal has shown a text since what was waited for before. */
  sees(text: string | RegExp, withinMs?: number): Promise<void>;
  /** Waits for the end of the program; its exit code. */
  ended(): Promise<number | null>;
}

/** What makes a terminal. */
const terminalMaker = "script";

/** Starts a program on a terminal of 24 lines of 100 characters. Throws saying what is to be installed where there is no `script`. */
export async function startOnTerminal(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Typist> {
  const command = ["stty rows 24 cols 100; exec", ...args.map((arg) => `'${arg}'`)].join(" ");
  const child = spawn(terminalMaker, ["-qfec", command, "/dev/null"], { env: { ...process.env, TERM: "xterm", ...env }, stdio: ["pipe", "pipe", "inherit"] });
  const failed = once(child, "error").then(([cause]: unknown[]) => { throw new Error(`no program '${terminalMaker}' makes a terminal for this test; install util-linux (Debian: bsdutils)`, { cause }); });
  await Promise.race([once(child, "spawn"), failed]);
  failed.catch(() => undefined);
  const ended = once(child, "close");
  let output = "";
  let seen = 0;
  child.stdout.setEncoding("utf8").on("data", (part: string) => { output += part; });
  const shown = (): string => stripVTControlCharacters(output).replaceAll("\r", "");
  return {
    shown,
    type: (keys) => { child.stdin.write(keys); },
    async sees(text, withinMs = 10_000) {
      const find = (): number => {
        const rest = shown().slice(seen);
        const found = typeof text === "string" ? rest.indexOf(text) : rest.search(text);
        return found;
      };
      try {
        await until(`the terminal shows ${String(text)}`, () => find() >= 0, withinMs);
      } catch (cause) {
        throw new Error(`it shows\n${shown().slice(seen)}`, { cause });
      }
      seen += find() + 1;
    },
    async ended() {
      await ended;
      return child.exitCode;
    },
  };
}
