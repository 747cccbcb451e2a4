/** How far tables are on their way to nodes, for who watches a call that waits for them. */
import { monotonicMs } from "../base/clock.js";
import type { DownloadInfo, DownloadNode } from "../wire/download-documents.js";

/** How far tables are: first sent to the bucket, then downloaded by nodes, then taken into use. */
export interface TransferProgress {
  readonly phase: "upload" | "download" | "switch";
  /** The name of the ticket, as soon as there is one: it goes on whoever waits for it. */
  readonly ticket: string | null;
  /** Of the phase; of downloads over all nodes. What was there already counts as done. */
  readonly bytesDone: number;
  /** Null while not known. */
  readonly bytesTotal: number | null;
  /** Share of the phase that is done, from 0 to 1. */
  readonly fraction: number;
  /** What each node has of the ticket, as downloads({verbose: true}) has it. */
  readonly nodes: readonly DownloadNode[];
  /** Sentences about nodes that nothing comes to as they are. */
  readonly warnings: readonly string[];
}

/** Is told of progress. What it throws fails the call. */
export type OnProgress = (progress: TransferProgress) => void;

const everyMs = 100;

/** Tells of progress at most ten times a second of a steady clock, of each phase the first and last word at once. */
export function thinProgress(tell: OnProgress, clockMs = monotonicMs): OnProgress {
  let last: { readonly phase: string; readonly atMs: number } | undefined;
  return (progress) => {
    const nowMs = clockMs();
    if (last?.phase === progress.phase && nowMs - last.atMs < everyMs && progress.fraction < 1) return;
    last = { phase: progress.phase, atMs: nowMs };
    tell(progress);
  };
}

/** The progress of tables that are being sent. */
export function progressOfUpload(bytesDone: number, bytesTotal: number): TransferProgress {
  return { phase: "upload", ticket: null, bytesDone, bytesTotal, fraction: shareOf(bytesDone, bytesTotal), nodes: [], warnings: [] };
}

/** The progress of a ticket; `tablesBytes` are those of its tables together, where whoever asks knows them. */
export function progressOfTicket(ticket: string, document: DownloadInfo, tablesBytes: number | undefined): TransferProgress {
  const { state, slots, done, nodes, warnings, tables, bytes_done: bytesDone } = document;
  const copies = tables === null ? null : slots / tables;
  const bytesTotal = tablesBytes === undefined || copies === null ? document.bytes_total : Math.round(tablesBytes * copies);
  const phase = state === "active" && done < slots ? "download" : "switch";
  // Nodes that end a table may know of other bytes than the bucket: what is done is never more than all.
  const fraction = phase === "switch" ? 1 : bytesDone === null || bytesTotal === null ? shareOf(done, slots) : shareOf(bytesDone, bytesTotal);
  return { phase, ticket, bytesDone: bytesDone ?? 0, bytesTotal, fraction, nodes, warnings };
}

function shareOf(done: number, total: number): number {
  return total === 0 ? 1 : Math.min(1, done / total);
}
