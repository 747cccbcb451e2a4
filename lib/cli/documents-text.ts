/** What info(), files(), queries(), generations() and downloads() answer as people read it at a prompt: 80 columns wide, info() at most 24 rows high. */
import { formatCount, formatSeconds } from "../base/quantities.js";
import { formatTable, type Align } from "../base/text-table.js";
import { isFiles, isGenerations, isInfo, isQueries, type GenerationInfo, type QueryInfo, type TableInfo } from "../wire/documents.js";
import { isDownloads } from "../wire/download-documents.js";
import { formatDownloadsInFull, formatTickets, isTickets } from "./downloads-text.js";
import { formatInfo } from "./info-text.js";

const width = 80;
const nameWidthMax = 32;
/** Rows of a list of queries, which may be long. */
const queriesShownMax = 50;
const right: Align = "right";

/** The text of a document of a cluster; undefined for any other value, and for lists without anything. */
export function formatDocument(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (isInfo(value)) return formatInfo(value);
  if (isFiles(value)) return formatFiles(value);
  if (isGenerations(value)) return formatGenerations(value);
  if (isTickets(value)) return formatTickets(value);
  if (isDownloads(value)) return formatDownloadsInFull(value);
  return isQueries(value) ? formatQueries(value) : undefined;
}

function formatGenerations(generations: readonly GenerationInfo[]): string {
  const rows = generations.map(({ generation, in_use: isInUse, rows: count, written, nodes }) => {
    const where = nodes.map(({ node, state }) => (state === "current" ? node : `${node} (${state})`)).join(", ");
    return [generation.slice(0, 12), isInUse ? "in use" : "", formatCount(count), written?.slice(0, 19).replace("T", " ") ?? "", where];
  });
  return formatTable(["generation", "", "rows", "written", "nodes"], rows, { align: ["left", "left", right, "left", "left"], cellWidthMax: [12, 6, 14, 19, 21] });
}

function formatFiles(tables: readonly TableInfo[]): string {
  const rows = tables.map(({ table, kind, shards, rows: count, holders, columns }) => {
    return [table, kind, formatCount(shards), formatCount(count), formatCount(holders), columns.map(({ name }) => name).join(", ")];
  });
  const headers = ["table", "kind", "shards", "rows", "holders"];
  const layout = { align: ["left", "left", right, right, right, "left"], cellWidthMax: [nameWidthMax, 5, 7, 14, 7] } as const;
  const listed = formatTable(headers, rows.map((row) => row.slice(0, headers.length)), layout).split("\n");
  // As many columns as fit beside the rest, whose rule is as wide as it is.
  const room = width - listed[1]!.length - 2;
  return formatTable([...headers, "columns"], rows, { ...layout, cellWidthMax: [...layout.cellWidthMax, room] });
}

function formatQueries(queries: readonly QueryInfo[]): string {
  const rows = queries.slice(0, queriesShownMax).map(({ query, verb, subject, affinity, state, shards_done: done, shards, queued, running, workers }) => {
    const time = formatSeconds(queued + running);
    return [query.slice(0, 8), verb, subject, affinity.slice(0, 8), state, `${done}/${shards}`, formatCount(workers), time];
  });
  const table = formatTable(["query", "verb", "of", "affinity", "state", "shards", "workers", "since"], rows, {
    align: ["left", "left", "left", "left", "left", right, right, right], cellWidthMax: [8, 12, 15, 8, 7, 11, 7, 9],
  });
  const more = queries.length - queriesShownMax;
  return more > 0 ? `${table}\nand ${formatCount(more)} more` : table;
}
