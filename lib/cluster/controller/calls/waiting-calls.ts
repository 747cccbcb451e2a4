/** Calls that wait until the pointers their clients have seen are known here. The scheduling core has not heard of them yet. */

/** The waiting calls, by client and by the id that the client gave them. */
export interface WaitingCalls<Client> {
  /** Lets a call wait for `reach` to call back, then calls `go` with the milliseconds that took, unless it was taken back. */
  wait(client: Client, id: string, reach: (then: () => void) => void, go: (waitedMs: number) => void): void;
  /** Takes a call back: it never goes on. Tells whether it waited. */
  takeBack(client: Client, id: string): boolean;
}

/** Those who wait until queries go by pointers that are known already (tables/looking.ts). */
export interface Adoption {
  /** Calls `then` once that is so: now, where nothing is waited for that `epoch` needs. */
  wait(epoch: number, then: () => void): void;
  /** Lets those go on who need wait no longer. After every event. */
  check(): void;
}

/** Nobody waits; `isNear` tells whether pointers of an epoch are known and not gone by yet. */
export function createAdoption(isNear: (epoch: number) => boolean): Adoption {
  let waiting: { readonly epoch: number; readonly then: () => void }[] = [];
  return {
    wait(epoch, then) {
      if (isNear(epoch)) waiting.push({ epoch, then });
      else then();
    },
    check() {
      if (waiting.length === 0) return;
      const over = waiting.filter(({ epoch }) => !isNear(epoch));
      waiting = waiting.filter(({ epoch }) => isNear(epoch));
      for (const { then } of over) then();
    },
  };
}

/** Nothing waits; `nowMs` is a steady clock. */
export function createWaitingCalls<Client>(nowMs: () => number): WaitingCalls<Client> {
  const waiting = new Map<Client, Set<string>>();

  function takeBack(client: Client, id: string): boolean {
    const ids = waiting.get(client);
    if (ids?.delete(id) !== true) return false;
    if (ids.size === 0) waiting.delete(client);
    return true;
  }

  return {
    takeBack,
    wait(client, id, reach, go) {
      const ids = waiting.get(client) ?? new Set();
      if (ids.has(id)) return; // A repeated message.
      waiting.set(client, ids.add(id));
      const sinceMs = nowMs();
      reach(() => { if (takeBack(client, id)) go(nowMs() - sinceMs); });
    },
  };
}
