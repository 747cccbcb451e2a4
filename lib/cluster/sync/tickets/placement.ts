/** Which nodes get a table: by rendezvous hash, so that a node that comes or goes moves only its own share. */
import type { SlotPlace, TicketPlan } from "../../../registry/tickets.js";
import { choosePreferredFew } from "../../../base/rendezvous.js";

/** The nodes that get a table: all of them, or `replicas` of them; in the order of their names. */
export function chooseNodes(table: string, nodes: readonly string[], replicas: number | null): string[] {
  const chosen = replicas === null || replicas >= nodes.length ? nodes : choosePreferredFew(table, nodes, replicas);
  return [...chosen].sort();
}

/** The slots of a new ticket. */
export function placeTicket({ tables, nodes, replicas }: TicketPlan): SlotPlace[] {
  return tables.flatMap(({ table }) => chooseNodes(table, nodes, replicas).map((node) => ({ node, table })));
}
