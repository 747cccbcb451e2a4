/** A controller's entry in the registry, kept alive while it serves. */
import { toBquerydError } from "../../../base/errors.js";
import type { Log } from "../../../base/log.js";
import type { ControllerRecord, Registry } from "../../../registry/registry.js";

/** An entry that lasts for its time to live after each renewal, until it is withdrawn. */
export interface Listing {
  /** Starts a renewal unless one is under way. A registry that is away is logged once, and once when it is back. */
  renew(): void;
  /** Whether the registry took the entry when it was last tried. */
  isListed(): boolean;
  /** Takes the entry off the list for good. Never throws. */
  withdraw(): Promise<void>;
}

/** What is listed, where and for how long. */
export interface ListingOptions {
  readonly registry: Registry;
  readonly record: ControllerRecord;
  readonly ttlMs: number;
  readonly log: Log;
}

/** The entry, listed. Throws REGISTRY_UNAVAILABLE. */
export async function listController({ registry, record, ttlMs, log }: ListingOptions): Promise<Listing> {
  let isLost = false;
  let renewing: Promise<void> | undefined;
  let withdrawing: Promise<void> | undefined;

  async function announce(): Promise<void> {
    try {
      await registry.announce(record, ttlMs);
      if (isLost) log.info({ event: "registry.restored" });
      isLost = false;
    } catch (cause) {
      const { code, message } = toBquerydError(cause, "renew the entry in the registry");
      if (!isLost) log.warn({ event: "registry.lost", code, message });
      isLost = true;
    }
  }

  async function remove(): Promise<void> {
    await renewing; // It would put the entry back.
    try {
      await registry.withdraw(record.id);
    } catch (cause) {
      const { code, message } = toBquerydError(cause, "withdraw the entry from the registry");
      log.warn({ event: "registry.lost", code, message });
    }
  }

  await registry.announce(record, ttlMs);
  return {
    renew() {
      if (withdrawing === undefined) renewing ??= announce().finally(() => { renewing = undefined; });
    },
    isListed: () => !isLost && withdrawing === undefined,
    withdraw: () => (withdrawing ??= remove()),
  };
}
