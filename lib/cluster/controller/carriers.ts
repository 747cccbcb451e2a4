/**
 * Downloaders and movers: processes that carry tables to their node. They hold nothing and are given no tasks, so that no call
 * is about them: a controller knows who is there and what each is at, tells them to end, and says when one is gone.
 */
import type { ProcessRole } from "../../wire/messages.js";
import { describeBye, recordCarrierDeparture } from "./departures.js";
import type { Event } from "./events.js";
import { requestWake, workersMax, type Carrier, type ControllerState, type Step } from "./state.js";

/** How many carriers there are of each role. */
export function countCarriers({ carriers }: Pick<ControllerState, "carriers">): { readonly downloaders: number; readonly movers: number } {
  const downloaders = carriersOf(carriers.values(), "downloader").length;
  return { downloaders, movers: carriers.size - downloaders };
}

/** Those among carriers that have a role. */
export function carriersOf(carriers: Iterable<Carrier>, role: ProcessRole): Carrier[] {
  return [...carriers].filter((carrier) => carrier.role === role);
}

/** Takes one in that is new, or whose connection is. */
export function registerCarrier(step: Step, { workerId: id, node, role, dataDir }: Event & { kind: "carrierRegistered" }): void {
  const { state, nowMs, actions } = step;
  const earlier = state.carriers.get(id);
  if (earlier === undefined && state.workers.size + state.carriers.size >= workersMax) {
    actions.push({ kind: "log", level: "warn", event: "peer.refused", facts: { [role]: id, node, processes: workersMax } });
    return;
  }
  if (earlier !== undefined) loseCarrier(step, earlier, "registered again over a new connection", true);
  state.carriers.set(id, { id, node, role, dataDir, doing: null, lastHeardMs: nowMs });
  requestWake(step, nowMs + state.options.expiryMs);
  actions.push({ kind: "log", level: "info", event: `${role}.registered`, facts: { [role]: id, node } });
}

/** Takes what a carrier says: whatever it is, it lives; what only workers say means nothing of it. Of strangers it is too late. */
export function onCarrierEvent(step: Step, event: Event & { readonly workerId: string }): void {
  const carrier = step.state.carriers.get(event.workerId);
  if (carrier === undefined) return;
  carrier.lastHeardMs = step.nowMs;
  if (event.kind === "heartbeat") carrier.doing = event.doing ?? null;
  if (event.kind === "workerLost") loseCarrier(step, carrier, event.saidBye ? describeBye(event.reason) : event.reason, event.saidBye);
}

/** Gives up those that were silent for too long. */
export function expireCarriers(step: Step): void {
  const { state, nowMs } = step;
  for (const carrier of [...state.carriers.values()]) {
    const expiresMs = carrier.lastHeardMs + state.options.expiryMs;
    if (nowMs < expiresMs) requestWake(step, expiresMs);
    else loseCarrier(step, carrier, describeSilence(carrier, nowMs), false);
  }
}

/** Why a process counts as lost that said nothing for too long. */
export function describeSilence({ lastHeardMs }: { readonly lastHeardMs: number }, nowMs: number): string {
  return `heartbeat lost: nothing heard of it for ${Math.round(nowMs - lastHeardMs)} ms`;
}

/** Forgets one, and keeps why it left. */
export function loseCarrier(step: Step, carrier: Carrier, reason: string, isOrderly: boolean): void {
  step.state.carriers.delete(carrier.id);
  recordCarrierDeparture(step, carrier, { reason, isOrderly });
}

/** A sentence for each node whose downloaders and mover cannot work together. */
export function describeUnpaired({ carriers }: Pick<ControllerState, "carriers">): string[] {
  const byNode = new Map<string, Carrier[]>();
  for (const carrier of carriers.values()) {
    const there = byNode.get(carrier.node);
    if (there === undefined) byNode.set(carrier.node, [carrier]);
    else there.push(carrier);
  }
  return [...byNode].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([node, there]) => describeNode(node, there));
}

function describeNode(node: string, there: readonly Carrier[]): string[] {
  const downloaders = carriersOf(there, "downloader").length;
  const movers = there.length - downloaders;
  if (movers === 0) return [`node ${node} has a downloader and no mover, so that nothing it fetches becomes a table; start bqueryd movebcolz there`];
  const folders = [...new Set(there.map(({ dataDir }) => dataDir))].sort();
  return [
    ...(downloaders === 0 ? [`node ${node} has a mover and no downloader, so that it is sent no tables; start bqueryd downloader there`] : []),
    ...(movers > 1 ? [`node ${node} has ${movers} movers, and one is enough; stop the others`] : []),
    ...(downloaders > 0 && folders.length > 1 ? [`the downloaders and movers of node ${node} work in different folders (${folders.join(", ")}); give them one data_dir`] : []),
  ];
}
