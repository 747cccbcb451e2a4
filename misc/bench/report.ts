/** Results of benches: a line of JSON each, or aligned tables. */
import { formatBytes, formatCount } from "../../lib/base/quantities.js";
import { formatTable } from "../../lib/base/text-table.js";
import type { Times } from "./measure.js";

/** What was done: queries with columns decoded before (warm), without any cache (bypass), or asked before (again), or work on files. */
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
  /** Cores that went through the rows, where rows a second of a core say something. */
  readonly cores?: number;
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

/** The geometric mean of how many times faster than their peer some cases are in a mode. */
export interface MeanResult {
  readonly bench: "mean";
  readonly mode: Mode;
  readonly rows: number;
  readonly ratio: number;
  readonly cases: number;
}

/** Where the time of a case goes. */
export interface Profile {
  readonly bench: string;
  readonly mode: "profile";
  readonly rows: number;
  readonly routeMs: number;
  /** Comes on top of the total, when nothing is decoded beforehand. */
  readonly decodeMs: number;
  readonly kernelMs: number;
  readonly mergeMs: number;
  readonly renderMs: number;
  readonly totalMs: number;
}

/** One figure of a cluster or of transfers, beside the limit that it is held against. */
export interface FigureResult {
  readonly bench: string;
  readonly mode: "cluster" | "files";
  readonly rows: number;
  /** What of the case it is: `median`. */
  readonly figure: string;
  readonly value: number;
  readonly unit: "ms" | "MB" | "MB/s" | "s/GB" | "%" | "1/s" | "";
  /** Null where none is asked for. */
  readonly limit: number | null;
  /** Whether it has to be at least the limit; else it is to be no more. */
  readonly isFloor?: boolean;
}

export type Result = TimedResult | SizedResult | MeanResult | Profile | FigureResult;

/** A result as a line of JSON. `ratio` says how many times faster, or smaller, than the peer we are, by the medians. */
export function formatJson(result: Result): string {
  if ("cases" in result) return JSON.stringify({ ...result, ratio: round(result.ratio) });
  if ("kernelMs" in result) return JSON.stringify(jsonOfProfile(result));
  if ("figure" in result) return JSON.stringify(jsonOfFigure(result));
  const { bench, mode, rows, peer } = result;
  const shared = { bench, mode, rows, peer: peer?.name ?? null, ratio: ratioOf(result) };
  if ("storedBytes" in result) return JSON.stringify({ ...shared, stored_bytes: result.storedBytes, peer_stored_bytes: result.peer.storedBytes });
  const { times, bytes, cores } = result;
  return JSON.stringify({
    ...shared, median_ms: round(times.medianMs), min_ms: round(times.minMs),
    peer_median_ms: result.peer === null ? null : round(result.peer.times.medianMs),
    ...(bytes === undefined ? {} : { bytes, bytes_per_s: Math.round(perSecond(bytes, times)) }),
    ...(cores === undefined ? {} : { rows_per_s_per_core: Math.round(perSecond(rows, times) / cores) }),
  });
}

function jsonOfFigure({ bench, mode, rows, figure, value, unit, limit, isFloor }: FigureResult): object {
  const ratio = limit === null ? null : round(isFloor === true ? value / limit : limit / value);
  const shared = { bench, mode, rows, figure, unit, value: round(value), peer: limit === null ? null : "limit", limit };
  return { ...shared, ratio: Number.isFinite(ratio) ? ratio : null, ...(unit === "ms" ? { median_ms: round(value) } : {}) };
}

function jsonOfProfile({ bench, mode, rows, ...times }: Profile): object {
  return {
    bench, mode, rows, route_ms: round(times.routeMs), decode_ms: round(times.decodeMs), kernel_ms: round(times.kernelMs),
    merge_ms: round(times.mergeMs), render_ms: round(times.renderMs), total_ms: round(times.totalMs),
  };
}

/** Results as tables: times, means of ratios, sizes and profiles. */
export function formatResults(results: readonly Result[]): string {
  const timed = results.filter((result) => "times" in result);
  const sized = results.filter((result) => "storedBytes" in result);
  const profiles = results.filter((result) => "kernelMs" in result);
  const means = results.filter((result) => "cases" in result);
  const figures = results.filter((result) => "figure" in result);
  return [
    ...(timed.length === 0 ? [] : [formatTimes(timed)]), ...means.map(formatMean),
    ...(figures.length === 0 ? [] : [formatFigures(figures)]),
    ...(sized.length === 0 ? [] : ["", formatSizes(sized)]), ...(profiles.length === 0 ? [] : ["", formatProfiles(profiles)]),
  ].join("\n");
}

