/**
 * The closed catalogue of messages. A message is a header, checked against its schema here, and raw body frames that
 * only the two ends open. Headers travel as MessagePack maps; PROTOCOL.md numbers the frames. Ids are 128 random bits
 * as 32 hexadecimal digits, made by the sender.
 */
import { Type, type Static, type TSchema } from "../base/typebox.js";
import { limits } from "../base/limits.js";

const Id = Type.String({ pattern: "^[0-9a-f]{32}$" });
const Generation = Type.String({ pattern: "^[0-9a-f]{64}$" });
const Name = Type.String({ minLength: 1, maxLength: limits.tableNameMax });
const Count = Type.Integer({ minimum: 0 });
const Milliseconds = Type.Number({ minimum: 0 });
const ColumnName = Type.String({ maxLength: limits.columnNameMax });
const Text = Type.String({ maxLength: 4_096 });
const Details = Type.Record(Type.String({ maxLength: 64 }), Type.Unknown());
const Retry = Type.Union([Type.Literal("never"), Type.Literal("same"), Type.Literal("elsewhere")]);

/** The public key of a peer, and the proof that it owns it (introduction.ts); between ends that have keys. */
const Credential = Type.Optional(Type.Object({ key: Type.String({ pattern: "^[0-9a-f]{64}$" }), proof: Type.String({ pattern: "^[0-9a-f]{64}$" }) }, { additionalProperties: false }));

function list<T extends TSchema>(item: T, maxItems: number) {
  return Type.Array(item, { maxItems });
}

function message<T extends string, P extends Record<string, TSchema>>(type: T, properties: P) {
  return Type.Object({ type: Type.Literal(type), ...properties }, { additionalProperties: false });
}

const generationFields = {
  generation: Generation,
  rows: Count,
  bytes: Count,
  set: Type.Union([Type.Object({ id: Type.String({ maxLength: 64 }), index: Count, count: Count }), Type.Null()]),
  columns: list(Type.Object({ name: ColumnName, dtype: Type.String({ maxLength: 32 }) }), limits.columnsMax),
  /** When its footer was written, ms since 1970 of that machine; for people. */
  writtenMs: Type.Optional(Type.Number()),
  /** It waits beside the current one, or where none is current yet, and is read only when a pointer names it. */
  prepared: Type.Optional(Type.Literal(true)),
};

/** A shard as a process that has it describes it. */
export const Holding = Type.Object({
  /** Directory name: `taxi.bcolz` or `taxi-3.bcolzs`. */
  name: Name,
  ...generationFields,
  /** Generations that can be read besides: those that wait, then those that were current before, the latest first. */
  kept: Type.Optional(list(Type.Object(generationFields, { additionalProperties: false }), limits.generationsMax)),
  /** When CURRENT was last replaced, ms since 1970 of that machine; only ever compared as a tie-break. */
  changedMs: Type.Number(),
}, { additionalProperties: false });
export type Holding = Static<typeof Holding>;

/** A table that a process has and cannot open, and why. */
export const BrokenTable = Type.Object({ name: Name, code: Text, message: Text }, { additionalProperties: false });
export type BrokenTable = Static<typeof BrokenTable>;

/** A shard of a call: its place in the ordered shard list, and the generation this call reads. */
export const ShardRef = Type.Object({ ordinal: Count, name: Name, generation: Generation }, { additionalProperties: false });
export type ShardRef = Static<typeof ShardRef>;

/** The shards a partial covers: ordinals start to start + size, an aligned block (size a power of two, start a multiple of it) or any run. */
export const Block = Type.Object({ start: Count, size: Type.Integer({ minimum: 1 }) }, { additionalProperties: false });
export type Block = Static<typeof Block>;

/** What answering cost: sums over shards. Milliseconds are of the process that did the work. */
export const Cost = Type.Object({
  shards: Count, shardsPruned: Count, rowsScanned: Count, chunksDecoded: Count, chunksPruned: Count, chunksFromStatistics: Count,
  partialCacheHits: Count, cacheHits: Count,
  bytesDecoded: Count, scanMs: Milliseconds, mergeMs: Milliseconds,
}, { additionalProperties: false });
export type Cost = Static<typeof Cost>;

/** A shard of an answer that may be partial, which is not in it. */
export const LeftOut = Type.Object({
  name: Name,
  /** Why, as an error code and its sentence. */
  code: Text, message: Text,
  /** Rows it has, where somebody has said so. */
  rows: Type.Union([Count, Type.Null()]),
}, { additionalProperties: false });
export type LeftOut = Static<typeof LeftOut>;

