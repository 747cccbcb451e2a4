/** Which nodes a ticket brings tables to, and whether somebody is there who brings them. */
import { BquerydError } from "../../../base/errors.js";
import { formatNames } from "../../../base/quantities.js";
import type { Sessions } from "../peers/sessions.js";

/** A node with the roles of its live processes. */
export interface NodeRoles {
  readonly node: string;
  readonly roles: ReadonlySet<string>;
}

/** What a node needs to get tables, with how it is started. */
const needed = [["downloader", "bqueryd downloader"], ["mover", "bqueryd movebcolz"]] as const;
/** Nodes that a sentence names. */
const namesMax = 5;

/** The nodes that serve or fetch data now, by name: those of every process that registered. */
export function findNodes({ byPeer }: Pick<Sessions, "byPeer">): NodeRoles[] {
  const nodes = new Map<string, Set<string>>();
  for (const session of byPeer.values()) {
    if (session.kind === "client") continue;
    nodes.set(session.node, (nodes.get(session.node) ?? new Set()).add(session.role));
  }
  return [...nodes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([node, roles]) => ({ node, roles }));
}

/** Throws TICKET_FAILED unless some node has all that it needs to get tables: nothing of a ticket would ever move. */
export function requireReadyNode(nodes: readonly NodeRoles[]): void {
  if (nodes.some((node) => lackingOf(node).length === 0)) return;
  const found = nodes.length === 0 ? "no node has any process of this cluster" : `no node has both a downloader and a mover: ${formatNames(nodes.map(describeLacking), namesMax)}`;
  throw new BquerydError("TICKET_FAILED", `${found}; start bqueryd downloader and bqueryd movebcolz on each node`, { details: { nodes: nodes.slice(0, namesMax).map(({ node }) => node) } });
}

/** A sentence for the nodes, of those a ticket waits for, that lack what they need; none where all have it. */
export function warnOfNodes(nodes: readonly NodeRoles[], waitedFor: ReadonlySet<string>): string[] {
  const roles = new Map(nodes.map((node) => [node.node, node]));
  const lacking = [...waitedFor].sort().map((node) => roles.get(node) ?? { node, roles: new Set<string>() }).filter((node) => lackingOf(node).length > 0);
  if (lacking.length === 0) return [];
  const commands = needed.filter((need) => lacking.some((node) => lackingOf(node).includes(need))).map(([, command]) => command);
  return [`${formatNames(lacking.map(describeLacking), namesMax)}; the ticket waits for ${lacking.length === 1 ? "it" : "them"}, and fails in the end: start ${commands.join(" and ")} there`];
}

function lackingOf({ roles }: NodeRoles): (typeof needed)[number][] {
  return needed.filter(([role]) => !roles.has(role));
}

function describeLacking(node: NodeRoles): string {
  return `${node.node} has no ${lackingOf(node).map(([role]) => role).join(" and no ")}`;
}
