/** The latest of what was measured, and what of it is little: one slow time among them says nothing about the next. */

/** The latest values, oldest first. Updated in place by `note`. */
export interface Latest {
  readonly values: number[];
}

/** Values kept; more would remember what tables and machines were long ago. */
const latestMax = 9;

/** Nothing measured yet. */
export function createLatest(): Latest {
  return { values: [] };
}

/** Adds a value, and forgets the oldest. */
export function note({ values }: Latest, value: number): void {
  values.push(value);
  if (values.length > latestMax) values.shift();
}

/** The lower quartile of the latest values; undefined before the first. */
export function lowOf({ values }: Latest): number | undefined {
  if (values.length < 5) return values.length === 0 ? undefined : Math.min(...values);
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 4)];
}

/** The median of the latest values, of two in the middle the lower; undefined before the first. */
export function medianOf({ values }: Latest): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
}
