/** Telling the registry, again and again, that a node has a mover: tables with replicas are shared out among such nodes. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../../base/log.js";
import type { NodeRecord, Registry } from "../../../registry/registry.js";
import { createProblem, watchRegistry } from "../registry-watch.js";

/** An announcement that is repeated until it is taken back. */
export interface Announcing {
  /** Takes it back, where the registry answers. Never throws. */
  close(): Promise<void>;
}

/** Announces the node for three times `expiryMs`, and anew each third of that. */
export function announceNode(registry: Registry, record: NodeRecord, expiryMs: number, log: Log): Announcing {
  const over = new AbortController();
  // Of the registry itself the mover tells.
  const [watch, problem] = [watchRegistry({ ...log, info: () => undefined, warn: () => undefined }), createProblem(log, "mover.unannounced")];
  const running = (async () => {
    while (!over.signal.aborted) {
      try {
        await registry.announceNode(record, 3 * expiryMs);
        problem.noteNone();
      } catch (cause) {
        if (!watch.notePassing(cause)) problem.note(cause);
      }
      await sleep(expiryMs, undefined, { signal: over.signal }).catch(() => undefined);
    }
  })();
  return {
    async close() {
      over.abort();
      await running;
      // Else its time runs out.
      await registry.withdrawNode(record.id).catch(() => undefined);
    },
  };
}
