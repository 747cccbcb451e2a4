/** Results of benches: a line of JSON each, or an aligned table. */
import { formatBytes, formatCount } from "../../lib/base/quantities.js";
import { formatTable } from "../../lib/base/text-table.js";
import type { Times } from "./measure.js";

/** What was done: queries with columns decoded before (warm), without any cache (bypass), or work on files. */
export type Mode = "warm" | "bypass" | "again" | "files";

/** The times of one case in one mode. */
export interface TimedResult {
  /** The case alone: `q1`, `ping`. */
  readonly bench: string;
  readonly mode: Mode;
  readonly rows: number;
  readonly times: Times;
  /** Bytes that each run went through, where that says something. */
  readonly bytes?: number;
  /** Null for what no peer does. */
  readonly peer: { readonly name: string; readonly times: Times } | null;
}

/** The size that something takes. */
export interface SizedResult {
  readonly bench: string;
  readonly mode: "files";
  readonly rows: number;
  readonly storedBytes: number;
  readonly peer: { readonly name: string; readonly storedBytes: number };
}

export type Result = TimedResult | SizedResult;

/** A result as a line of JSON. `ratio` says how many times faster, or smaller, than the peer we are, by the medians. */
export function formatJson(result: Result): string {
  const { bench, mode, rows, peer } = result;
  const shared = { bench, mode, rows, peer: peer?.name ?? null, ratio: ratioOf(result) };
  if ("storedBytes" in result) return JSON.stringify({ ...shared, stored_bytes: result.storedBytes, peer_stored_bytes: result.peer.storedBytes });
  const { times, bytes } = result;
  return JSON.stringify({
    ...shared, median_ms: round(times.medianMs), min_ms: round(times.minMs),
    peer_median_ms: result.peer === null ? null : round(result.peer.times.medianMs),
    ...(bytes === undefined ? {} : { bytes, bytes_per_s: Math.round(perSecond(bytes, times)) }),
  });
}

/** Results as tables, times and sizes apart, and the geometric mean of the ratios of each mode. */
export function formatResults(results: readonly Result[]): string {
  const timed = results.filter((result) => "times" in result);
  const sized = results.filter((result) => "storedBytes" in result);
  return [...(timed.length === 0 ? [] : formatTimes(timed)), ...(sized.length === 0 ? [] : ["", formatSizes(sized)])].join("\n");
}

function formatTimes(results: readonly TimedResult[]): string[] {
  const hasBytes = results.some(({ bytes }) => bytes !== undefined);
  const rows = results.map((result) => {
    const { bench, mode, times, peer, bytes } = result;
    const rate = bytes === undefined ? "" : `${formatBytes(perSecond(bytes, times))}/s`;
    return [
      bench, mode, formatCount(result.rows), times.medianMs.toFixed(2), times.minMs.toFixed(2), ...(hasBytes ? [rate] : []),
      peer?.name ?? "", peer?.times.medianMs.toFixed(2) ?? "", showRatio(result),
    ];
  });
  const headers = ["bench", "mode", "rows", "median ms", "min ms", ...(hasBytes ? ["rate"] : []), "peer", "its ms", "faster"];
  const align = ["left", "left", "right", "right", "right", ...(hasBytes ? ["right"] as const : []), "left", "right", "right"] as const;
  const table = formatTable(headers, rows, { align });
  const modes = new Set(results.filter(({ mode, peer }) => mode !== "files" && peer !== null).map(({ mode }) => mode));
  const means = [...modes].map((mode) => {
    return `geometric mean, ${mode}: ${geometricMean(results.flatMap((result) => (result.mode === mode ? ratioOf(result) ?? [] : []))).toFixed(2)} x`;
  });
  return [table, ...means];
}

function formatSizes(results: readonly SizedResult[]): string {
  const rows = results.map((result) => {
    const { bench, storedBytes, peer } = result;
    return [bench, formatCount(result.rows), formatBytes(storedBytes), peer.name, formatBytes(peer.storedBytes), showRatio(result)];
  });
  return formatTable(["size", "rows", "stored", "peer", "its size", "smaller"], rows, { align: ["left", "right", "right", "left", "right", "right"] });
}

function showRatio(result: Result): string {
  const ratio = ratioOf(result);
  return ratio === null ? "" : `${ratio.toFixed(2)} x`;
}

function ratioOf(result: Result): number | null {
  if ("storedBytes" in result) return round(result.peer.storedBytes / result.storedBytes);
  return result.peer === null ? null : round(result.peer.times.medianMs / result.times.medianMs);
}

function perSecond(bytes: number, { medianMs }: Times): number {
  return (bytes / medianMs) * 1_000;
}

function geometricMean(numbers: readonly number[]): number {
  return Math.exp(numbers.reduce((sum, number) => sum + Math.log(number), 0) / numbers.length);
}

function round(number: number): number {
  return Math.round(number * 1e3) / 1e3;
}
