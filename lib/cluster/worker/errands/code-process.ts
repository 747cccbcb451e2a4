/**
 * The process in which execute_code calls one function. The function has a thread of its own, so that this one notices
 * when the worker is gone, however busy the function is.
 */
import { createRequire, isBuiltin } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { isCodeReply, type CodeReply, type CodeRequest } from "./code-messages.js";

const memoryMegabytes = 512;
/** Characters of the message of a function that failed. */
const messageMax = 1_000;

if (isMainThread) supervise();
else parentPort!.postMessage(await call(workerData as CodeRequest));

function supervise(): void {
  process.once("message", (request: CodeRequest) => {
    const thread = new Worker(new URL(import.meta.url), { workerData: request, stdout: true, stderr: true, resourceLimits: { maxOldGenerationSizeMb: memoryMegabytes } });
    thread.on("message", (reply: unknown) => { if (isCodeReply(reply, request.bytesMax)) process.send?.(reply); });
    thread.once("error", (error) => process.send?.(failed("BAD_INPUT", `${request.name} failed`, error)));
    thread.once("exit", (exitCode) => process.send?.({ kind: "failed", code: "BAD_INPUT", message: `${request.name} ended its thread with exit code ${exitCode} and no answer; call another function` }));
  });
  // With all that the function has started.
  process.once("disconnect", () => { process.kill(-process.pid, "SIGKILL"); });
}

async function call({ name, module, members, args, bytesMax }: CodeRequest): Promise<CodeReply> {
  let found: unknown;
  try {
    found = await importModule(module);
  } catch (cause) {
    return failed("NOT_FOUND", `the module of ${name} cannot be loaded`, cause);
  }
  let owner: unknown;
  for (const member of members) {
    owner = found;
    // Of what a module has itself, and of nothing that every object inherits.
    found = isObject(owner) && Object.hasOwn(owner, member) ? Reflect.get(owner, member) : undefined;
  }
  if (typeof found !== "function") return { kind: "failed", code: "NOT_FOUND", message: `there is no function ${name}; look it up in the documentation of ${module}` };
  try {
    return encodeAnswer(name, await Reflect.apply(found, owner, readArgs(args)), bytesMax);
  } catch (cause) {
    return failed("BAD_INPUT", `${name} failed`, cause);
  }
}

function readArgs(bytes: Uint8Array): unknown[] {
  const args: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  if (Array.isArray(args)) return args;
  throw new TypeError("its arguments are no list");
}

/** A module of Node's, else a package as Node finds it from the working directory. */
async function importModule(module: string): Promise<unknown> {
  const url = isBuiltin(module) ? `node:${module}` : pathToFileURL(createRequire(join(process.cwd(), "/")).resolve(module)).href;
  return import(url);
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function encodeAnswer(name: string, value: unknown, bytesMax: number): CodeReply {
  const view = viewOf(value);
  const bytes = view ?? new TextEncoder().encode(JSON.stringify(value) ?? "null");
  if (bytes.length > bytesMax) return { kind: "failed", code: "MEMORY_LIMIT", message: `${name} answered ${bytes.length} bytes, more than ${bytesMax}; ask it for less` };
  // Copied: a pool may hold more than what is answered.
  return view === undefined ? { kind: "answer", form: "json", bytes } : { kind: "answer", form: "bytes", bytes: Uint8Array.from(view) };
}

/** The bytes of what is bytes, where they are. */
function viewOf(value: unknown): Uint8Array | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : undefined;
}

function failed(code: "BAD_INPUT" | "NOT_FOUND", what: string, cause: unknown): CodeReply {
  const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  return { kind: "failed", code, message: `${what}: ${reason.slice(0, messageMax)}; correct its arguments` };
}
