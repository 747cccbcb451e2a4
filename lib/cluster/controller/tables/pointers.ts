/** Keeps a controller's table pointers in step with the registry, and puts back what that has lost. */
import { toBquerydError } from "../../../base/errors.js";
import { joinPointers, lacks } from "../../../registry/entries.js";
import type { Pointers } from "../../../registry/pointers.js";
import type { Registry } from "../../../registry/registry.js";
import type { Pointed } from "./generations.js";

/** Pointers that are followed. */
export interface PointersFollower {
  /**
   * Calls `then` once the pointers are at this epoch or above: at once when they are, else after the registry was read,
   * whatever came of that.
   */
  reach(epoch: number, then: () => void): void;
  /** Ends the watching; what is under way is waited for. */
  close(): Promise<void>;
}

/** Where pointers come from, and who is told. */
export interface FollowerOptions {
  readonly registry: Registry;
  readonly onPointers: (epoch: number, pointed: Pointed) => void;
  /** The list of controllers has changed, or was lost. */
  readonly onControllers: () => void;
}

/** Calls that wait for one look at the registry; those beyond are judged by what is known. */
const waitingMax = 1_000;

/**
 * Reads the pointers, and again after every change. While the registry is away the last ones stand: its keeper in
 * listing.ts tells of that. Throws REGISTRY_UNAVAILABLE when they cannot be read at first.
 */
export async function followRegistry({ registry, onPointers, onControllers }: FollowerOptions): Promise<PointersFollower> {
  let known: Pointers = { epoch: 0, tables: new Map() };
  let reading: Promise<void> | undefined;
  let following: Promise<void> | undefined;
  let waiting = 0;
  let isClosed = false;

  async function read(): Promise<void> {
    let found = await registry.pointers();
    if (lacks(found, known)) {
      await registry.restorePointers(known);
      found = await registry.pointers();
    }
    if (isClosed || found.epoch <= known.epoch) return;
    known = joinPointers(known, found);
    onPointers(known.epoch, pointedOf(known));
  }

  /** What was known last goes on being used while the registry is away; once it is back it tells its watchers. */
  async function tryToRead(): Promise<void> {
    await read().catch(() => undefined);
  }

  /** Reads now, or once more after the reading under way, which may have begun before the change. */
  function refresh(): Promise<void> {
    if (reading === undefined) return reading = tryToRead().finally(() => { reading = undefined; });
    return following ??= reading.then(() => {
      following = undefined;
      return isClosed ? undefined : refresh();
    });
  }

  const stopWatching = registry.watch((change) => {
    if (change === "controllers") onControllers();
    if (change !== "tickets") void refresh();
  });
  try {
    await read();
  } catch (cause) {
    stopWatching();
    throw toBquerydError(cause, "read the pointers of tables");
  }
  return {
    reach(epoch, then) {
      if (epoch <= known.epoch || waiting >= waitingMax || isClosed) {
        then();
        return;
      }
      waiting += 1;
      void refresh().then(() => {
        waiting -= 1;
        if (!isClosed) then();
      });
    },
    async close() {
      isClosed = true;
      stopWatching();
      await (following ?? reading);
    },
  };
}

function pointedOf({ tables }: Pointers): Pointed {
  return new Map([...tables].flatMap(([table, { generation }]) => (generation === null ? [] : [[table, generation] as const])));
}
