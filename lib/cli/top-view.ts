/** What `top` shows of a cluster: lines made of its documents, as many and as long as a terminal has room for. */
import { formatBytes, formatCount, formatCounted, formatSeconds } from "../base/quantities.js";
import { formatTable } from "../base/text-table.js";
import { escapeUnprintable, truncateToWidth } from "../base/text-width.js";
import type { DownloadInfo } from "../wire/download-documents.js";
import type { CarrierInfo, ClusterInfo, TableInfo, WorkerInfo } from "../wire/documents.js";
import { formatTicketBars } from "./downloads-text.js";

/** A cluster at one moment. */
export interface Sample {
  /** Of the steady clock. */
  readonly atMs: number;
  readonly info: ClusterInfo;
  readonly tables: readonly TableInfo[];
  readonly downloads: readonly DownloadInfo[];
}

/** Cells of a terminal. */
export interface Room {
  readonly columns: number;
  readonly rows: number;
}

/** Warnings take at most this part of the room. */
const warningsShare = 1 / 3;
/** Tickets shown, the newest. */
const ticketsMax = 5;

/** The lines of a sample; with the one before it rates since then, without it sums since the controller began. */
export function formatTop(sample: Sample, before: Sample | undefined, { columns, rows }: Room): string[] {
  const tickets = formatTicketBars(sample.downloads, columns + 1).slice(-ticketsMax);
  const head = [...formatHead(sample), formatServed(sample, before), "", ...(tickets.length === 0 ? [] : [...tickets, ""])];
  const warnings = sample.info.warnings.map((sentence) => `! ${escapeUnprintable(sentence)}`).slice(0, Math.max(1, Math.floor(rows * warningsShare)));
  const roomForWorkers = Math.max(3, rows - head.length - warnings.length - 1);
  const lines = [...head, ...formatProcesses(sample.info, roomForWorkers), ...(warnings.length === 0 ? [] : ["", ...warnings])];
  return lines.slice(0, rows).map((line) => truncateToWidth(line, columns));
}

function formatHead({ info, tables }: Sample): string[] {
  const { address, node, version, uptime, workers, clients, calls, queues } = info;
  const busy = workers.filter((worker) => worker.busy).length;
  const [shards, rows] = [sum(tables, (table) => table.shards), sum(tables, (table) => table.rows)];
  const waiting = sum(queues, (queue) => queue.calls);
  return [
    `bqueryd ${version}  ${address} on ${node}, up ${formatSeconds(uptime)}`,
    `${formatCounted(1 + info.controllers.length, "controller")}, ${formatCounted(workers.length, "worker")} (${busy} busy)${formatCarriers(info)}, ${formatCounted(clients, "client")}; ${formatCounted(tables.length, "table")} (${formatCounted(shards, "shard")}, ${formatCounted(rows, "row")})`,
    `${formatCounted(calls, "call")} under way, ${formatCount(waiting)} waiting with ${formatCounted(sum(queues, (queue) => queue.shards), "shard")} in ${formatCounted(queues.length, "queue")}`,
  ];
}

/** Downloaders and movers, where there are some. */
function formatCarriers({ downloaders, movers }: ClusterInfo): string {
  const counts = [[downloaders.length, "downloader"], [movers.length, "mover"]] as const;
  return counts.filter(([count]) => count > 0).map(([count, noun]) => `, ${formatCounted(count, noun)}`).join("");
}

/** Another controller, or one that was started again, has other sums: the difference to them means nothing. */
function formatServed({ atMs, info }: Sample, before: Sample | undefined): string {
  const { calls, failures, bytes_in: bytesIn, bytes_out: bytesOut } = info.served;
  if (before === undefined || before.info.id !== info.id || atMs <= before.atMs) {
    return `${formatCounted(calls, "call")} since the start, ${formatCount(failures)} failed; ${formatBytes(bytesIn)} in, ${formatBytes(bytesOut)} out`;
  }
  const { served } = before.info;
  const rate = (now: number, then: number): number => Math.max(0, now - then) / ((atMs - before.atMs) / 1_000);
  return `${rate(calls, served.calls).toFixed(1)} calls/s, ${rate(failures, served.failures).toFixed(1)} failed/s; ${formatBytes(rate(bytesIn, served.bytes_in))}/s in, ${formatBytes(rate(bytesOut, served.bytes_out))}/s out`;
}

/** Those that work come first, then by node and process. */
function formatProcesses({ workers, downloaders, movers }: ClusterInfo, lineCount: number): string[] {
  const ordered = [...workers, ...downloaders, ...movers].sort((a, b) => Number(b.busy) - Number(a.busy) || (a.node < b.node ? -1 : a.node > b.node ? 1 : a.pid - b.pid));
  // Two lines are the head of the table.
  const shown = ordered.length + 2 <= lineCount ? ordered : ordered.slice(0, Math.max(0, lineCount - 3));
  const table = formatTable(["node", "pid", "role", "state", "shards", "rows", "seen", "up", "data_dir"], shown.map(cellsOf), { align: ["left", "right", "left", "left", "right", "right", "right", "right"], cellWidthMax: 32 });
  const more = ordered.length - shown.length;
  return [...table.split("\n"), ...(more === 0 ? [] : [`and ${formatCount(more)} more ${more === 1 ? "process" : "processes"}`])];
}

function cellsOf(process: WorkerInfo | CarrierInfo): string[] {
  return "doing" in process ? carrierCells(process) : workerCells(process);
}

function carrierCells({ node, pid, role, doing, uptime, last_seen: seen, data_dir: dataDir }: CarrierInfo): string[] {
  return [node, String(pid), role, doing ?? "idle", "", "", formatSeconds(seen), formatSeconds(uptime), dataDir];
}

function workerCells({ node, pid, role, running, shards, rows, uptime, last_seen: seen, data_dir: dataDir }: WorkerInfo): string[] {
  const state = running === null ? "idle" : `${formatCounted(running.shards, "shard")} ${formatSeconds(running.seconds)}`;
  return [node, String(pid), role, state, formatCount(shards), formatCount(rows), formatSeconds(seen), formatSeconds(uptime), dataDir];
}

function sum<T>(items: readonly T[], valueOf: (item: T) => number): number {
  return items.reduce((total, item) => total + valueOf(item), 0);
}
