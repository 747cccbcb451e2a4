/** Results of benches: a line of JSON each, or an aligned table. */
import { formatCount } from "../../lib/base/quantities.js";
import { formatTable } from "../../lib/base/text-table.js";
import type { Times } from "./measure.js";

/** The result of one case in one mode. */
export interface Result {
  /** The case alone: `q1`, `ping`. */
  readonly bench: string;
  /** warm: columns decoded before, results not kept; bypass: no cache at all; again: everything kept. */
  readonly mode: "warm" | "bypass" | "again";
  readonly rows: number;
  readonly times: Times;
  /** Null for what no peer does. */
  readonly peer: { readonly name: string; readonly times: Times } | null;
}

/** A result as a line of JSON. `ratio` says how many times faster than the peer we are, by the medians. */
export function formatJson(result: Result): string {
  const { bench, mode, rows, times, peer } = result;
  return JSON.stringify({
    bench, mode, rows, median_ms: round(times.medianMs), min_ms: round(times.minMs),
    peer: peer?.name ?? null, peer_median_ms: peer === null ? null : round(peer.times.medianMs), ratio: ratioOf(result),
  });
}

/** Results as a table, and the geometric mean of the ratios of each mode. */
export function formatResults(results: readonly Result[]): string {
  const rows = results.map((result) => {
    const { bench, mode, times, peer } = result;
    const ratio = ratioOf(result);
    return [
      bench, mode, formatCount(result.rows), times.medianMs.toFixed(2), times.minMs.toFixed(2),
      peer?.name ?? "", peer?.times.medianMs.toFixed(2) ?? "", ratio === null ? "" : `${ratio.toFixed(2)} x`,
    ];
  });
  const headers = ["bench", "mode", "rows", "median ms", "min ms", "peer", "its ms", "faster"];
  const table = formatTable(headers, rows, { align: ["left", "left", "right", "right", "right", "left", "right", "right"] });
  const means = [...new Set(results.filter(({ peer }) => peer !== null).map(({ mode }) => mode))].map((mode) => {
    return `geometric mean, ${mode}: ${geometricMean(results.flatMap((result) => (result.mode === mode ? ratioOf(result) ?? [] : []))).toFixed(2)} x`;
  });
  return [table, ...means].join("\n");
}

function ratioOf({ times, peer }: Result): number | null {
  return peer === null ? null : round(peer.times.medianMs / times.medianMs);
}

function geometricMean(numbers: readonly number[]): number {
  return Math.exp(numbers.reduce((sum, number) => sum + Math.log(number), 0) / numbers.length);
}

function round(number: number): number {
  return Math.round(number * 1e3) / 1e3;
}