/** The dtype of a column that a shard may lack. */
export const AbsentColumn = Type.Object({ name: ColumnName, dtype: Type.String({ maxLength: 32 }) }, { additionalProperties: false });
export type AbsentColumn = Static<typeof AbsentColumn>;

/** The dtype that holds those that a column has in the shards of a call; null where there is none. */
export const WidenedColumn = Type.Object({ name: Type.String({ maxLength: 1_024 }), dtype: Type.Union([Type.String({ maxLength: 32 }), Type.Null()]) }, { additionalProperties: false });
export type WidenedColumn = Static<typeof WidenedColumn>;

/** Slices of rows that a client has room for; one is at most a few MB. */
const Slices = Type.Integer({ minimum: 1, maximum: limits.sliceCreditMax });
const Epoch = Type.Integer({ minimum: 1 });
const Attempt = Type.Integer({ minimum: 1 });

/** A stretch of a shard's rows: from a place up to the next, null at the end of the shard; `rows` of it were selected. */
const sliceFields = { ordinal: Count, from: Count, next: Type.Union([Count, Type.Null()]), rows: Count };

/** Work of one task that needs no table: any worker does it. Of execute_code the arguments are in the body. */
export const Errand = Type.Union([
  Type.Object({ kind: Type.Literal("sleep"), seconds: Type.Number({ minimum: 0, maximum: limits.sleepSecondsMax }) }, { additionalProperties: false }),
  Type.Object({ kind: Type.Literal("readfile"), path: Type.String({ minLength: 1, maxLength: limits.filePathMax }) }, { additionalProperties: false }),
  Type.Object({ kind: Type.Literal("execute_code"), function: Type.String({ minLength: 1, maxLength: limits.functionNameMax }) }, { additionalProperties: false }),
]);
export type Errand = Static<typeof Errand>;

/** How the one frame that answers an errand is read: as JSON, or as it is. */
const AnswerForm = Type.Union([Type.Literal("json"), Type.Literal("bytes")]);
/** An id, or its beginning as people type it. */
const IdStart = Type.String({ pattern: "^[0-9a-f]{1,32}$" });
/** The id of a ticket. */
const TicketId = Type.String({ pattern: "^[0-9a-f]{16}$" });
/** A table in a bucket: with the key of its manifest and the generation that names, where these are known. */
export const BucketTable = Type.Object({
  table: Name, manifest: Type.Union([Type.Null(), Type.String({ minLength: 1, maxLength: limits.objectKeyMax })]), generation: Type.Union([Type.Null(), Generation]),
}, { additionalProperties: false });
export type BucketTable = Static<typeof BucketTable>;
const Level = Type.Union([Type.Literal("error"), Type.Literal("warn"), Type.Literal("info"), Type.Literal("debug")]);

/** What the process at the other end of the worker channel is: only a worker holds tables and takes tasks. */
const ProcessRole = Type.Union([Type.Literal("worker"), Type.Literal("downloader"), Type.Literal("mover")]);
export type ProcessRole = Static<typeof ProcessRole>;

const Heartbeat = message("heartbeat", {});
/** Whether the controller knows who it is sent to. */
const Standing = message("heartbeat", { known: Type.Boolean() });

/** Of whoever found the controller in a registry: which cluster it looked for (registry/cluster-mark.ts). */
const ClusterMark = Type.Optional(Id);

