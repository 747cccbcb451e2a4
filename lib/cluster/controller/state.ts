/** The state of the scheduling core: plain data, updated in place by one event at a time. */
import type { ErrorCode, ErrorDetails } from "../../base/errors.js";
import type { AbsentColumn, BrokenTable, Cost, Errand, LeftOut, ProcessRole, ShardRef, WidenedColumn } from "../../wire/messages.js";
import { createCatalog, type Catalog } from "./tables/catalog.js";
import type { Action, Body } from "./events.js";
import type { GoneGeneration, Pointed } from "./tables/generations.js";
import type { Habit, Habits } from "./schedule/habits.js";
import type { Latest } from "./schedule/latest.js";
import { createQueues, type FairQueues } from "./schedule/queues.js";
import { createMean, type RunningMean } from "./schedule/running-mean.js";
import type { SliceBudget, SliceStream } from "./calls/slices.js";

/** Why a call or a task failed: an error code and its facts, not an exception. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
  /** The process that failed, for people. */
  readonly origin: string;
}

/** What a core is given once. */
export interface CoreOptions {
  /** Names this controller in errors, for people. */
  readonly origin: string;
  /** Silence after which a worker counts as lost. */
  readonly expiryMs: number;
  /** Times a shard of a call that comes from now on is tried before the call fails. */
  readonly attemptsMax: number;
  /** Calls that may be unanswered at a time; one more is BUSY. */
  readonly queueTasksMax: number;
  /** Bytes of all their bodies together. */
  readonly queueBytesMax: number;
  /** Gives ids of 32 hexadecimal digits, each once. */
  readonly makeId: () => string;
}

/** Workers, downloaders and movers of one controller together; another one is not taken. */
export const workersMax = 10_000;

/** A live worker. It runs one task at a time, may have one more ahead, and takes one only against the nonce it offered last. */
export interface Worker {
  readonly id: string;
  readonly node: string;
  /** Names of the shards it holds; the catalog has the rest. */
  readonly shards: Set<string>;
  /** Tables it has and cannot open. */
  broken: readonly BrokenTable[];
  /** Columns it holds decoded, by shard; never of a shard it does not hold. */
  readonly cached: Map<string, ReadonlySet<string>>;
  /** The offer that stands: to run a task at once while it is idle, else to take one ahead. */
  nonce: string | undefined;
  /** An offer that came while it has an errand that is never done twice, and stands when that is over. */
  laterNonce: string | undefined;
  /** The offer last taken, so that a repeated one is not taken again. */
  spentNonce: string | undefined;
  idleSinceMs: number;
  /** The task it runs. */
  taskId: string | undefined;
  /** The task it runs after that. */
  nextTaskId: string | undefined;
  lastHeardMs: number;
}

/** A live downloader or mover. */
export interface Carrier {
  readonly id: string;
  readonly node: string;
  readonly role: Exclude<ProcessRole, "worker">;
  readonly dataDir: string;
  /** What it says it is at; null while it waits. */
  doing: string | null;
  lastHeardMs: number;
}

/** A piece of a call given to one worker. */
export interface Task {
  readonly id: string;
  readonly queryId: string;
  readonly workerId: string;
  /** Ordinals not answered yet. */
  readonly open: Set<number>;
  readonly shardCount: number;
  /** When it was given to its worker, or when the one before it ended. */
  startedMs: number;
  /** Rows of its shards together. */
  readonly rows: number;
  /** Whether its shards follow each other. */
  readonly isRun: boolean;
  /** Partials that came of it. */
  partials: number;
  /** What it may still send of a call for rows; null for partials. */
  readonly budget: SliceBudget | null;
  /** It takes too long: some of it was given to another worker as well, and its worker gets nothing ahead. */
  isLate: boolean;
  /** Another task has answered some of it, which can void blocks it still sends. */
  isOvertaken: boolean;
}

/** Where an ordinal of a call stands; one that is left out counts as answered. */
export const ordinalStates = { waiting: 0, running: 1, answered: 2, leftOut: 3 } as const;

/** Which shards a call asks for, and how it takes those that cannot be had. */
export interface Scope {
  readonly tables: readonly string[];
  readonly columns: readonly string[];
  /** Whether unknown tables and columns are empty. */
  readonly missingIsEmpty: boolean;
  /** Whether an answer without the shards that cannot be had is one. */
  readonly isPartialAllowed: boolean;
  /** The generations to read, by name; null for those that are current. */
  readonly pinned: ReadonlyMap<string, string> | null;
}

/** What a call is to do that reads no table. */
export interface CallErrand {
  readonly errand: Errand;
  /** The worker that has to do it; null for any. */
  readonly workerId: string | null;
}