/** The mean over all results that have a peer, for each of their modes. */
export function meansOf(results: readonly TimedResult[]): MeanResult[] {
  return (["warm", "bypass"] as const).flatMap((mode) => {
    const ratios = results.flatMap((result) => (result.mode === mode ? ratioOf(result) ?? [] : []));
    return ratios.length === 0 ? [] : [{ bench: "mean" as const, mode, rows: results[0]!.rows, ratio: geometricMean(ratios), cases: ratios.length }];
  });
}

function formatMean({ mode, ratio, cases }: MeanResult): string {
  return `geometric mean, ${mode}, of ${cases} questions: ${ratio.toFixed(2)} x`;
}

function formatTimes(results: readonly TimedResult[]): string {
  const hasRates = results.some(({ bytes, cores }) => bytes !== undefined || cores !== undefined);
  const rows = results.map((result) => {
    const { bench, mode, times, peer } = result;
    return [
      bench, mode, formatCount(result.rows), times.medianMs.toFixed(2), times.minMs.toFixed(2), ...(hasRates ? [showRate(result)] : []),
      peer?.name ?? "", peer?.times.medianMs.toFixed(2) ?? "", showRatio(result),
    ];
  });
  const headers = ["bench", "mode", "rows", "median ms", "min ms", ...(hasRates ? ["rate"] : []), "peer", "its ms", "faster"];
  const align = ["left", "left", "right", "right", "right", ...(hasRates ? ["right"] as const : []), "left", "right", "right"] as const;
  return formatTable(headers, rows, { align });
}

function showRate({ rows, times, bytes, cores }: TimedResult): string {
  if (bytes !== undefined) return `${formatBytes(perSecond(bytes, times))}/s`;
  return cores === undefined ? "" : `${(perSecond(rows, times) / cores / 1e6).toFixed(0)} M rows/s a core`;
}

function formatSizes(results: readonly SizedResult[]): string {
  const rows = results.map((result) => {
    const { bench, storedBytes, peer } = result;
    return [bench, formatCount(result.rows), formatBytes(storedBytes), peer.name, formatBytes(peer.storedBytes), showRatio(result)];
  });
  return formatTable(["size", "rows", "stored", "peer", "its size", "smaller"], rows, { align: ["left", "right", "right", "left", "right", "right"] });
}

function formatFigures(results: readonly FigureResult[]): string {
  const rows = results.map(({ bench, figure, value, unit, limit, isFloor }) => {
    const asked = limit === null ? "" : `${isFloor === true ? "at least" : "at most"} ${limit}`;
    const isMet = limit === null ? "" : (isFloor === true ? value >= limit : value <= limit) ? "met" : "missed";
    return [bench, figure, value.toFixed(unit === "" || unit === "1/s" ? 0 : 2), unit, asked, isMet];
  });
  return formatTable(["case", "figure", "measured", "unit", "asked", ""], rows, { align: ["left", "left", "right", "left", "left", "left"] });
}

function formatProfiles(profiles: readonly Profile[]): string {
  const rows = profiles.map(({ bench, routeMs, kernelMs, mergeMs, renderMs, totalMs, decodeMs }) => {
    return [bench, ...[routeMs, kernelMs, mergeMs, renderMs, totalMs, decodeMs].map((ms) => ms.toFixed(2))];
  });
  const headers = ["profile", "route ms", "kernel ms", "merge ms", "render ms", "total ms", "and decode ms"];
  return formatTable(headers, rows, { align: ["left", "right", "right", "right", "right", "right", "right"] });
}

function showRatio(result: TimedResult | SizedResult): string {
  const ratio = ratioOf(result);
  return ratio === null ? "" : `${ratio.toFixed(2)} x`;
}

function ratioOf(result: TimedResult | SizedResult): number | null {
  if ("storedBytes" in result) return round(result.peer.storedBytes / result.storedBytes);
  return result.peer === null ? null : round(result.peer.times.medianMs / result.times.medianMs);
}

function perSecond(amount: number, { medianMs }: Times): number {
  return (amount / medianMs) * 1_000;
}

function geometricMean(numbers: readonly number[]): number {
  return Math.exp(numbers.reduce((sum, number) => sum + Math.log(number), 0) / numbers.length);
}

function round(number: number): number {
  return Math.round(number * 1e3) / 1e3;
}
