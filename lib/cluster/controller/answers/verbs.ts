/** The verbs that a controller answers out of what it knows, beside info() and files(): about calls, logs and processes. */
import { toBquerydError, unreachable } from "../../../base/errors.js";
import type { LogLevel } from "../../../base/config-keys.js";
import { isQueries, type QueryInfo, type Reached } from "../../../wire/documents.js";
import type { ClientMessage, WorkerReply } from "../../../wire/messages.js";
import type { Event } from "../events.js";
import * as failures from "../calls/failures.js";
import type { NeighbourAnswer, Question } from "../peers/neighbours.js";
import { listQueries } from "./queries.js";
import { deleteTicket, listDownloads, makeTicket, type DownloadHost } from "./downloads.js";
import { listGenerations, rollBack, type PointerHost } from "./generations.js";
import type { Failure } from "../state.js";

/** What a verb needs of its controller. */
export interface VerbHost extends PointerHost, Omit<DownloadHost, "registry"> {
  readonly controllerId: string;
  nowMs(): number;
  dispatch(event: Event): void;
  /** Sends to every worker, or to downloaders and movers as well, and tells how many those are. */
  tell(header: WorkerReply, whom: "workers" | "all"): Reached;
  /** Sets the level of the own log, and keeps it for the processes that register from now on. */
  setLevel(level: LogLevel): void;
  /** The answers of the other controllers that are up. */
  askOthers(question: Question): Promise<NeighbourAnswer[]>;
  /** Takes this controller off the list of the registry. */
  withdraw(): Promise<void>;
  /** Ends this controller. */
  stop(reason: string): void;
}

/** Such a verb. */
export type OwnVerb = "queries" | "cancel" | "loglevel" | "killworkers" | "kill" | "killall" | "generations" | "rollback" | "download" | "downloads" | "delete_download";

/** What a verb answers, and what is done once that is on its way. */
export interface VerbAnswer {
  readonly outcome: { readonly value: unknown; /** That the client has seen with it. */ readonly epoch?: number } | { readonly failure: Failure };
  readonly afterwards?: () => void;
}

type Asked = ClientMessage & { type: "call" };

/** Answers a verb for a client. */
export async function answerVerb(host: VerbHost, clientId: string, call: Asked & { verb: OwnVerb }): Promise<VerbAnswer> {
  switch (call.verb) {
    case "queries": return answerQueries(host, call);
    case "cancel": return answerCancel(host, clientId, call);
    case "generations": return answerOr(host, async () => ({ value: listGenerations(host.state, call) }));
    case "rollback": return answerRollback(host, call);
    case "download": return answerOr(host, async () => ({ value: await makeTicket(host, call) }));
    case "downloads": return answerOr(host, async () => {
      const { documents, epoch } = await listDownloads(host, call);
      return { value: documents, ...(epoch === undefined ? {} : { epoch }) };
    });
    case "delete_download": return answerOr(host, async () => ({ value: await deleteTicket(host, call, `client ${clientId.slice(0, 8)}`) }));
    case "loglevel": return answerLogLevel(host, call);
    case "killworkers": return {
      outcome: { value: { workers: host.state.workers.size, controllers: 0 } },
      afterwards: () => { host.tell({ type: "shutdown", reason: "killworkers" }, "workers"); },
    };
    case "kill": return { outcome: { value: { workers: 0, controllers: 1 } }, afterwards: () => { host.stop("kill"); } };
    case "killall": return answerKillall(host, call);
    default: return unreachable(call.verb);
  }
}

/** What is thrown is the answer, too. */
async function answerOr({ state }: VerbHost, answer: () => Promise<VerbAnswer["outcome"]>): Promise<VerbAnswer> {
  try {
    return { outcome: await answer() };
  } catch (cause) {
    const { code, message, details } = toBquerydError(cause);
    return { outcome: { failure: { code, message, details, origin: state.options.origin } } };
  }
}

function answerRollback(host: VerbHost, call: Asked): Promise<VerbAnswer> {
  return answerOr(host, async () => {
    const value = await rollBack(host, call);
    return { value, ...(value.epoch === 0 ? {} : { epoch: value.epoch }) };
  });
}

async function answerQueries(host: VerbHost, { relayed }: Asked): Promise<VerbAnswer> {
  const own = listQueries(host.state, host.controllerId, host.nowMs());
  return { outcome: { value: relayed === true ? own : [...own, ...await listElsewhere(host)] } };
}

/** What runs at the other controllers; an answer that is no list is none. */
async function listElsewhere(host: VerbHost): Promise<readonly QueryInfo[]> {
  const answers = await host.askOthers({ verb: "queries", relayed: true });
  return answers.flatMap((answer) => (answer.type === "result" && isQueries(answer.value) ? answer.value : []));
}

/** Ends the one query whose id begins so: of this controller at once, else of another one. */
async function answerCancel(host: VerbHost, clientId: string, { query, relayed }: Asked): Promise<VerbAnswer> {
  const { state } = host;
  // Of no id it is not the beginning of every one.
  if (query === undefined) return { outcome: { failure: failures.unnamedQuery(state.options.origin) } };
  const isMeant = (id: string): boolean => id.startsWith(query);
  const own = [...state.calls.keys()].filter(isMeant);
  const elsewhere = own.length > 0 || relayed === true ? [] : (await listElsewhere(host)).map((document) => document.query).filter(isMeant);
  const [queryId] = [...own, ...elsewhere];
  const found = own.length + elsewhere.length;
  if (queryId === undefined || found > 1) return { outcome: { failure: failures.notOne("query", query, found, state.options.origin) } };
  if (own.length === 1) {
    const by = relayed === true ? "a client of another controller, with cancel" : `client ${clientId.slice(0, 8)}, with cancel`;
    host.dispatch({ kind: "queryCancelled", queryId, by });
    return { outcome: { value: queryId } };
  }
  const answers = await host.askOthers({ verb: "cancel", query: queryId, relayed: true });
  const isEnded = answers.some(({ type }) => type === "result");
  return { outcome: isEnded ? { value: queryId } : { failure: failures.notOne("query", query, 0, state.options.origin) } };
}

/** Stops every process that has registered, the other controllers, and this one. */
async function answerKillall(host: VerbHost, { relayed }: Asked): Promise<VerbAnswer> {
  await host.withdraw();
  const isFirst = relayed !== true && !host.state.stopping;
  host.dispatch({ kind: "stopping", finish: false });
  const reached = host.tell({ type: "shutdown", reason: "killall" }, "all");
  const asked = isFirst ? await host.askOthers({ verb: "killall", relayed: true }) : [];
  const controllers = 1 + asked.filter(({ type }) => type === "result").length;
  return { outcome: { value: { ...reached, controllers } }, afterwards: () => { host.stop("killall"); } };
}

async function answerLogLevel(host: VerbHost, { level = "info", relayed }: Asked): Promise<VerbAnswer> {
  host.setLevel(level);
  const reached = host.tell({ type: "setLogLevel", level }, "all");
  const others = relayed === true ? [] : await host.askOthers({ verb: "loglevel", level, relayed: true });
  const controllers = 1 + others.filter(({ type }) => type === "result").length;
  return { outcome: { value: { level, controllers, ...reached } } };
}
