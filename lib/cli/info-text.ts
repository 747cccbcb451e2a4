/** info() as people read it: every process on a line, then queues, who left, and warnings, in a terminal of 80 x 24. */
import { formatCount, formatCounted, formatSeconds } from "../base/quantities.js";
import { formatTable } from "../base/text-table.js";
import { displayWidth, escapeUnprintable, truncateToWidth } from "../base/text-width.js";
import type { CarrierInfo, ClusterInfo, DepartureInfo, QueueInfo, WorkerInfo } from "../wire/documents.js";

const width = 80;
/** Cells of the first column and of what a process does. */
const processWidth = 15;
const stateWidth = 18;
/** Of a terminal, less the lines of the prompt before and after. */
const height = 22;
/** Lines that queues, who left, and warnings may take of it. */
const queuesMax = 4;
const departuresMax = 2;
const warningLinesMax = 6;
/** How long who left in order is told of; as long as controllers warn of the others. */
const departureSecondsMax = 300;

/** The cluster on at most 22 lines of 80 characters; what does not fit is counted. */
export function formatInfo(info: ClusterInfo): string {
  const { address, workers, controllers, downloaders, movers, clients, calls, queues, departures, warnings } = info;
  const counts = [
    formatCounted(1 + controllers.length, "controller"), formatCounted(workers.length, "worker"), formatCounted(clients, "client"), formatCounted(calls, "call"),
    ...countSome(downloaders.length, "downloader"), ...countSome(movers.length, "mover"),
  ].join(", ");
  const oneLine = `${address}: ${counts}`;
  const head = displayWidth(oneLine) <= width ? [oneLine] : [`${address}:`, `  ${counts}`];
  const below = [...formatQueues(queues), ...formatDepartures(departures, warnings), ...formatWarnings(warnings.map(escapeUnprintable))];
  const room = height - head.length - below.length;
  return [...head.map((line) => truncateToWidth(line, width)), ...formatProcesses(info, room), ...below].join("\n");
}

/** Nothing of what there is none of. */
function countSome(count: number, noun: string): string[] {
  return count === 0 ? [] : [formatCounted(count, noun)];
}

/** A header, a rule and at most as many processes as there is room for beside those, the busy ones first. */
function formatProcesses(info: ClusterInfo, room: number): string[] {
  const rows = [describeSelf(info), ...info.controllers.map(({ node, pid }) => ["controller", node, String(pid), "listed", "", "", ""]), ...describeServing(info)];
  const fits = rows.length + 2 <= room;
  const shown = fits ? rows : rows.slice(0, room - 3);
  const table = formatTable(["process", "node", "pid", "state", "tables", "shards", "rows"], shown, {
    align: ["left", "left", "right", "left", "right", "right", "right"], cellWidthMax: [processWidth, 10, 7, stateWidth, 6, 6, 6],
  });
  const left = rows.slice(shown.length);
  const busy = left.filter(([, , , state]) => state !== "idle" && state !== "listed").length;
  return [...table.split("\n"), ...(fits ? [] : [`and ${formatCount(left.length)} more ${left.length === 1 ? "process" : "processes"}, ${busy} of them busy`])];
}

function describeSelf({ node, pid, uptime }: ClusterInfo): string[] {
  return ["controller", node, String(pid), `up ${formatSeconds(uptime)}`, "", "", ""];
}

/** Workers, downloaders and movers, those that do something first. */
function describeServing({ workers, downloaders, movers }: ClusterInfo): string[][] {
  const carriers = [...downloaders, ...movers];
  const rowsOf = (busy: boolean): string[][] => [...workers.filter(({ running }) => (running !== null) === busy).map(describeWorker), ...carriers.filter((carrier) => carrier.busy === busy).map(describeCarrier)];
  return [...rowsOf(true), ...rowsOf(false)];
}

/** As much of the id as leaves the name of the process in one column with the others. */
function describeCarrier({ id, role, node, pid, doing }: CarrierInfo): string[] {
  return [`${role} ${id.slice(0, Math.min(8, processWidth - 1 - role.length))}`, node, String(pid), doing === null ? "idle" : fitDoing(escapeUnprintable(doing), stateWidth), "", "", ""];
}

/** `taxi-2024-03.bcolzs 41 %` in so many cells: how far it is tells more than the end of the name. */
function fitDoing(doing: string, cells: number): string {
  const at = doing.indexOf(" ");
  const rest = at === -1 ? "" : doing.slice(at);
  return at === -1 || rest.length > cells / 2 ? truncateToWidth(doing, cells) : `${truncateToWidth(doing.slice(0, at), cells - rest.length)}${rest}`;
}

function describeWorker({ id, node, pid, running, tables, shards, rows }: WorkerInfo): string[] {
  const state = running === null ? "idle" : `${running.verb} ${formatSeconds(running.seconds)}`;
  return [`worker ${id.slice(0, 8)}`, node, String(pid), state, formatShort(tables), formatShort(shards), formatShort(rows)];
}

function formatQueues(queues: readonly QueueInfo[]): string[] {
  const lines = queues.slice(0, queuesMax).map(({ affinity, calls, shards }) => {
    return truncateToWidth(`queue ${truncateToWidth(escapeUnprintable(affinity), 32)}: ${formatCounted(calls, "call")}, ${formatCounted(shards, "shard")} waiting`, width);
  });
  const more = queues.slice(queuesMax);
  const calls = more.reduce((sum, queue) => sum + queue.calls, 0);
  return more.length === 0 ? lines : [...lines, `and ${formatCounted(more.length, "more queue")} of ${formatCounted(calls, "call")}`];
}

/** Processes that left in order: of those that were lost the warnings tell. */
function formatDepartures(departures: readonly DepartureInfo[], warnings: readonly string[]): string[] {
  const left = departures.filter(({ worker, role, ago }) => ago < departureSecondsMax && !warnings.some((warning) => warning.startsWith(`${role} ${worker.slice(0, 8)} `)));
  const lines = left.slice(0, departuresMax).map(({ worker, role, node, reason, ago, given_back }) => {
    const tasks = given_back === 0 ? "" : `, ${formatCounted(given_back, "task")} given back`;
    return truncateToWidth(escapeUnprintable(`left: ${role} ${worker.slice(0, 8)} on ${truncateToWidth(node, 10)} ${formatSeconds(ago)} ago${tasks}, ${reason}`), width);
  });
  const more = left.length - lines.length;
  return more === 0 ? lines : [...lines, `and ${formatCount(more)} more left: (await rpc.info()).departures`];
}

/** Whole sentences over several lines, as long as there is room for all of the next one. */
function formatWarnings(warnings: readonly string[]): string[] {
  const lines: string[] = [];
  let shown = 0;
  for (const warning of warnings) {
    const wrapped = wrap(`warning: ${warning}`);
    if (shown > 0 && lines.length + wrapped.length > warningLinesMax) break;
    lines.push(...wrapped.slice(0, warningLinesMax));
    shown += 1;
  }
  const more = warnings.length - shown;
  return more === 0 ? lines : [...lines, `and ${formatCounted(more, "more warning")}: (await rpc.info()).warnings`];
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && `${line} ${word}`.length > width) {
      lines.push(truncateToWidth(line, width));
      line = ` ${word}`;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, truncateToWidth(line, width)];
}

/** A count in at most 6 characters. */
function formatShort(count: number): string {
  if (count < 10_000) return formatCount(count);
  const [divisor, unit] = count < 1e6 ? [1e3, "k"] : count < 1e9 ? [1e6, "M"] : [1e9, "G"];
  const value = count / divisor;
  return `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
}
