/** Time zones by the clock that the platform shows in them, day by day: written apart from how the engine finds them. */

/** From an instant on, in nanoseconds since 1970, what makes UTC local. */
export interface ZoneChange {
  readonly atNs: bigint;
  readonly offsetNs: bigint;
}

/** The years that near times lie in, with room for the buckets around them. */
const [startMs, endMs] = [Date.UTC(2015, 0, 1), Date.UTC(2018, 0, 1)];
const dayMs = 86_400_000;
/** Clocks are changed at whole quarters of an hour in these years. */
const quarterMs = 900_000;
const nsPerMs = 1_000_000n;
const known = new Map<string, readonly ZoneChange[]>();

/** The offsets of a zone from 2015 to 2018, ascending; the first is that of its start. */
export function zoneChanges(zone: string): readonly ZoneChange[] {
  const found = known.get(zone) ?? findChanges(zone);
  known.set(zone, found);
  return found;
}

function findChanges(zone: string): ZoneChange[] {
  const offsetMs = createClock(zone);
  const changes: { atMs: number; offset: number }[] = [{ atMs: startMs, offset: offsetMs(startMs) }];
  for (let day = startMs; day < endMs; day += dayMs) {
    if (offsetMs(day + dayMs) === changes.at(-1)!.offset) continue;
    for (let at = day; at <= day + dayMs; at += quarterMs) {
      const offset = offsetMs(at);
      if (offset !== changes.at(-1)!.offset) changes.push({ atMs: at, offset });
    }
  }
  return changes.map(({ atMs, offset }) => ({ atNs: BigInt(atMs) * nsPerMs, offsetNs: BigInt(offset) * nsPerMs }));
}

/** What the clock of a zone shows less what that of UTC does, in milliseconds. */
function createClock(zone: string): (atMs: number) => number {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" });
  return (atMs) => {
    const shown = new Map(format.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(shown.get("year")!, shown.get("month")! - 1, shown.get("day"), shown.get("hour"), shown.get("minute"), shown.get("second")) - atMs;
  };
}
