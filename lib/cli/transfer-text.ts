/** How far tables are on their way to nodes, as a bar and lines show it. */
import type { TransferProgress } from "../client/transfer-progress.js";
import type { DownloadNode } from "../wire/download-documents.js";
import type { ProgressState } from "./progress.js";

const labels = { upload: "sending", download: "downloading", switch: "switching" } as const;
/** Nodes that one line has room for. */
const nodesMax = 4;

/** The state that a display of progress takes. */
export function stateOfTransfer({ phase, bytesDone, bytesTotal, fraction, nodes }: TransferProgress): ProgressState {
  const note = describeNodes(nodes);
  return { label: labels[phase], unit: "bytes", done: bytesDone, total: bytesTotal, fraction, ...(note === "" ? {} : { note }) };
}

/** Share of its part of a ticket that a node has, from 0 to 1; by bytes where these are known. */
export function shareOfNode({ slots, done, bytes_done: bytesDone, bytes_total: bytesTotal }: DownloadNode): number {
  if (done === slots) return 1;
  return bytesTotal === null || bytesTotal === 0 ? done / slots : Math.min(1, bytesDone / bytesTotal);
}

/** `n1 41 %, n2 96 %`: those that have the least come first; nothing for one alone, which the bar itself tells of. */
function describeNodes(nodes: readonly DownloadNode[]): string {
  if (nodes.length < 2) return "";
  const ordered = [...nodes].sort((a, b) => shareOfNode(a) - shareOfNode(b));
  const more = ordered.length - nodesMax;
  return ordered.slice(0, nodesMax).map((node) => `${node.node} ${Math.floor(100 * shareOfNode(node))} %`).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
