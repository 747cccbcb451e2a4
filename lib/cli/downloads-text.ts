/** Tickets as people read them: at a prompt, of `bqueryd downloads`, and in `top`. */
import { formatBytes, formatCount, formatSeconds } from "../base/quantities.js";
import { formatTable, type Align } from "../base/text-table.js";
import { ticketPrefix, type DownloadInfo, type DownloadNode, type DownloadPlace } from "../wire/download-documents.js";
import { formatBar } from "./progress.js";

const right: Align = "right";
const pairPattern = { ticket: new RegExp(`^${ticketPrefix}[0-9a-f]{16}$`), done: /^\d+\/\d+$/ };
/** Slots of one ticket that are listed. */
const placesMax = 200;

/** Tells whether a value is what downloads() answers, and lists something. */
export function isTickets(value: unknown): value is readonly (readonly [string, string])[] {
  return Array.isArray(value) && value.length > 0 && value.every(isPair);
}

function isPair(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [ticket, done] = value as unknown[];
  return typeof ticket === "string" && typeof done === "string" && pairPattern.ticket.test(ticket) && pairPattern.done.test(done);
}

/** A row for each ticket of downloads(). */
export function formatTickets(tickets: readonly (readonly [string, string])[]): string {
  return formatTable(["ticket", "done"], tickets, { align: ["left", right] });
}

/** A row for each ticket, and below it what is to be said of it. */
export function formatDownloads(downloads: readonly DownloadInfo[]): string {
  const rows = downloads.map(({ ticket, state, slots, done, age, ...facts }) => {
    return [ticketPrefix + ticket, state, `${formatCount(done)}/${formatCount(slots)}`, amountOf(facts), rateOf(facts.rate), leftOf(facts.eta), formatSeconds(age)];
  });
  const remarks = downloads.flatMap(({ ticket, reason, warnings }) => [reason, ...warnings].flatMap((sentence) => (sentence === null ? [] : [`${ticketPrefix}${ticket}: ${sentence}`])));
  return [formatFilled(["ticket", "state", "done", "bytes", "rate", "left", "age"], rows, ["left", "left", right, right, right, right, right]), ...remarks].join("\n");
}

/** Each ticket with what every node has of it, and every table where these were asked for. */
export function formatDownloadsInFull(downloads: readonly DownloadInfo[]): string {
  return downloads.map((download) => {
    const parts = [formatDownloads([download]), ...(download.nodes.length === 0 ? [] : [formatNodes(download.nodes)]), ...(download.places.length === 0 ? [] : [formatPlaces(download.places)])];
    return parts.join("\n\n");
  }).join("\n\n\n");
}

/** A line with a bar for each ticket that is under way, as wide as there is room. */
export function formatTicketBars(downloads: readonly DownloadInfo[], columns: number): string[] {
  return downloads.filter(({ state }) => state === "active" || state === "committed").map((download) => {
    const { ticket, state, done, slots, rate, eta } = download;
    const share = shareOf(download);
    const name = `${ticketPrefix}${ticket}`;
    const more = [rate === null || rate === 0 ? [] : [rateOf(rate)], eta === null || eta === 0 ? [] : [`${leftOf(eta)} left`]].flat();
    const text = `${name}: ${done} of ${slots} (${Math.floor(100 * share)} %)${state === "committed" ? " in use" : ""}`;
    return formatBar([text, ...more].join(", "), share, columns);
  });
}

/** By bytes where they are known, else by slots. */
function shareOf({ slots, done, bytes_done: bytesDone, bytes_total: bytesTotal }: DownloadInfo): number {
  if (slots > 0 && done === slots) return 1;
  return bytesDone === null || bytesTotal === null || bytesTotal === 0 ? done / Math.max(1, slots) : Math.min(1, bytesDone / bytesTotal);
}

function formatNodes(nodes: readonly DownloadNode[]): string {
  const rows = nodes.map(({ node, slots, done, ...facts }) => [node, `${formatCount(done)}/${formatCount(slots)}`, amountOf(facts), rateOf(facts.rate), leftOf(facts.eta)]);
  return formatFilled(["node", "done", "bytes", "rate", "left"], rows, ["left", right, right, right, right]);
}

function formatPlaces(places: readonly DownloadPlace[]): string {
  const rows = places.slice(0, placesMax).map(({ node, table, state, owner, reason, ...facts }) => {
    return [node, table, state, amountOf(facts), rateOf(facts.rate), leftOf(facts.eta), reason ?? owner?.slice(0, 8) ?? ""];
  });
  const table = formatFilled(["node", "table", "state", "bytes", "rate", "left", ""], rows, ["left", "left", "left", right, right, right, "left"], { cellWidthMax: 60 });
  const more = places.length - placesMax;
  return more > 0 ? `${table}\nand ${formatCount(more)} more` : table;
}

/** A table of the columns in which some row says something: of what is over there is no rate, and a line has 80 columns. */
function formatFilled(headers: readonly string[], rows: readonly (readonly string[])[], align: readonly Align[], more: { readonly cellWidthMax?: number } = {}): string {
  const isFilled = headers.map((_, column) => rows.some((row) => row[column] !== ""));
  const choose = <T>(cells: readonly T[]): T[] => cells.filter((_, column) => isFilled[column]);
  return formatTable(choose(headers), rows.map(choose), { align: choose(align), ...more });
}

/** `1.20 MB of 3.00 MB`; nothing where nothing is known. */
function amountOf({ bytes_done: done, bytes_total: total }: { readonly bytes_done: number | null; readonly bytes_total: number | null }): string {
  if (done === null) return "";
  if (total === null) return formatBytes(done);
  return done === total ? formatBytes(total) : `${formatBytes(done)} of ${formatBytes(total)}`;
}

function rateOf(rate: number | null): string {
  return rate === null || rate === 0 ? "" : `${formatBytes(rate)}/s`;
}

function leftOf(eta: number | null): string {
  return eta === null || eta === 0 ? "" : formatSeconds(eta);
}
