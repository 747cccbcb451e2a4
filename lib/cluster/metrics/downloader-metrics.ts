/** The metrics of a downloader, and whether it is ready. */
import { counter, counterBy, flag, type Observed } from "./families.js";
import { processFamilies } from "./process-metrics.js";

/** What a downloader lets see of itself, as it is now. Only read. */
export interface DownloaderFacts {
  readonly isStopping: boolean;
  readonly isRegistryUp: boolean;
  /** Whether it fetches a table. */
  readonly isRunning: boolean;
  /** Received from object stores. */
  readonly bytes: number;
  /** Tables begun again after a failure that may pass. */
  readonly retries: number;
  /** By how they ended. */
  readonly slots: Readonly<Record<string, number>>;
}

/** A downloader to be observed. `look` is asked for its facts at each question. */
export function observeDownloader(look: () => DownloaderFacts): Observed {
  return {
    families: [
      ...processFamilies("downloader"),
      counter("bqueryd_fetched_bytes_total", "Bytes received from object stores", () => look().bytes),
      counterBy("bqueryd_slots_total", "Tables of tickets that this downloader had, by how that ended", "outcome", () => look().slots),
      counter("bqueryd_slots_retried_total", "Tables begun again after a failure that may pass", () => look().retries),
      flag("bqueryd_fetching", "Whether a table is being fetched", () => look().isRunning),
      flag("bqueryd_registry_up", "Whether the registry can be used", () => look().isRegistryUp),
    ],
    findObstacle() {
      const { isStopping, isRegistryUp } = look();
      if (isStopping) return "it is stopping";
      return isRegistryUp ? undefined : "the registry cannot be used";
    },
  };
}
