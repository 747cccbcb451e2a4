/** A mean that follows what it measures. */

/** A mean of the latest values; `value` is undefined before the first. Updated in place by `observe`. */
export interface RunningMean {
  value: number | undefined;
  count: number;
}

/** A mean of nothing yet. */
export function createMean(): RunningMean {
  return { value: undefined, count: 0 };
}

/** Takes a value into the mean; each of the latest 16 or so counts about the same. */
export function observe(mean: RunningMean, value: number): void {
  mean.count = Math.min(mean.count + 1, 16);
  mean.value = mean.value === undefined ? value : mean.value + (value - mean.value) / mean.count;
}