/** A call from its acceptance to its one final answer. */
export interface Call {
  readonly queryId: string;
  readonly clientId: string;
  /** The id the client gave it. */
  readonly id: string;
  readonly scope: Scope;
  /** An errand has one ordinal, whose shard is none but named as people call the errand; null for a query. */
  readonly errand: CallErrand | null;
  /** Dtypes of columns that a shard may lack; undefined where that is an error. */
  absent: readonly AbsentColumn[] | undefined;
  /** Columns that are not of one dtype in all shards. */
  widened: readonly WidenedColumn[];
  readonly affinity: string;
  readonly body: Body;
  readonly bodyBytes: number;
  readonly arrivedMs: number;
  readonly deadlineMs: number;
  /** Counts from 1; a new one voids the partials of the earlier. */
  attempt: number;
  /** Replaced, with everything that follows, when the call is restarted. */
  shards: readonly ShardRef[];
  ordinals: Uint8Array;
  /** Failed tries of each ordinal, and how many end it: as configured when the call came, and one for what is never done twice. */
  tries: Uint8Array;
  readonly triesMax: number;
  waitingCount: number;
  answeredCount: number;
  /** Every ordinal before this one is running or answered. */
  firstWaiting: number;
  /** Workers that failed an ordinal in a way that another may not. */
  readonly excluded: Map<number, Set<string>>;
  /** What a call for rows asked; null for partials. */
  readonly streamAsked: { readonly slices: number; readonly rowsMax: number | null } | null;
  /** Shards of its tables that nobody held when it began. */
  lacking: number;
  /** How far the rows of each shard have been sent; null for a call for partials. */
  stream: SliceStream | null;
  /** Shards that are not in the answer, which allows for that. */
  leftOut: LeftOut[];
  readonly gone: GoneGeneration[];
  /** The last failure of a task, told when nothing is left to try. */
  failure: Failure | undefined;
  /** After a failure that a pause may heal, nothing is handed out before this time. */
  restUntilMs: number;
  readonly tasks: Set<string>;
  /** Running ordinals that are open in two tasks, of different workers; all others are open in one. */
  readonly doubled: Set<number>;
  readonly workers: Set<string>;
  readonly shardMs: Latest;
  /** Milliseconds a row of its latest tasks, from when they were given out. */
  readonly rowMs: Latest;
  readonly partialBytes: RunningMean;
  /** What calls like this one cost. */
  readonly habit: Habit;
  firstAssignedMs: number | undefined;
  cost: Cost;
  retries: number;
}

/** Pointers that wait until somebody has told of what they name. */
export interface Looking {
  readonly epoch: number;
  readonly pointed: Pointed;
  /** When they are followed in any case: what nobody has by then is told as unavailable. */
  readonly untilMs: number;
}

/** The pace of the latest calls. Updated in place. */
export interface Pace {
  /** Milliseconds from the end of a call to the next while there are any. */
  readonly gapMs: RunningMean;
  /** When a call last ended, or came where there was none. */
  sinceMs: number;
  /** The queue of the call that came last, and when one came last of another queue than the one before it. */
  affinity: string | undefined;
  mixedAtMs: number;
}

/** Calls that found the queue full and are not in the log yet. Updated in place. */
export interface Refusals {
  count: number;
  /** When the next line about them may be written. */
  quietUntilMs: number;
}

/** A worker, downloader or mover that left, or lost its connection. */
export interface Departure {
  readonly workerId: string;
  readonly role: ProcessRole;
  readonly node: string;
  /** In plain words. */
  readonly reason: string;
  /** Whether it left in order. */
  readonly isOrderly: boolean;
  /** By the steady clock of this process. */
  readonly atMs: number;
  /** Tasks whose shards were given back, to be read by others. */
  readonly givenBack: number;
  /** Tasks that another worker was at as well, and goes on with. */
  readonly elsewhere: number;
  /** Calls that ended with an error over it. */
  readonly failedCalls: number;
}

/** Everything a controller knows about its cluster. */
export interface ControllerState {
  readonly options: CoreOptions;
  readonly catalog: Catalog;
  /** Pointers that queries do not go by yet. */
  looking: Looking | undefined;
  readonly workers: Map<string, Worker>;
  /** The downloaders and movers, which no call is about. */
  readonly carriers: Map<string, Carrier>;
  /** Ids of workers whose offer stands, the longest idle first. */
  readonly idle: Set<string>;
  /** By query id. */
  readonly calls: Map<string, Call>;
  /** Query ids by client, then by the id the client gave; no entry for a client without calls. */
  readonly clients: Map<string, Map<string, string>>;
  readonly tasks: Map<string, Task>;
  readonly queues: FairQueues;
  bodyBytes: number;
  readonly taskMs: RunningMean;
  readonly shardMs: RunningMean;
  readonly habits: Habits;
  readonly pace: Pace;
  readonly refusals: Refusals;
  readonly departures: Departure[];
  stopping: boolean;
  /** The earliest tick asked for that has not come. */
  wakeAtMs: number;
}

/** One event being worked on: the state, the time, and the actions so far. */
export interface Step {
  readonly state: ControllerState;
  readonly nowMs: number;
  readonly actions: Action[];
}

/** A controller that knows nobody. */
export function createState(options: CoreOptions): ControllerState {
  return {
    options, catalog: createCatalog(), looking: undefined, workers: new Map(), carriers: new Map(), idle: new Set(), calls: new Map(), clients: new Map(),
    tasks: new Map(), queues: createQueues(), bodyBytes: 0, taskMs: createMean(), shardMs: createMean(), habits: new Map(),
    pace: { gapMs: createMean(), sinceMs: 0, affinity: undefined, mixedAtMs: -Infinity }, refusals: { count: 0, quietUntilMs: 0 }, departures: [], stopping: false, wakeAtMs: Infinity,
  };
}

/** Tells whether a worker, downloader or mover is known, and not given up. */
export function isRegistered({ workers, carriers }: ControllerState, id: string): boolean {
  return workers.has(id) || carriers.has(id);
}

/** Asks for a tick at the given time, unless an earlier one is due anyway. */
export function requestWake(step: Step, atMs: number): void {
  if (atMs >= step.state.wakeAtMs) return;
  step.state.wakeAtMs = atMs;
  step.actions.push({ kind: "wakeAt", atMs });
}
