/** A registry that dies at its n-th operation, as a server of several processes does, and comes back as it was, or empty. */
import { BquerydError } from "../../../lib/base/errors.js";
import type { Registry, RegistryChange } from "../../../lib/registry/registry.js";
import type { KillPoint } from "./killable.js";

/** Such a registry. */
export interface FailingRegistry {
  readonly registry: Registry;
  isDead(): boolean;
  begun(): number;
  /** It is back: the same, or another one with nothing in it, which is closed in its place. */
  restart(next?: Registry): void;
  /** From now on it dies at this point, counted from here; undefined: never. */
  arm(point: KillPoint | undefined): void;
}

/** A registry that does not die before it is armed. */
export function createFailingRegistry(first: Registry): FailingRegistry {
  let [current, begun, isDead] = [first, 0, false];
  let point: KillPoint | undefined;
  const listeners = new Map<(change: RegistryChange) => void, () => void>();
  const retired: Registry[] = [];

  async function operate(work: () => Promise<unknown>): Promise<unknown> {
    const isLast = !isDead && begun++ === point?.at;
    if (!isLast && !isDead) return work();
    if (isLast && point!.isDone) await work();
    isDead = true;
    throw new BquerydError("REGISTRY_UNAVAILABLE", "the registry was killed");
  }
  function guard<T extends object>(find: () => T): T {
    return new Proxy(find(), {
      get(_, name) {
        if (name === "tickets") return guard(() => current.tickets);
        if (name === "watch") return watch;
        if (name === "close") return close;
        // Whoever awaits it asks whether it is a promise.
        if (typeof Reflect.get(find(), name) !== "function") return undefined;
        return (...args: unknown[]) => operate(() => Reflect.apply(Reflect.get(find(), name) as (...args: unknown[]) => Promise<unknown>, find(), args));
      },
    });
  }
  function watch(onChange: (change: RegistryChange) => void): () => void {
    listeners.set(onChange, current.watch(onChange));
    return () => {
      listeners.get(onChange)?.();
      listeners.delete(onChange);
    };
  }
  async function close(): Promise<void> {
    for (const one of [current, ...retired]) await one.close();
  }
  return {
    registry: guard(() => current),
    isDead: () => isDead,
    begun: () => begun,
    arm(next) { [point, begun] = [next, 0]; },
    restart(next) {
      if (next !== undefined) {
        retired.push(current);
        current = next;
        for (const [onChange, stop] of [...listeners]) {
          stop();
          watch(onChange);
        }
      }
      [point, isDead] = [undefined, false];
      for (const onChange of listeners.keys()) onChange("controllers");
    },
  };
}
