/**
 * Time zones as periods of one offset from UTC. What the platform knows of zones it tells of one instant at a time; from
 * probes two days apart, narrowed down where two differ, come the transitions, decade by decade, kept for the process.
 */

/** Periods of one offset: `starts[i]` is when period i begins (the first: ever before), `offsets[i]` what makes UTC local; nanoseconds. */
export interface ZonePeriods {
  readonly starts: BigInt64Array;
  readonly offsets: BigInt64Array;
}

interface Transition {
  readonly atSeconds: number;
  /** From then on. */
  readonly offset: number;
}

const decadeSeconds = 3_652.5 * 86_400;
/** No zone has had two transitions that undo each other within less. */
const probeSeconds = 2 * 86_400;
const secondNs = 1_000_000_000n;
const lastSecond = Number((2n ** 63n - 1n) / secondNs);
const zonesMax = 700;
const formats = new Map<string, Intl.DateTimeFormat | null>();
const decades = new Map<string, readonly Transition[]>();

/** Tells whether a time zone is known by this name. */
export function isTimeZone(zone: string): boolean {
  return formatOf(zone) !== null;
}

/** The periods of a known zone that cover the instants from `least` to `greatest`, in nanoseconds since 1970. */
export function zonePeriods(zone: string, least: bigint, greatest: bigint): ZonePeriods {
  const [first, last] = [least, greatest].map((ns) => Math.floor(Number(ns / secondNs) / decadeSeconds));
  const transitions: Transition[] = [{ atSeconds: -Infinity, offset: offsetAt(zone, first! * decadeSeconds) }];
  // The last decade goes on beyond what a timestamp holds.
  for (let decade = first!; decade <= last!; decade++) transitions.push(...transitionsOf(zone, decade).filter(({ atSeconds }) => atSeconds <= lastSecond));
  const starts = transitions.map(({ atSeconds }) => (atSeconds === -Infinity ? -(2n ** 63n) : BigInt(atSeconds) * secondNs));
  return { starts: new BigInt64Array(starts), offsets: new BigInt64Array(transitions.map(({ offset }) => BigInt(offset) * secondNs)) };
}

function transitionsOf(zone: string, decade: number): readonly Transition[] {
  const key = `${decade} ${zone}`;
  let found = decades.get(key);
  if (found === undefined) {
    if (decades.size > zonesMax * 10) decades.clear();
    found = findTransitions(zone, decade * decadeSeconds, (decade + 1) * decadeSeconds);
    decades.set(key, found);
  }
  return found;
}

/** Transitions after `start` up to and including `end`, in seconds. */
function findTransitions(zone: string, start: number, end: number): Transition[] {
  const transitions: Transition[] = [];
  let [before, offset] = [start, offsetAt(zone, start)];
  while (before < end) {
    const after = Math.min(before + probeSeconds, end);
    const changed = offsetAt(zone, after) === offset ? undefined : bisect(zone, before, after, offset);
    before = changed ?? after;
    if (changed === undefined) continue;
    offset = offsetAt(zone, changed);
    transitions.push({ atSeconds: changed, offset });
  }
  return transitions;
}

/** The first second at which the offset is another one than `offset`, which it is at `low` and not at `high`. */
function bisect(zone: string, low: number, high: number, offset: number): number {
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(zone, middle) === offset) low = middle;
    else high = middle;
  }
  return high;
}

/** Seconds between UTC and local time at a second since 1970, from text such as "1/1/2000, GMT+05:45". */
function offsetAt(zone: string, seconds: number): number {
  const text = formatOf(zone)!.format(seconds * 1_000);
  const match = /GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?$/.exec(text);
  if (match === null) throw new Error(`the offset of ${zone} cannot be read from '${text}'`);
  const [, sign, hours = "0", minutes = "0", rest = "0"] = match;
  return (sign === "-" ? -1 : 1) * (Number(hours) * 3_600 + Number(minutes) * 60 + Number(rest));
}

function formatOf(zone: string): Intl.DateTimeFormat | null {
  let format = formats.get(zone);
  if (format === undefined) {
    if (formats.size > zonesMax) formats.clear();
    format = createFormat(zone);
    formats.set(zone, format);
  }
  return format;
}

function createFormat(zone: string): Intl.DateTimeFormat | null {
  // Offsets such as '+01:00' are no names, and not every platform takes them.
  if (!/^[A-Za-z]/.test(zone)) return null;
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
  } catch (cause) {
    if (cause instanceof RangeError) return null;
    throw cause;
  }
}