/** Client to controller. */
export const clientMessages = {
  hello: message("hello", { clientId: Id, version: Text, cluster: ClusterMark, credential: Credential }),
  /** `body` of a groupby: one frame, the query (engine/query/bytes.ts), which the controller does not open. */
  call: message("call", {
    id: Id,
    verb: Type.Union([
      Type.Literal("ping"), Type.Literal("info"), Type.Literal("files"), Type.Literal("groupby"), Type.Literal("killall"),
      Type.Literal("queries"), Type.Literal("cancel"), Type.Literal("loglevel"), Type.Literal("killworkers"), Type.Literal("kill"),
      Type.Literal("sleep"), Type.Literal("readfile"), Type.Literal("execute_code"), Type.Literal("generations"), Type.Literal("rollback"),
      Type.Literal("download"), Type.Literal("downloads"), Type.Literal("delete_download"),
    ]),
    tables: list(Name, limits.shardsMax),
    columns: list(ColumnName, limits.columnsMax),
    affinity: Type.Optional(Type.String({ maxLength: limits.affinityMax })),
    remainingMs: Milliseconds,
    /** Asks for rows in place of partials: `slices` may be on their way, and `rowsMax` rows from the first on are enough. */
    rows: Type.Optional(Type.Object({ slices: Slices, rowsMax: Type.Union([Count, Type.Null()]) }, { additionalProperties: false })),
    missing: Type.Optional(Type.Literal("empty")),
    partial: Type.Optional(Type.Literal("allow")),
    /** What every shard is to be read at; no other shards are read. */
    generations: Type.Optional(list(Type.Object({ name: Name, generation: Generation }, { additionalProperties: false }), limits.shardsMax)),
    /** The digest of the shards of an answer that the client has kept (digest.ts): it does if they are still the same. */
    known: Type.Optional(Generation),
    /** The highest epoch of pointers that the client has seen. */
    epoch: Type.Optional(Epoch),
    /** Of sleep, readfile and execute_code: what is to be done, each by one worker; several only where `detached`. */
    errands: Type.Optional(list(Errand, limits.errandsMax)),
    /** The worker that is to do it. */
    worker: Type.Optional(IdStart),
    /** Is answered at once with query ids; what is done has nobody to answer. */
    detached: Type.Optional(Type.Literal(true)),
    /** Of cancel: the query. */
    query: Type.Optional(IdStart),
    /** Of rollback: where to, or the beginning of that; without it to the one before. */
    generation: Type.Optional(Type.String({ pattern: "^[0-9a-f]{1,64}$" })),
    /** Of loglevel. */
    level: Type.Optional(Level),
    /** Of download: from where, what, and to how many nodes each; without it to all. */
    bucket: Type.Optional(Type.String({ minLength: 1, maxLength: limits.objectKeyMax })),
    sources: Type.Optional(list(BucketTable, limits.ticketSlotsMax)),
    replicas: Type.Optional(Type.Integer({ minimum: 1 })),
    /** Of download the sets, by their names without suffix, of which `sources` has all shards. */
    sets: Type.Optional(list(Name, limits.shardsMax)),
    /** Of download the id of the new ticket, which the client makes, and without which none is made; of delete_download, and of downloads about one alone, that of a ticket. */
    ticket: Type.Optional(TicketId),
    /** Of downloads: whether nodes, or slots as well, are told of. */
    detail: Type.Optional(Type.Union([Type.Literal("nodes"), Type.Literal("slots")])),
    /** A controller asks another one, which asks no further ones. */
    relayed: Type.Optional(Type.Literal(true)),
  }),
  cancel: message("cancel", { id: Id }),
  /** So many slices of that attempt were taken: as many more may come. */
  credit: message("credit", { id: Id, attempt: Attempt, slices: Slices }),
  heartbeat: Heartbeat,
  bye: message("bye", {}),
};

/** Controller to client. */
export const clientReplies = {
  welcome: message("welcome", { controllerId: Id, node: Text, version: Text, heartbeatMs: Milliseconds, expiryMs: Milliseconds }),
  heartbeat: Standing,
  /** A new attempt voids the partials of earlier ones. */
  accepted: message("accepted", {
    id: Id, queryId: Id, attempt: Attempt, shards: list(ShardRef, limits.shardsMax),
    /** Of a query for rows: as workers are told, where it is not empty. */
    widened: Type.Optional(list(WidenedColumn, limits.columnsMax)),
    /** Of the pointers by which the shards were found; absent while there are none. */
    epoch: Type.Optional(Epoch),
  }),
  /** body: the encoded partial of the block. */
  partial: message("partial", { id: Id, attempt: Attempt, block: Block }),
  /** body: the encoded rows of the slice. */
  slice: message("slice", { id: Id, attempt: Attempt, ...sliceFields }),
  /** The shard is not in the answer; what came of it is void. */
  leftOut: message("leftOut", { id: Id, attempt: Attempt, ordinal: Count }),
  /** body: what an errand came to. */
  answer: message("answer", { id: Id, form: AnswerForm }),
  /** The one final answer of a call that went well. `value` answers the verbs without partials. */
  result: message("result", {
    id: Id, value: Type.Unknown(), cost: Type.Union([Cost, Type.Null()]), queuedMs: Milliseconds, workers: Count, retries: Count, leftOut: Type.Optional(list(LeftOut, limits.shardsMax)),
    /** The shards are those that the call knew: nothing was computed. */
    unchanged: Type.Optional(Type.Literal(true)),
    /** As in `accepted`, which did not come before. */
    epoch: Type.Optional(Epoch),
  }),
  error: message("error", { id: Id, code: Text, message: Text, details: Details, origin: Text }),
};

