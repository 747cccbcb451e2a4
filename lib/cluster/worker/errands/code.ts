/** Functions of allowed modules, called in a process of their own that can be killed at any moment. */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { BquerydError } from "../../../base/errors.js";
import { isSystemError } from "../../../base/files.js";
import { limits } from "../../../base/limits.js";
import { isCodeReply, type CodeReply, type CodeRequest } from "./code-messages.js";
import type { ErrandAnswer } from "../events.js";

/** A call of a function. */
export interface CodeCall {
  /** `fs.readdirSync`: a module, then names of its members. */
  readonly name: string;
  /** One frame: the arguments, a list as JSON. */
  readonly body: readonly Uint8Array[];
  /** The modules that may be used. */
  readonly modules: readonly string[];
  /** The working directory of the function, where packages are looked for as well. */
  readonly dataDir: string;
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

const program = fileURLToPath(new URL("./code-process.js", import.meta.url));
const membersMax = 4;
/** No way from a function to what makes functions. */
const refusedMembers = ["constructor", "prototype", "__proto__"];

/**
 * What a function answers. Throws DISABLED for a module that is not allowed, USAGE for what is no name of a function,
 * NOT_FOUND for a function that is not there, BAD_INPUT naming a function that failed, MEMORY_LIMIT for too large an
 * answer, and the reason of `signal`; the process is gone by then.
 */
export async function callFunction({ name, body, modules, dataDir, bytesMax, signal }: CodeCall): Promise<ErrandAnswer> {
  const request: CodeRequest = { name, ...parseFunctionName(name, modules), args: requireArgs(body), bytesMax };
  signal.throwIfAborted();
  // Of the environment of the worker, which may hold secrets, nothing is left to the function.
  const child = fork(program, [], { cwd: dataDir, env: {}, execArgv: [], detached: true, stdio: ["ignore", "ignore", "ignore", "ipc"], serialization: "advanced" });
  const kill = (): void => { killGroup(child); };
  const exited = new Promise<Error | undefined>((resolve) => { child.once("exit", () => { resolve(undefined); }).on("error", resolve); });
  signal.addEventListener("abort", kill, { once: true });
  try {
    const reply = await replyOf(child, request, exited);
    signal.throwIfAborted();
    if (reply.kind === "answer") return { form: reply.form, bytes: reply.bytes };
    throw new BquerydError(reply.code, reply.message, { details: { function: name } });
  } finally {
    signal.removeEventListener("abort", kill);
    // What it has begun, timers or processes, ends with its answer; a process in a group of its own is out of our reach.
    kill();
    await exited;
  }
}

/** The module and the members that a name stands for. Throws DISABLED and USAGE. */
export function parseFunctionName(name: string, modules: readonly string[]): Pick<CodeRequest, "module" | "members"> {
  if (modules.length === 0) {
    throw new BquerydError("DISABLED", "execute_code is off; set code_modules of the workers to the modules that it may use, as in code_modules = fs", { details: { key: "code_modules" } });
  }
  const bare = name.replace(/^node:/, "");
  const module = modules.filter((allowed) => bare.startsWith(`${allowed}.`)).sort((a, b) => b.length - a.length)[0];
  if (module === undefined) {
    throw new BquerydError("DISABLED", `execute_code may not use '${name}': code_modules of the workers has only ${modules.join(", ")}; name it there, or use one of these`, { details: { key: "code_modules", function: name } });
  }
  const members = bare.slice(module.length + 1).split(".");
  const isName = members.length <= membersMax && members.every((member) => /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(member) && !refusedMembers.includes(member));
  if (isName) return { module, members };
  throw new BquerydError("USAGE", `'${name}' is not the name of a function; write it as in 'fs.readdirSync'`, { details: { function: name } });
}

function requireArgs(body: readonly Uint8Array[]): Uint8Array {
  const [args] = body;
  if (args !== undefined && body.length === 1 && args.length <= limits.functionArgumentsBytesMax) return args;
  throw new BquerydError("BAD_MESSAGE", `the arguments of execute_code are not one frame of at most ${limits.functionArgumentsBytesMax} bytes; run the same release everywhere`);
}

/** The one message of the process; what ends without one has failed. */
function replyOf(child: ChildProcess, request: CodeRequest, exited: Promise<Error | undefined>): Promise<CodeReply> {
  return new Promise((resolve) => {
    child.on("message", (reply) => { if (isCodeReply(reply, request.bytesMax)) resolve(reply); });
    void exited.then((problem) => {
      const what = problem === undefined
        ? `ended without an answer (${child.signalCode ?? `exit code ${child.exitCode}`}); see what it was asked to do`
        : `cannot be started in data_dir of the worker (${problem.message}); see whether that is there`;
      resolve({ kind: "failed", code: "BAD_INPUT", message: `the process of ${request.name} ${what}` });
    });
    // One that is gone at once is told of by its exit.
    child.send(request, () => undefined);
  });
}

/** With all that it has started, which is of its group. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (cause) {
    // All that is left of the group may be somebody else's by now, as what sudo starts.
    if (!isSystemError(cause, "ESRCH") && !isSystemError(cause, "EPERM")) throw cause;
  }
}
