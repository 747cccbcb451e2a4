/** What a client may ask of a controller: whether it may, who answers it, and what is not the scheduling core's to answer. */
import { monotonicMs } from "../../../base/clock.js";
import { toBquerydError } from "../../../base/errors.js";
import type { ClientMessage, ClientReply } from "../../../wire/messages.js";
import type { Access } from "../peers/access.js";
import { countCall, type CallCounts } from "./call-counts.js";
import type { Body } from "../events.js";
import { errorHeader } from "../calls/failures.js";
import { askNeighbours, type AskOptions, type NeighbourAnswer, type Question } from "../peers/neighbours.js";
import { hasOtherCurrents } from "../tables/unread-imports.js";
import { findNodes } from "./download-nodes.js";
import { describeCluster, listTables, type OwnFacts } from "./report.js";
import type { ClientSession, Sessions } from "../peers/sessions.js";
import { answerVerb, type OwnVerb, type VerbHost } from "./verbs.js";
import type { WaitingCalls } from "../calls/waiting-calls.js";

/** What answering needs of its controller. */
export interface AskedHost extends Omit<VerbHost, "askOthers" | "nowMs" | "nodes"> {
  readonly access: Access;
  readonly sessions: Sessions;
  readonly calls: CallCounts;
  readonly waiting: WaitingCalls<ClientSession>;
  readonly neighbours: Omit<AskOptions, "keys">;
  /** What info() tells of the controller itself. */
  describeOwn(): OwnFacts;
  answer(clientId: string, header: ClientReply & { type: "result" | "error" }): void;
}

type Asked = ClientMessage & { type: "call" };

/** A function that takes what clients ask: each call gets its answer, now or later. */
export function createAsked(host: AskedHost): (client: ClientSession, call: Asked, body: Body) => void {
  const { state, access, sessions, registry } = host;
  const verbHost: VerbHost = { ...host, nowMs: monotonicMs, askOthers, nodes: () => findNodes(sessions) };

  function answerValue(client: ClientSession, id: string, value: unknown, epoch?: number): void {
    host.answer(client.id, { type: "result", id, value, cost: null, queuedMs: 0, workers: 0, retries: 0, ...(epoch === undefined ? {} : { epoch }) });
  }

  /** A client may have left while the registry was read. */
  function take(client: ClientSession, call: Asked, body: Body): void {
    if (sessions.clients.get(client.id) === client) host.dispatch({ kind: "called", clientId: client.id, call, body });
  }

  function takeOnceKnown(client: ClientSession, call: Asked, body: Body): void {
    const reach = (then: () => void): void => { host.reach(call.epoch ?? 0, then); };
    host.waiting.wait(client, call.id, reach, (waitedMs) => { take(client, { ...call, remainingMs: Math.max(0, call.remainingMs - waitedMs) }, body); });
  }

  async function answerInfo(client: ClientSession, id: string): Promise<void> {
    const controllers = await registry.controllers().catch((cause: unknown) => ({ problem: toBquerydError(cause).message }));
    const pointers = hasOtherCurrents(state) ? await registry.pointers().catch(() => undefined) : undefined;
    answerValue(client, id, describeCluster({ own: host.describeOwn(), state, sessions, controllers, pointers }, monotonicMs()));
  }

  async function answerOwn(client: ClientSession, call: Asked & { verb: OwnVerb }): Promise<void> {
    const { outcome, afterwards } = await answerVerb(verbHost, client.id, call);
    if ("value" in outcome) answerValue(client, call.id, outcome.value, outcome.epoch);
    else host.answer(client.id, errorHeader(call.id, outcome.failure));
    afterwards?.();
  }

  async function askOthers(question: Question): Promise<NeighbourAnswer[]> {
    const others = (await registry.controllers().catch(() => [])).filter(({ id }) => id !== host.controllerId);
    return askNeighbours(others.map(({ address }) => address), question, { ...host.neighbours, keys: access.guard?.keys });
  }

  return (client, call, body) => {
    if (access.refuseVerb(client.key, call, (error) => { host.answer(client.id, { ...error, origin: state.options.origin }); })) return;
    countCall(host.calls, client.id, call, monotonicMs());
    switch (call.verb) {
      case "groupby": takeOnceKnown(client, call, body); break;
      case "sleep": case "readfile": case "execute_code": host.dispatch({ kind: "called", clientId: client.id, call, body }); break;
      case "ping": answerValue(client, call.id, "pong"); break;
      case "files": answerValue(client, call.id, listTables(state.catalog)); break;
      case "info": void answerInfo(client, call.id); break;
      default: void answerOwn(client, { ...call, verb: call.verb }); break;
    }
  };
}
