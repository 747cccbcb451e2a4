/** What keeps a process from its work, told in the log once each time that changes: the registry, or something that nobody expects. */
import { BquerydError, toBquerydError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";

/** What is known of the registry. */
export interface RegistryWatch {
  isUp(): boolean;
  /** It answered. */
  noteUp(): void;
  /** Tells whether a failure is one that passes by itself: the registry is away, or somebody was quicker. */
  notePassing(cause: unknown): boolean;
}

/** A registry that is up as far as anybody knows. */
export function watchRegistry(log: Log): RegistryWatch {
  let isUp = true;
  return {
    isUp: () => isUp,
    noteUp() {
      if (!isUp) log.info({ event: "registry.restored" });
      isUp = true;
    },
    notePassing(cause) {
      if (!(cause instanceof BquerydError)) return false;
      if (cause.code === "STALE") return true;
      if (cause.code !== "REGISTRY_UNAVAILABLE") return false;
      if (isUp) log.warn({ event: "registry.lost", code: cause.code, message: cause.message });
      isUp = false;
      return true;
    },
  };
}

/** What keeps a process from its work besides. */
export interface Problem {
  note(cause: unknown): void;
  noteNone(): void;
}

/** No problem yet. One that comes again and again, as a data directory that is gone, is logged once. */
export function createProblem(log: Log, event: string): Problem {
  let last: string | undefined;
  return {
    note(cause) {
      const { code, message } = toBquerydError(cause);
      if (message !== last) log.error({ event, code, message });
      last = message;
    },
    noteNone() { last = undefined; },
  };
}
