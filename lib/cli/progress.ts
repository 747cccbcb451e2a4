/** How long work shows how far it is: a bar on a terminal, a line a second elsewhere. */
import cliProgress from "cli-progress";
import { monotonicMs } from "../base/clock.js";
import { formatCount, formatSeconds } from "../base/quantities.js";

/** A running display; stop() takes a bar off the terminal. */
export interface Progress {
  update(rows: number, totalRows: number): void;
  stop(): void;
}

const lineEveryMs = 1_000;

/** Starts a display of rows done on a stream, usually stderr: results belong to stdout. */
export function startProgress(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? startBar(stream) : startLines(stream);
}

/** `1,200,000 of 3,000,000 rows (40 %), 600,000 rows/s, 3.00 s left`. */
export function formatProgress({ rows, totalRows, elapsedMs }: { rows: number; totalRows: number; elapsedMs: number }): string {
  const rowsPerSecond = elapsedMs > 0 ? (rows / elapsedMs) * 1000 : 0;
  const percent = totalRows > 0 ? Math.floor((rows / totalRows) * 100) : 100;
  const left = rowsPerSecond > 0 ? `, ${formatSeconds((totalRows - rows) / rowsPerSecond)} left` : "";
  return `${formatCount(rows)} of ${formatCount(totalRows)} rows (${percent} %), ${formatCount(rowsPerSecond)} rows/s${left}`;
}

function startBar(stream: NodeJS.WriteStream): Progress {
  const startMs = monotonicMs();
  const bar = new cliProgress.SingleBar(
    { stream, format: "[{bar}] {text}", barsize: 20, hideCursor: true, clearOnComplete: true },
    cliProgress.Presets.legacy,
  );
  bar.start(1, 0, { text: "reading" });
  return {
    update: (rows, totalRows) => {
      bar.setTotal(Math.max(1, totalRows));
      bar.update(rows, { text: formatProgress({ rows, totalRows, elapsedMs: monotonicMs() - startMs }) });
    },
    stop: () => {
      bar.stop();
    },
  };
}

function startLines(stream: NodeJS.WriteStream): Progress {
  const startMs = monotonicMs();
  let shownMs = startMs;
  return {
    update: (rows, totalRows) => {
      const nowMs = monotonicMs();
      if (nowMs - shownMs < lineEveryMs) return;
      shownMs = nowMs;
      stream.write(`${formatProgress({ rows, totalRows, elapsedMs: nowMs - startMs })}\n`);
    },
    stop: () => {},
  };
}
