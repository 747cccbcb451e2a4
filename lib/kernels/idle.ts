/** Memory of WebAssembly that waits for its next user: it is slow to get, and slow to let go. */

/** One thing at most that nobody uses just now. */
export interface Idle<T> {
  /** The idle thing, or a new one. */
  take(): T;
  /** Leaves a thing to the next one who takes; forgotten where it is not as new, or another is idle already. */
  keep(thing: T): void;
}

/** Nothing idle yet. `isAsNew` tells whether a thing can be used again, and is worth keeping. */
export function createIdle<T>(make: () => T, isAsNew: (thing: T) => boolean): Idle<T> {
  let idle: T | undefined;
  return {
    take() {
      const thing = idle ?? make();
      idle = undefined;
      return thing;
    },
    keep(thing) {
      if (isAsNew(thing)) idle = thing;
    },
  };
}
