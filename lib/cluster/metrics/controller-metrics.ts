/** The metrics of a controller, and whether it is ready. */
import { sumWaiting } from "../controller/answers/report.js";
import { countCarriers } from "../controller/carriers.js";
import type { CallCounts } from "../controller/answers/call-counts.js";
import type { Sessions } from "../controller/peers/sessions.js";
import type { ControllerState } from "../controller/state.js";
import { counter, flag, gauge, gaugeBy, type MetricFamily, type Observed, type Sample } from "./families.js";
import { processFamilies } from "./process-metrics.js";

/** What a controller lets see of itself, as it is now. Only read. */
export interface ControllerFacts {
  readonly state: ControllerState;
  readonly sessions: Sessions;
  readonly calls: CallCounts;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly malformed: number;
  /** Whether the registry took the last renewal of its entry. */
  readonly isListed: boolean;
}

/** A controller to be observed. `look` is asked for its facts at each question. */
export function observeController(look: () => ControllerFacts): Observed {
  return { families: [...processFamilies("controller"), ...callFamilies(look), ...clusterFamilies(look), ...messageFamilies(look)], findObstacle: () => findObstacle(look()) };
}

function findObstacle({ state, isListed }: ControllerFacts): string | undefined {
  if (state.stopping) return "it is stopping";
  if (!isListed) return "the registry cannot be written, so that nobody new finds this controller";
  return state.workers.size === 0 ? "no worker is registered with it" : undefined;
}

function callFamilies(look: () => ControllerFacts): MetricFamily[] {
  return [
    {
      name: "bqueryd_calls_total", kind: "counter", labels: ["verb", "outcome"],
      help: "Calls that have ended, by verb and by outcome: ok, the code of an error, or gone where the client went away",
      read: () => [...look().calls.ended].flatMap(([verb, outcomes]) => [...outcomes].map(([outcome, value]): Sample => ({ labels: { verb, outcome }, value }))),
    },
    {
      name: "bqueryd_call_seconds", kind: "times", labels: ["verb"], help: "Time from a call to its final answer",
      read: () => [...look().calls.times].map(([verb, { counts, sumMs }]) => ({ labels: { verb }, counts, sumMs })),
    },
    counter("bqueryd_tasks_retried_total", "Tasks of answered calls that were given to another worker", () => look().calls.retries),
    gauge("bqueryd_calls_running", "Queries that are not answered yet", () => look().state.calls.size),
    gauge("bqueryd_tasks_running", "Tasks that workers have", () => look().state.tasks.size),
    gauge("bqueryd_queue_calls", "Queries of which shards wait for a worker", () => sumWaiting(look().state).calls),
    gauge("bqueryd_queue_shards", "Shards of queries that wait for a worker", () => sumWaiting(look().state).shards),
  ];
}

function clusterFamilies(look: () => ControllerFacts): MetricFamily[] {
  const { state } = look();
  return [
    gauge("bqueryd_workers", "Workers that are registered", () => state.workers.size),
    gaugeBy("bqueryd_processes", "Processes that are registered, by role", "role", () => {
      const { downloaders, movers } = countCarriers(state);
      return { worker: state.workers.size, downloader: downloaders, mover: movers };
    }),
    gauge("bqueryd_workers_busy", "Workers that have a task", () => [...state.workers.values()].filter(({ taskId }) => taskId !== undefined).length),
    gauge("bqueryd_clients", "Clients that are connected", () => look().sessions.clients.size),
    gauge("bqueryd_shards_known", "Tables and shards that some worker holds", () => state.catalog.shards.size),
    flag("bqueryd_registry_up", "Whether the registry can be used", () => look().isListed),
  ];
}

function messageFamilies(look: () => ControllerFacts): MetricFamily[] {
  return [
    counter("bqueryd_messages_in_total", "Messages received", () => look().messagesIn),
    counter("bqueryd_messages_out_total", "Messages sent", () => look().messagesOut),
    counter("bqueryd_malformed_total", "Messages that were none of the protocol, and were dropped", () => look().malformed),
  ];
}
