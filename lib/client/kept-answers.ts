/** Finished answers that a client keeps: a question asked again is answered by them where the controller says that its shards are the same. */
import { createHash } from "node:crypto";
import { encodeQuery } from "../engine/query/bytes.js";
import type { Query } from "../engine/query/query.js";
import type { FinishedResult } from "../engine/result/finish-result.js";
import { createValueCache } from "../engine/value-cache.js";
import { digestOf } from "../wire/digest.js";
import type { Question } from "./arguments.js";
import type { Accepted } from "./merging.js";

/** An answer to a question. Its columns are shared with the tables that were made of it. */
export interface KeptAnswer {
  readonly accepted: Accepted;
  /** Of the shards that it was made of; see digestOf. */
  readonly digest: string;
  readonly result: FinishedResult;
}

/** Answers by question, bounded in bytes. */
export interface KeptAnswers {
  /** The key of a question that may be answered by what is kept; null of any other. */
  keyOf(question: Question, asked: Query): string | null;
  find(key: string): KeptAnswer | undefined;
  /** Tells whether it is kept. */
  keep(key: string, answer: Omit<KeptAnswer, "digest">): boolean;
}

/** What a shard takes in the list of those that were read. */
const shardBytes = 256;

/** Keeps answers of at most `limitBytes`; none with 0. */
export function createKeptAnswers(limitBytes: number): KeptAnswers {
  const cache = createValueCache<KeptAnswer>(limitBytes);
  return {
    keyOf({ tables, asks }, asked) {
      // Pinned generations are read, or it is said that they are gone.
      if (limitBytes === 0 || asked.cache !== true || asks.generations !== undefined) return null;
      return createHash("sha256").update(JSON.stringify([tables, asks.missing ?? "", asks.partial ?? ""])).update(encodeQuery(asked)).digest("hex");
    },
    find: (key) => cache.find(key),
    keep: (key, { accepted, result }) => cache.keep(key, { accepted, result, digest: digestOf(accepted.shards) }, shardBytes * accepted.shards.length),
  };
}
