/** Reading the configuration of a daemon again while it serves. */
import { configTexts, type Config } from "../base/config.js";
import { toBquerydError } from "../base/errors.js";
import type { Log } from "../base/log.js";

/** What of a configuration a role can take over while it serves. */
export interface Reload {
  /** Names of keys. */
  readonly keys: readonly string[];
  /** Called at every reload, also when no key has changed: a file that a key names may hold something else. */
  apply(config: Config): void;
}

/** A daemon that may be told to read its configuration again. */
export interface ReloadOptions extends Reload {
  /** In force since the start. */
  readonly config: Config;
  readonly log: Log;
}

/**
 * A function that takes over what `read` gives, as far as that is possible while the daemon serves, and logs what changed.
 * A configuration that cannot be used is logged as an error, and the one in force stays.
 */
export function createReloader({ config, log, keys, apply }: ReloadOptions): (read: () => Config) => void {
  const inForce = new Map(Object.entries(configTexts(config)));
  const canChange = (name: string): boolean => name === "log_level" || keys.includes(name);
  return (read) => {
    try {
      const again = read();
      const texts = configTexts(again);
      const different = differingKeys(Object.fromEntries(inForce), texts);
      const changed = different.filter(canChange);
      apply(again);
      // Only when the configuration says so: a level that somebody set for the moment stays.
      if (changed.includes("log_level")) log.setLevel(again.logLevel);
      for (const name of changed) setOrDelete(inForce, name, texts[name]);
      reportReload(log, changed, different.filter((name) => !canChange(name)));
    } catch (cause) {
      const { code, message } = toBquerydError(cause, "read the configuration again");
      log.error({ event: "config.refused", code, message: `${message}; until then the configuration in force stays` });
    }
  };
}

/** The names of the keys that are not set to the same. */
export function differingKeys(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => before[name] !== after[name]);
}

function setOrDelete(texts: Map<string, string>, name: string, text: string | undefined): void {
  if (text === undefined) texts.delete(name);
  else texts.set(name, text);
}

/** Names alone: values may be secret. */
function reportReload(log: Log, changed: readonly string[], needsRestart: readonly string[]): void {
  const facts = { event: "config.reloaded", changed, needsRestart };
  if (needsRestart.length === 0) log.info(facts);
  else log.warn({ ...facts, message: `${needsRestart.join(", ")} will be as configured when this process is started again` });
}
