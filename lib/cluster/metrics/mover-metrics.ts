/** The metrics of a mover, and whether it is ready. */
import { counter, counterBy, flag, gauge, type Observed } from "./families.js";
import { processFamilies } from "./process-metrics.js";

/** What a mover lets see of itself, as it is now. Only read. */
export interface MoverFacts {
  readonly isStopping: boolean;
  readonly isRegistryUp: boolean;
  /** Whether it is the one at work in its data directory. */
  readonly isHolder: boolean;
  /** Done so far, by kind. */
  readonly steps: Readonly<Record<string, number>>;
  readonly failures: number;
  /** Waiting to be tried again. */
  readonly failing: number;
}

/** A mover to be observed. `look` is asked for its facts at each question. */
export function observeMover(look: () => MoverFacts): Observed {
  return {
    families: [
      ...processFamilies("mover"),
      counterBy("bqueryd_mover_steps_total", "Steps done, by kind", "kind", () => look().steps),
      counter("bqueryd_mover_failures_total", "Steps that failed, and were or will be tried again", () => look().failures),
      gauge("bqueryd_mover_failing", "Steps that failed the last time they were tried", () => look().failing),
      flag("bqueryd_mover_at_work", "Whether it is the one mover at work in its data_dir", () => look().isHolder),
      flag("bqueryd_registry_up", "Whether the registry can be used", () => look().isRegistryUp),
    ],
    findObstacle() {
      const { isStopping, isRegistryUp, isHolder } = look();
      if (isStopping) return "it is stopping";
      if (!isRegistryUp) return "the registry cannot be used";
      return isHolder ? undefined : "another movebcolz is at work in this data_dir, for which it would stand in";
    },
  };
}
