/** What calls cost, by the columns they read: the first batches of a call are cut by what the ones before it cost. */
import { keyOfNames } from "../../../wire/digest.js";
import { createLatest, lowOf, type Latest } from "./latest.js";
import { createMean, type RunningMean } from "./running-mean.js";

/** What the latest calls of some columns cost. */
export interface Habit {
  /** Milliseconds of work for a shard. */
  readonly shardMs: Latest;
  /** Milliseconds a row from when a task was given out until it was done. */
  readonly rowMs: Latest;
  readonly partialBytes: RunningMean;
  /** Whether workers merge shards that follow each other into one partial, be they an aligned block or not. */
  mergesRuns: boolean;
}

/** Habits by the key of tables and columns, the one used last at the end. */
export type Habits = Map<string, Habit>;

/** Habits kept; older ones are forgotten. */
const habitsMax = 1_000;

/** The habit of calls that read these columns of these tables, as kept from now on. */
export function habitOf(habits: Habits, { tables, columns }: { readonly tables: readonly string[]; readonly columns: readonly string[] }): Habit {
  const key = keyOfNames(tables, columns.toSorted());
  const habit = habits.get(key) ?? { shardMs: createLatest(), rowMs: createLatest(), partialBytes: createMean(), mergesRuns: true };
  habits.delete(key);
  habits.set(key, habit);
  if (habits.size > habitsMax) habits.delete(habits.keys().next().value!);
  return habit;
}

/** Milliseconds of work for a shard of a call as far as it is known, of the call itself or of those like it. */
export function knownShardMs({ shardMs, habit }: { readonly shardMs: Latest; readonly habit: Habit }): number | undefined {
  return lowOf(shardMs) ?? lowOf(habit.shardMs);
}
