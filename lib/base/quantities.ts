/** Counts, names, sizes and durations as people read them. */

const byteUnits = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** A count with commas between thousands: `3,000,000`. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** A count of things, given the noun for one of them: `1 row`, `3,000,000 rows`. */
export function formatCounted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${Math.round(count) === 1 ? "" : "s"}`;
}

/** At most so many names, and how many there are besides: `a, b and 3 more`. */
export function formatNames(names: readonly string[], most: number): string {
  return names.slice(0, most).join(", ") + (names.length > most ? ` and ${formatCount(names.length - most)} more` : "");
}

/** A size in the largest decimal unit that leaves at least 1, with three digits: `1.23 MB`, `999 B`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < byteUnits.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${byteUnits[unit]}`;
}

/** A duration given in milliseconds, with three digits: `0.42 ms`, `123 ms`, and from a second on `1.23 s`. */
export function formatMilliseconds(ms: number): string {
  if (ms >= 999.5) return formatSeconds(ms / 1000);
  return `${ms.toFixed(ms >= 99.95 ? 0 : ms >= 9.995 ? 1 : 2)} ms`;
}

/** A duration given in seconds: `0.42 s`, `12.3 s`, `3 min 05 s`, `2 h 05 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${twoDigits(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${twoDigits(Math.floor((whole % 3600) / 60))} min`;
}

function twoDigits(count: number): string {
  return String(count).padStart(2, "0");
}
