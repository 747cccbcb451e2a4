/** A scheduling core to talk to in tests: made-up workers and clients, time that is said, invariants checked each step. */
import { expect } from "chai";
import { on } from "../../lib/cluster/controller/core.js";
import type { Action, Event } from "../../lib/cluster/controller/events.js";
import { invariants } from "../../lib/cluster/controller/invariants.js";
import { createState, type ControllerState, type CoreOptions } from "../../lib/cluster/controller/state.js";
import type { ClientMessage, ClientReply, Cost, Holding, WorkerReply } from "../../lib/wire/messages.js";

/** A cost of nothing. */
export const freeCost: Cost = {
  shards: 0, shardsPruned: 0, rowsScanned: 0, chunksDecoded: 0, chunksPruned: 0, chunksFromStatistics: 0, partialCacheHits: 0, cacheHits: 0, bytesDecoded: 0, scanMs: 0, mergeMs: 0,
};

/** An id of 32 hexadecimal digits that people can tell from others: the text, in hexadecimal, filled up. */
export function idOf(text: string): string {
  return Buffer.from(text).toString("hex").padEnd(32, "0").slice(0, 32);
}

/** A generation of 64 hexadecimal digits. */
export function generationOf(text: string): string {
  return Buffer.from(text).toString("hex").padEnd(64, "0").slice(0, 64);
}

/** What a worker holds under a name; `set` makes it a shard of that set. */
export function holding(name: string, facts: { generation?: string; changedMs?: number; set?: Holding["set"]; rows?: number } = {}): Holding {
  return {
    name, generation: generationOf(facts.generation ?? "1"), rows: facts.rows ?? 10, bytes: 100, set: facts.set ?? null,
    columns: [{ name: "v", dtype: "int64" }], changedMs: facts.changedMs ?? 0,
  };
}

/** All shards of one import. */
export function setHoldings(base: string, count: number, facts: { generation?: string; changedMs?: number } = {}): Holding[] {
  const id = `${base} ${facts.generation ?? "1"}`;
  return Array.from({ length: count }, (_, index) => holding(`${base}-${index}.bcolzs`, { ...facts, set: { id, index, count } }));
}

/** What a call asks besides its tables. */
export type CallAsks = Pick<ClientMessage & { type: "call" }, "rows" | "missing" | "partial" | "generations" | "known">;

/** A core under test. Every event is followed by a check of the invariants. */
export class Scheduling {
  readonly state: ControllerState;
  nowMs = 0;
  #nonces = 0;

  constructor(options: Partial<CoreOptions> = {}) {
    let ids = 0;
    this.state = createState({
      origin: "controller", expiryMs: 5_000, attemptsMax: 3, queueTasksMax: 100, queueBytesMax: 10_000, makeId: () => idOf(`id ${ids++}`), ...options,
    });
  }

  tell(event: Event): Action[] {
    const actions = on(this.state, event, this.nowMs);
    expect(invariants(this.state)).to.deep.equal([]);
    return actions;
  }

  register(workerId: string, holdings: readonly Holding[]): Action[] {
    return this.tell({ kind: "registered", workerId, node: `node of ${workerId}`, holdings });
  }

  /** Registers a worker and lets it offer itself. */
  join(workerId: string, holdings: readonly Holding[]): Action[] {
    return [...this.register(workerId, holdings), ...this.ready(workerId)];
  }

  ready(workerId: string, cached: { shard: string; columns: string[] }[] = []): Action[] {
    return this.tell({ kind: "ready", workerId, nonce: idOf(`n${this.#nonces++}`), cached });
  }

  /** Lets a worker offer to take one more task after the one it runs. */
  readyBeside({ workerId, header }: Assigned): Action[] {
    return this.tell({ kind: "ready", workerId, nonce: idOf(`n${this.#nonces++}`), cached: [], running: header.taskId });
  }

  call(id: string, tables: string[], more: { clientId?: string; remainingMs?: number; affinity?: string; body?: Uint8Array[]; columns?: string[]; asks?: CallAsks } = {}): Action[] {
    const { clientId = "client", remainingMs = 60_000, affinity, body = [], columns = ["v"], asks = {} } = more;
    const call = { type: "call", id, verb: "groupby", tables, columns, remainingMs, ...asks, ...(affinity === undefined ? {} : { affinity }) } as const;
    return this.tell({ kind: "called", clientId, call, body });
  }

