/**
 * Processes in this process that are killed at their n-th operation on a disk, a registry or an object store: it is not
 * done, or it is done and nobody learns of it, and nothing that comes after has an effect or an answer.
 */
import { setMaxListeners } from "node:events";
import type { ObjectStore } from "../../../lib/objects/objects.js";

/** Where a process dies: at which of its operations, counted from 0, and whether that is still done. */
export interface KillPoint {
  readonly at: number;
  readonly isDone: boolean;
}

/** A process that dies. */
export interface Killable {
  /** The same thing as this process works with it: each call of a method that gives a promise is an operation. */
  guard<T extends object>(target: T): T;
  /** The same of a store, of which each piece that is read is an operation. */
  guardStore(store: ObjectStore): ObjectStore;
  isDead(): boolean;
  /** Resolves when it is dead. */
  readonly died: Promise<void>;
  /** Operations that were begun. */
  begun(): number;
  /** Resolves when nothing is under way any more that was begun before it died. */
  settled(): Promise<void>;
  /** Kills it now. */
  kill(): void;
  /** Lets everything that waits for an answer fail, so that what is left of the dead in this process ends. */
  release(): void;
}

/** A process that dies at that point, or never. */
export function createKillable(point?: KillPoint): Killable {
  let begun = 0;
  let isDead = false;
  let tell: (() => void) | undefined;
  const died = new Promise<void>((resolve) => { tell = resolve; });
  const underWay = new Set<Promise<unknown>>();
  const buried = new AbortController();
  // Whatever was asked of it and is never answered.
  setMaxListeners(0, buried.signal);

  const die = (): void => {
    isDead = true;
    tell?.();
  };
  const forever = (): Promise<never> => new Promise((_, reject) => {
    const end = (): void => { reject(new Error("killed")); };
    if (buried.signal.aborted) end();
    else buried.signal.addEventListener("abort", end, { once: true });
  });
  async function operate<T>(work: () => Promise<T>): Promise<T> {
    if (isDead) return forever();
    const isLast = begun++ === point?.at;
    if (isLast) die();
    if (isLast && !point.isDone) return forever();
    const result = work();
    const settling = result.catch(() => undefined).finally(() => { underWay.delete(settling); });
    underWay.add(settling);
    await settling;
    return dies() ? forever() : result;
  }
  /** Others may have killed it meanwhile. */
  const dies = (): boolean => isDead;

  function guard<T extends object>(target: T): T {
    return new Proxy(target, {
      get(of, name) {
        const member: unknown = Reflect.get(of, name);
        if (typeof member === "object" && member !== null) return guard(member);
        if (typeof member !== "function") return member;
        if (name === "watch" || name === "close") return member.bind(of) as unknown;
        return (...args: unknown[]) => operate(() => Promise.resolve(Reflect.apply(member, of, args) as unknown));
      },
    });
  }
  async function* guardPieces<T>(pieces: AsyncIterable<T>): AsyncIterable<T> {
    const iterator = pieces[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await operate(() => iterator.next());
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return {
    guard,
    guardStore: (store) => ({
      place: store.place, close: () => store.close(),
      head: (...args) => operate(() => store.head(...args)), write: (...args) => operate(() => store.write(...args)), remove: (...args) => operate(() => store.remove(...args)),
      read: (...args) => guardPieces(store.read(...args)), list: (...args) => guardPieces(store.list(...args)),
    }),
    isDead: () => isDead,
    died,
    begun: () => begun,
    async settled() { while (underWay.size > 0) await Promise.all(underWay); },
    kill: die,
    release() {
      die();
      buried.abort();
    },
  };
}
