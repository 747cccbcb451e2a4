/** How long work shows how far it is: a bar on a terminal, a line a second elsewhere. */
import cliProgress from "cli-progress";
import { monotonicMs } from "../base/clock.js";
import { formatBytes, formatCount, formatSeconds } from "../base/quantities.js";

/** How far work is. */
export interface ProgressState {
  /** What is being done, where work has several parts; each part starts at 0. */
  readonly label?: string | undefined;
  readonly unit: "rows" | "bytes";
  readonly done: number;
  /** Null where it is not known before the end. */
  readonly total: number | null;
  /** Share of the work that is done, from 0 to 1; without it `done` of `total`, null where it is not known. */
  readonly fraction?: number | null | undefined;
}

/** A running display; stop() takes a bar off the terminal. */
export interface Progress {
  update(state: ProgressState): void;
  stop(): void;
}

const lineEveryMs = 1_000;
const barCellsMax = 40;
const barCellsMin = 4;
const usualColumns = 80;

/** Starts a display of work on a stream, usually stderr: results belong to stdout. */
export function startProgress(stream: NodeJS.WriteStream): Progress {
  const show = stream.isTTY ? startBar(stream) : startLines(stream);
  let startMs = monotonicMs();
  let before: ProgressState | undefined;
  return {
    update(state) {
      // Work that starts again has a rate of its own.
      if (before !== undefined && (state.label !== before.label || state.done < before.done)) startMs = monotonicMs();
      before = state;
      show.update(state, monotonicMs() - startMs);
    },
    stop: show.stop,
  };
}

/** `sorting: 1,200,000 of 3,000,000 rows (40 %), 600,000 rows/s, 3.00 s left`. */
export function formatProgress(state: ProgressState, elapsedMs: number): string {
  const { label, unit, done, total } = state;
  const amount = (count: number): string => (unit === "bytes" ? formatBytes(count) : formatCount(count));
  const noun = unit === "bytes" ? "" : " rows";
  const fraction = fractionOf(state);
  const percent = fraction === null ? "" : ` (${Math.floor(fraction * 100)} %)`;
  const rate = elapsedMs > 0 ? (done / elapsedMs) * 1000 : 0;
  const left = fraction === null || fraction === 0 || elapsedMs === 0 || done === 0 ? "" : `, ${formatSeconds((elapsedMs / 1000 / fraction) * (1 - fraction))} left`;
  return `${label === undefined ? "" : `${label}: `}${amount(done)}${total === null ? "" : ` of ${amount(total)}`}${noun}${percent}, ${amount(rate)}${noun}/s${left}`;
}

/** `[=====-----] text` as wide as the terminal allows; the text alone, cut, where there is no room for a bar. */
export function formatBar(text: string, fraction: number | null, columns: number): string {
  const cells = Math.min(barCellsMax, columns - text.length - 4);
  if (fraction === null || cells < barCellsMin) return text.slice(0, Math.max(0, columns - 1));
  const full = Math.round(fraction * cells);
  return `[${"=".repeat(full)}${"-".repeat(cells - full)}] ${text}`;
}

interface Display {
  update(state: ProgressState, elapsedMs: number): void;
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
    update: (state, elapsedMs) => {
      shown = { text: formatProgress(state, elapsedMs), fraction: fractionOf(state) };
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
    update: (state, elapsedMs) => {
      const nowMs = monotonicMs();
      if (nowMs - shownMs < lineEveryMs) return;
      shownMs = nowMs;
      stream.write(`${formatProgress(state, elapsedMs)}\n`);
    },
    stop: () => {},
  };
}
