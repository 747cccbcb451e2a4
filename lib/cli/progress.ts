/** How long work shows how far it is: a bar on a terminal, a line a second elsewhere. */
import cliProgress from "cli-progress";
import { monotonicMs } from "../base/clock.js";
import { formatBytes, formatCount, formatCounted, formatSeconds } from "../base/quantities.js";

/** How far work is. */
export interface ProgressState {
  /** What is being done, where work has several parts; each part starts at 0. */
  readonly label?: string | undefined;
  readonly unit: "rows" | "bytes" | "shards";
  readonly done: number;
  /** Null where it is not known before the end. */
  readonly total: number | null;
  /** Share of the work that is done, from 0 to 1; without it `done` of `total`, null where it is not known. */
  readonly fraction?: number | null | undefined;
  /** What else is to be seen, at the end of the line. */
  readonly note?: string | undefined;
}

/** A running display; stop() takes a bar off the terminal. */
export interface Progress {
  update(state: ProgressState): void;
  stop(): void;
}

/** How long a part of the work has gone on, and how far it was before. */
export interface Elapsed {
  readonly ms: number;
  readonly doneBefore: number;
  /** Share of the part that was done before, from 0 to 1. */
  readonly fractionBefore: number;
}

const lineEveryMs = 1_000;
/** What a shorter time has brought tells nothing about the time to come. */
const rateAfterMs = 200;
const barCellsMax = 40;
const barCellsMin = 4;
const usualColumns = 80;

/** Starts a display of work on a stream, usually stderr: results belong to stdout. */
export function startProgress(stream: NodeJS.WriteStream): Progress {
  const show = stream.isTTY ? startBar(stream) : startLines(stream);
  const measure = measureParts(monotonicMs());
  return {
    update: (state) => show.update(state, measure(state, monotonicMs())),
    stop: show.stop,
  };
}

/** Tells at each state how long its part of the work has gone on, given the time; the first part begins at `startMs`. */
export function measureParts(startMs: number): (state: ProgressState, nowMs: number) => Elapsed {
  let part = { startMs, doneBefore: 0, fractionBefore: 0 };
  let before: ProgressState | undefined;
  return (state, nowMs) => {
    // Work that starts again has a rate of its own, in which what it did up to its first word does not count.
    const isNew = before !== undefined && (state.label !== before.label || state.done < before.done);
    if (isNew) part = { startMs: nowMs, doneBefore: state.done, fractionBefore: fractionOf(state) ?? 0 };
    before = state;
    return { ms: nowMs - part.startMs, doneBefore: part.doneBefore, fractionBefore: part.fractionBefore };
  };
}

/** `sorting: 1,200,000 of 3,000,000 rows (40 %), 600,000 rows/s, 3.00 s left`; without rate and time where it is too early. */
export function formatProgress(state: ProgressState, { ms, doneBefore, fractionBefore }: Elapsed): string {
  const { label, unit, done, total, note } = state;
  const amount = (count: number): string => (unit === "bytes" ? formatBytes(count) : formatCount(count));
  const counted = (count: number): string => (unit === "bytes" ? formatBytes(count) : formatCounted(count, unit.slice(0, -1)));
  const fraction = fractionOf(state);
  const percent = fraction === null ? "" : ` (${Math.floor(fraction * 100)} %)`;
  const rate = ms < rateAfterMs ? "" : `, ${counted((done - doneBefore) / ms * 1000)}/s`;
  const gained = fraction === null ? 0 : fraction - fractionBefore;
  const left = rate === "" || fraction === null || gained <= 0 || done === doneBefore ? "" : `, ${formatSeconds(ms / 1000 / gained * (1 - fraction))} left`;
  return `${label === undefined ? "" : `${label}: `}${total === null ? counted(done) : `${amount(done)} of ${counted(total)}`}${percent}${rate}${left}${note === undefined ? "" : `, ${note}`}`;
}

/**
 * `[=====-----] text` as wide as the terminal allows. Where the text is too long it does without the rate, then without
 * the time left; where there is no room for a bar it stands alone, cut in the end.
 */
export function formatBar(whole: string, fraction: number | null, columns: number): string {
  const [amount = "", ...more] = whole.split(", ");
  const shorter = [whole, [amount, ...more.slice(1)].join(", "), amount];
  const text = shorter.find((shown) => shown.length < columns) ?? amount;
  const cells = Math.min(barCellsMax, columns - text.length - 4);
  if (fraction === null || cells < barCellsMin) return text.slice(0, Math.max(0, columns - 1));
  const full = Math.round(fraction * cells);
  return `[${"=".repeat(full)}${"-".repeat(cells - full)}] ${text}`;
}

interface Display {
  update(state: ProgressState, elapsed: Elapsed): void;
  stop(): void;
}

function fractionOf({ done, total, fraction }: ProgressState): number | null {
  const share = fraction === undefined ? (total === null ? null : total === 0 ? 1 : done / total) : fraction;
  return share === null ? null : Math.min(1, Math.max(0, share));
}

function startBar(stream: NodeJS.WriteStream): Display {
  let shown: { text: string; fraction: number | null } = { text: "starting", fraction: null };
  const bar = new cliProgress.SingleBar(
    { stream, format: () => formatBar(shown.text, shown.fraction, stream.columns || usualColumns), hideCursor: true, clearOnComplete: true },
    cliProgress.Presets.legacy,
  );
  bar.start(1, 0);
  return {
    update: (state, elapsed) => {
      shown = { text: formatProgress(state, elapsed), fraction: fractionOf(state) };
      bar.update(0);
    },
    stop: () => {
      bar.stop();
    },
  };
}

function startLines(stream: NodeJS.WriteStream): Display {
  let shownMs = monotonicMs();
  return {
    update: (state, elapsed) => {
      const nowMs = monotonicMs();
      if (nowMs - shownMs < lineEveryMs) return;
      shownMs = nowMs;
      stream.write(`${formatProgress(state, elapsed)}\n`);
    },
    stop: () => {},
  };
}
