/** Timestamps as text: ISO 8601 to int64 nanoseconds since 1970-01-01 UTC and back. */

const pattern = /^([+-]\d{6}|\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?$/i;

/** Nanoseconds of a text, which may lie beyond int64; without zone it is UTC. Undefined for what is no timestamp. */
export function parseTimestamp(text: string): bigint | undefined {
  const match = pattern.exec(text.trim());
  if (match === null) return undefined;
  const [, year, month, day, hour = "0", minute = "0", second = "0", fraction = "", zone] = match;
  const midnight = new Date(0);
  midnight.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  // The calendar rolls 31 April over to May: then the month read back is another one.
  if (midnight.getUTCMonth() !== Number(month) - 1 || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const seconds = midnight.getTime() / 1_000 + Number(hour) * 3_600 + Number(minute) * 60 + Number(second) - zoneSeconds(zone);
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** ISO 8601 text of nanoseconds, UTC, with as many digits of a second as needed. */
export function formatTimestamp(value: bigint): string {
  const nanoseconds = ((value % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const whole = new Date(Number((value - nanoseconds) / 1_000_000n)).toISOString().replace(/\.000Z$/, "");
  const fraction = nanoseconds === 0n ? "" : `.${nanoseconds.toString().padStart(9, "0").replace(/0+$/, "")}`;
  return `${whole}${fraction}Z`;
}

function zoneSeconds(zone: string | undefined): number {
  if (zone === undefined || zone.toUpperCase() === "Z") return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(3).replace(":", ""))];
  return (zone.startsWith("-") ? -1 : 1) * (hours * 3_600 + minutes * 60);
}