/** Worker to controller; downloaders and movers say `register`, with no holdings, `heartbeat` and `bye` alone. */
export const workerMessages = {
  register: message("register", { workerId: Id, role: ProcessRole, node: Text, pid: Count, version: Text, dataDir: Text, uptimeMs: Milliseconds, holdings: list(Holding, limits.shardsMax), cluster: ClusterMark, credential: Credential }),
  holdings: message("holdings", { added: list(Holding, limits.shardsMax), removed: list(Name, limits.shardsMax) }),
  /** All the tables that cannot be opened now, in place of those told of before. */
  broken: message("broken", { tables: list(BrokenTable, limits.brokenTablesMax) }),
  /**
   * "I am idle", or `running`: "I take one more after this task". Answered by at most one task that names this nonce.
   * `cached`: columns now held decoded, by shard; an empty list means no longer.
   */
  ready: message("ready", { nonce: Id, cached: list(Type.Object({ shard: Name, columns: list(ColumnName, limits.columnsMax) }, { additionalProperties: false }), limits.shardsMax), running: Type.Optional(Id) }),
  /** `doing`: what a downloader or a mover is at, for people; absent while it waits for something to do. */
  heartbeat: message("heartbeat", { doing: Type.Optional(Type.String({ maxLength: limits.doingMax })) }),
  /** body: the encoded partial of a block of the task. */
  partial: message("partial", { taskId: Id, block: Block }),
  /** body: the encoded rows of the slice. */
  slice: message("slice", { taskId: Id, ...sliceFields }),
  /** body: what the errand came to. */
  answer: message("answer", { taskId: Id, form: AnswerForm }),
  done: message("done", { taskId: Id, cost: Cost }),
  /** `shard`: the one that failed, where one did. */
  failed: message("failed", { taskId: Id, code: Text, message: Text, details: Details, retry: Retry, shard: Type.Union([Name, Type.Null()]) }),
  declined: message("declined", { taskId: Id, reason: Text }),
  bye: message("bye", { reason: Text }),
};

/** Controller to worker; to downloaders and movers go no tasks, errands and looks. */
export const workerReplies = {
  welcome: message("welcome", { controllerId: Id, node: Text, version: Text, heartbeatMs: Milliseconds, expiryMs: Milliseconds }),
  /** Asks a worker the controller does not know (it was restarted) to register again. */
  heartbeat: Standing,
  /** body: the query frame of the call, as the client sent it. */
  task: message("task", {
    taskId: Id, attempt: Attempt, kind: Type.Literal("groupby"), queryId: Id, nonce: Id, shards: list(ShardRef, limits.shardsMax), remainingMs: Milliseconds,
    /** Asks for rows: at most so many slices, and rows, of the shards in turn, each from the place beside it. */
    rows: Type.Optional(Type.Object({ slices: Slices, rowsMax: Type.Union([Count, Type.Null()]), from: list(Count, limits.shardsMax) }, { additionalProperties: false })),
    /** For columns that a shard lacks; absent where that is an error. */
    absent: Type.Optional(list(AbsentColumn, limits.columnsMax)),
    /** For columns that are not of one dtype in all shards of the call. */
    widened: Type.Optional(list(WidenedColumn, limits.columnsMax)),
    /** More waits: the worker is to offer itself for one more beside this task. */
    offersNext: Type.Optional(Type.Literal(true)),
  }),
  /** A task that is an errand. body: as the client sent it. */
  errand: message("errand", { taskId: Id, attempt: Attempt, queryId: Id, nonce: Id, errand: Errand, remainingMs: Milliseconds }),
  cancelTask: message("cancelTask", { taskId: Id }),
  shutdown: message("shutdown", { reason: Text }),
  /** Look at the tables now: some generation is waited for. `holdings` tells what is new, if anything. */
  look: message("look", {}),
  /** Answers `register`: this worker is given no tasks. */
  refused: message("refused", { reason: Text }),
  setLogLevel: message("setLogLevel", { level: Level }),
};

type Catalogue = Record<string, TSchema>;
/** The union of a catalogue's headers. */
export type MessageOf<C extends Catalogue> = { [K in keyof C]: Static<C[K]> }[keyof C];
export type ClientMessage = MessageOf<typeof clientMessages>;
export type ClientReply = MessageOf<typeof clientReplies>;
export type WorkerMessage = MessageOf<typeof workerMessages>;
export type WorkerReply = MessageOf<typeof workerReplies>;