  /** Answers every shard of a task, one block each, and ends it; all the time since it was assigned was work. */
  finish({ workerId, header }: Assigned, partialBytes = 1): Action[] {
    const scanMs = this.nowMs - (this.state.tasks.get(header.taskId)?.startedMs ?? this.nowMs);
    const partials = header.shards.flatMap(({ ordinal }) => this.partial(workerId, header.taskId, ordinal, 1, partialBytes));
    return [...partials, ...this.tell({ kind: "done", workerId, taskId: header.taskId, cost: { ...freeCost, shards: header.shards.length, scanMs } })];
  }

  /** Answers all shards of a task, which follow each other, with one partial, and ends it. */
  finishRun({ workerId, header }: Assigned, partialBytes = 1): Action[] {
    const scanMs = this.nowMs - (this.state.tasks.get(header.taskId)?.startedMs ?? this.nowMs);
    const partial = this.partial(workerId, header.taskId, header.shards[0]!.ordinal, header.shards.length, partialBytes);
    return [...partial, ...this.tell({ kind: "done", workerId, taskId: header.taskId, cost: { ...freeCost, shards: header.shards.length, scanMs } })];
  }

  partial(workerId: string, taskId: string, start: number, size = 1, bytes = 1): Action[] {
    return this.tell({ kind: "partial", workerId, taskId, block: { start, size }, body: [new Uint8Array(bytes).fill(start, 0, 1)] });
  }

  /** A slice of a task's shard; `next` null ends it. */
  slice({ workerId, header }: Assigned, ordinal: number, from: number, next: number | null, rows = 1): Action[] {
    return this.tell({ kind: "slice", workerId, taskId: header.taskId, ordinal, from, next, rows, body: [Uint8Array.of(ordinal)] });
  }

  done({ workerId, header }: Assigned): Action[] {
    return this.tell({ kind: "done", workerId, taskId: header.taskId, cost: freeCost });
  }

  fail(task: Assigned, code: string, more: { retry?: "never" | "same" | "elsewhere"; shard?: string } = {}): Action[] {
    const { retry = "elsewhere", shard = null } = more;
    return this.tell({ kind: "failed", workerId: task.workerId, taskId: task.header.taskId, code, message: `${code} happened`, details: {}, retry, shard });
  }

  /** Lets time pass and says so. */
  wait(ms: number): Action[] {
    this.nowMs += ms;
    return this.tell({ kind: "tick" });
  }

  /** Takes tasks as they are assigned, each finished after `taskMs` and followed by a new offer, until nothing is left. */
  work(actions: readonly Action[], taskMs = 0): Action[] {
    const all = [...actions];
    for (let tasks = assigned(actions); tasks.length > 0;) {
      this.nowMs += taskMs;
      const next = tasks.flatMap((task) => [...this.finish(task), ...this.ready(task.workerId)]);
      all.push(...next);
      tasks = assigned(next);
    }
    return all;
  }
}

/** A task given out. */
export type Assigned = Action & { kind: "assign" };

/** The tasks among actions. */
export function assigned(actions: readonly Action[]): Assigned[] {
  return actions.filter((action) => action.kind === "assign");
}

/** The one task among actions. */
export function oneAssigned(actions: readonly Action[]): Assigned {
  const tasks = assigned(actions);
  expect(tasks, "tasks given out").to.have.length(1);
  return tasks[0]!;
}

/** The names of the shards of a task. */
export function shardNames(header: WorkerReply & { type: "task" }): string[] {
  return header.shards.map(({ name }) => name);
}

/** Final answers among actions. */
export function answers(actions: readonly Action[]): (ClientReply & { type: "result" | "error" })[] {
  return actions.flatMap((action) => (action.kind === "answer" || action.kind === "refuse" ? [action.header] : []));
}

/** The one final answer among actions, which is an error. */
export function oneError(actions: readonly Action[]): ClientReply & { type: "error" } {
  const [answer, ...more] = answers(actions);
  expect(more).to.deep.equal([]);
  if (answer?.type !== "error") throw new Error(`no error but ${JSON.stringify(answer)}`);
  return answer;
}
