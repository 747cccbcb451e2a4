/** What other processes and people tell a daemon: to end, and to read its configuration again. */
import { isatty } from "node:tty";
import type { Config } from "../base/config.js";
import type { Log } from "../base/log.js";
import { withResolvers } from "../base/resolvers.js";
import { reportError } from "./report.js";

/** Orders as they come, until closed. */
export interface Orders {
  /** Resolves with what asks this process to end. */
  readonly stop: Promise<string>;
  /** From now on the role serves: an end may take its time, and `reload` is called for every order to read again. */
  markServing(reload: (read: () => Config) => void): void;
  close(): void;
}

/** Texts of keys, by name. */
export type KeyTexts = Readonly<Record<string, string>>;

/** What `up` tells its children: all keys that are set. The ports of a child are its own. */
export interface ReloadMessage {
  readonly reload: KeyTexts;
}

const interruptedExitCode = 130;
/** How long a start that was told to end may take before the process ends without it. */
const startGraceMs = 5_000;

/**
 * Whether SIGHUP tells this process that its terminal goes away, which ends it. A process without a terminal, or one that
 * another process of ours supervises, is told by it to read its configuration again.
 */
export function endsWithTerminal(): boolean {
  // By number: asking process.stdin would open it.
  return process.connected !== true && [0, 1, 2].some((descriptor) => isatty(descriptor));
}

/**
 * Listens from the start on, so that no order comes too early to be heard. `readAgain` gives the configuration that the
 * sources of this process make now, or the one that its supervisor tells.
 */
export function listenForOrders(log: Log, readAgain: (told?: KeyTexts) => Config): Orders {
  let isStopping = false;
  let reload: ((read: () => Config) => void) | undefined;
  const { promise: stop, resolve } = withResolvers<string>();
  const hangup = endsWithTerminal() ? onSignal : () => { reload?.(readAgain); };
  function order(reason: string): void {
    isStopping = true;
    resolve(reason);
    // A start may be stuck, on a file system for one.
    if (reload === undefined) setTimeout(() => { if (reload === undefined) process.exit(interruptedExitCode); }, startGraceMs).unref();
  }
  function onSignal(signal: NodeJS.Signals): void {
    if (isStopping) process.exit(interruptedExitCode);
    order(signal);
  }
  function onDisconnect(): void {
    order("the supervising process ended");
  }
  function onMessage(message: unknown): void {
    const texts = textsOf(message);
    if (texts !== undefined) reload?.(() => readAgain(texts));
  }
  function onUnexpected(error: unknown): void {
    log.error({ event: "process.failed", error });
    process.exit(reportError(error));
  }
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal).on("SIGHUP", hangup).on("disconnect", onDisconnect).on("message", onMessage).on("uncaughtException", onUnexpected);
  // It may have ended while this process was loading its modules; without a channel this is undefined.
  if (process.connected === false) onDisconnect();
  return {
    stop,
    markServing(onReload) { reload = onReload; },
    close() {
      process.removeListener("SIGINT", onSignal).removeListener("SIGTERM", onSignal).removeListener("SIGHUP", hangup);
      process.removeListener("disconnect", onDisconnect).removeListener("message", onMessage).removeListener("uncaughtException", onUnexpected);
    },
  };
}

/** The texts of a `ReloadMessage`; undefined for what is none. */
function textsOf(message: unknown): KeyTexts | undefined {
  if (typeof message !== "object" || message === null || !("reload" in message)) return undefined;
  const { reload } = message;
  if (typeof reload !== "object" || reload === null) return undefined;
  return Object.fromEntries(Object.entries(reload).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}
