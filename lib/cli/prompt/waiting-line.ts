/** The line that a prompt shows while it waits for long: how far the calls are, taken off again when they are done. */
import { monotonicMs } from "../../base/clock.js";
import type { CallWatch, ShardProgress } from "../../client/call-watch.js";
import type { TransferProgress } from "../../client/transfer-progress.js";
import { formatBar, formatProgress, measureParts } from "../progress.js";
import { stateOfTransfer } from "../transfer-text.js";

/** Shows how far the calls of the line that is waited for are. */
export interface WaitingLine extends CallWatch {
  /** A line is evaluated from now on; calls of earlier ones, which nobody waits for, are not shown. */
  start(): void;
  /** Its value is there: takes off what is shown. */
  stop(): void;
  /** Sentences about what goes on when the line is ended now: a ticket does. */
  goesOn(): string[];
}

/** Waiting that is no longer than this is not shown. */
const shownAfterMs = 500;
const everyMs = 100;
const columnsDefault = 80;
const eraseLine = "\r\u001b[K";

/** A line on a terminal, in the place of the last one there. */
export function createWaitingLine(stream: Pick<NodeJS.WriteStream, "write" | "columns">): WaitingLine {
  const running = new Map<object, ShardProgress | TransferProgress>();
  let timer: NodeJS.Timeout | undefined;
  let [startMs, isShown] = [0, false];
  let measure = measureParts(0);

  function show(): void {
    timer = setTimeout(show, everyMs);
    if (running.size === 0) return;
    stream.write(`${eraseLine}${describe(stream.columns || columnsDefault)}`);
    isShown = true;
  }
  function describe(columns: number): string {
    const all = [...running.values()];
    const transfer = all.findLast(isTransfer);
    if (transfer === undefined) return formatWaiting(all.filter((one): one is ShardProgress => !isTransfer(one)), monotonicMs() - startMs, columns);
    const state = stateOfTransfer(transfer);
    return formatBar(formatProgress(state, measure(state, monotonicMs())), transfer.fraction, columns);
  }
  function takeOff(): void {
    if (isShown) stream.write(eraseLine);
    isShown = false;
  }
  return {
    start() {
      running.clear();
      startMs = monotonicMs();
      measure = measureParts(startMs);
      clearTimeout(timer);
      timer = setTimeout(show, shownAfterMs);
    },
    stop() {
      clearTimeout(timer);
      takeOff();
    },
    goesOn: () => [...running.values()].flatMap((one) => (isTransfer(one) && one.ticket !== null ? [`the ticket ${one.ticket} goes on`] : [])),
    begin() {
      const question = {};
      running.set(question, { shards: 0, of: 0 });
      return {
        update: (progress) => { if (running.has(question)) running.set(question, progress); },
        end() {
          running.delete(question);
          // What the line itself writes between two calls is to have a line of its own.
          if (running.size === 0) takeOff();
        },
      };
    },
  };
}

function isTransfer(progress: ShardProgress | TransferProgress): progress is TransferProgress {
  return "phase" in progress;
}

/** `[====------] 4 of 10 shards (40 %), 8 shards/s, 0.75 s left`; before anything is known of the shards `waiting for 0.6 s`. */
function formatWaiting(all: readonly ShardProgress[], ms: number, columns: number): string {
  const [done, total] = [all.reduce((sum, { shards }) => sum + shards, 0), all.reduce((sum, { of }) => sum + of, 0)];
  if (total === 0) return formatBar(`waiting for ${(ms / 1000).toFixed(1)} s`, null, columns);
  return formatBar(formatProgress({ unit: "shards", done, total }, { ms, doneBefore: 0, fractionBefore: 0 }), done / total, columns);
}
