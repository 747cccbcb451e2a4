/** Slices of rows, which come shard by shard in any order, in the order of shards. */
import { BquerydError } from "../base/errors.js";
import type { Rows } from "../engine/rows/rows.js";
import { decodeRows } from "../engine/rows/slice-bytes.js";
import type { Accepted, News } from "./session.js";

/** Takes rows in order. */
export interface RowSink {
  rows(rows: Rows): void;
  /** A shard ends here; one that is left out is void with all its rows. */
  end(isLeftOut: boolean): void;
}

/** Puts slices in order. */
export interface SliceOrder {
  /** Throws BAD_MESSAGE for what does not follow what came before. */
  take(reply: Extract<News, { type: "slice" | "leftOut" }>, body: readonly Uint8Array[]): void;
  /** Shards that have ended, from the first on. */
  readonly ended: number;
}

interface Shard {
  readonly waiting: Rows[];
  /** Where its next slice starts; null when there is none. */
  next: number | null;
  isLeftOut: boolean;
}

/** The order of the slices of one attempt at a call. */
export function createSliceOrder({ shards }: Accepted, columnCount: number, sink: RowSink): SliceOrder {
  const open = new Map<number, Shard>();
  let ended = 0;

  function openShard(ordinal: number): Shard {
    const shard = open.get(ordinal) ?? { waiting: [], next: 0, isLeftOut: false };
    if (ordinal < ended || ordinal >= shards.length || shard.next === null) throw outOfPlace(ordinal);
    open.set(ordinal, shard);
    return shard;
  }

  function passOn(): void {
    for (let head = open.get(ended); head !== undefined; head = open.get(ended)) {
      for (const rows of head.waiting.splice(0)) sink.rows(rows);
      if (head.next !== null) return;
      sink.end(head.isLeftOut);
      open.delete(ended);
      ended += 1;
    }
  }

  return {
    get ended() { return ended; },
    take(reply, [bytes]) {
      const shard = openShard(reply.ordinal);
      if (reply.type === "leftOut") Object.assign(shard, { next: null, isLeftOut: true });
      else {
        if (reply.from !== shard.next || bytes === undefined) throw outOfPlace(reply.ordinal);
        shard.waiting.push(decodeRows(bytes, reply.rows, columnCount));
        shard.next = reply.next;
      }
      passOn();
    },
  };
}

function outOfPlace(ordinal: number): BquerydError {
  return new BquerydError("BAD_MESSAGE", `rows of shard ${ordinal} came twice, or with a gap; ask again`);
}
