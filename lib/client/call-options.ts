/** The options that every verb takes: whether they are some, and what they mean. */
import { setMaxListeners } from "node:events";
import { BquerydError } from "../base/errors.js";
import { suggestion } from "../base/nearest.js";
import { optionNames, type VerbName } from "./option-names.js";

/** Options of every verb; `timeout` in seconds. */
export interface CallOptions {
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/** Options whose signal is aborted by another one too. */
export function withSignal<T extends CallOptions>(options: T, other: AbortSignal | undefined): T {
  if (other === undefined) return options;
  return { ...options, signal: options.signal === undefined ? other : AbortSignal.any([options.signal, other]) };
}

/** Throws USAGE unless the options of a verb are an object of what it takes. */
export function requireCallOptions(verb: VerbName, options: unknown): void {
  const names = optionNames(verb);
  if (typeof options !== "object" || options === null) throw new BquerydError("USAGE", `${verb} takes an object of options, such as {timeout: 10}`);
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) throw new BquerydError("USAGE", `${verb} has no option '${name}'${suggestion(name, names, `it takes ${names.slice(0, -1).join(", ")} and ${names.at(-1)}`)}`);
  }
  requireSignal("signal" in options ? options.signal : undefined);
}

/** Throws USAGE unless this is a signal, or none. */
export function requireSignal(signal: unknown): void {
  if (signal === undefined) return;
  if (!(signal instanceof AbortSignal)) throw new BquerydError("USAGE", "signal is not an AbortSignal; give the signal of an AbortController");
  // One signal may end a thousand calls, of which Node would warn from the eleventh on.
  setMaxListeners(0, signal);
}

/** Milliseconds that a call may take; `otherwise` where it does not say. Throws USAGE. */
export function timeoutMsOf<T>(options: CallOptions, otherwise: T): number | T {
  if (options.timeout === undefined) return otherwise;
  if (typeof options.timeout === "number" && options.timeout > 0 && options.timeout <= 1_000_000) return options.timeout * 1_000;
  throw new BquerydError("USAGE", `timeout ${String(options.timeout)} is not a number of seconds above 0; write {timeout: 10}`);
}
