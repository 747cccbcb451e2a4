/** Finished answers that a client keeps: a question asked again is answered by them where the controller says that its shards are the same. */
import { createHash } from "node:crypto";
import { bytesOfArrays } from "../engine/array-bytes.js";
import { encodeQuery } from "../engine/query/bytes.js";
import type { Query } from "../engine/query/query.js";
import type { FinishedResult } from "../engine/result/finish-result.js";
import { createValueCache } from "../engine/value-cache.js";
import { digestOf } from "../wire/digest.js";
import type { Question } from "./arguments.js";
import type { SharedStrings } from "./column-values.js";
import type { Accepted } from "./session.js";

/** An answer to a question. Its columns are shared with the tables that were made of it. */
export interface KeptAnswer {
  readonly kind: "answer";
  readonly accepted: Accepted;
  /** Of the shards that it was made of; see digestOf. */
  readonly digest: string;
  readonly result: FinishedResult;
  /** The strings of its columns, each made by the first of its tables that is asked for them. */
  readonly shared: SharedStrings;
}

/** Answers by question, bounded in bytes with the strings that were made of them. */
export interface KeptAnswers {
  /** The key of a question that may be answered by what is kept; null of any other. */
  keyOf(question: Question, asked: Query): string | null;
  find(key: string): KeptAnswer | undefined;
  /** The strings of the answer if it is kept, else null. */
  keep(key: string, answer: Pick<KeptAnswer, "accepted" | "result">): SharedStrings | null;
}

/** The strings of a column. They are an entry of their own, so that an answer is kept whether or not there is room for them, too. */
interface MadeStrings {
  readonly kind: "strings";
  readonly strings: readonly string[];
}

/** What a shard takes in the list of those that were read. */
const shardBytes = 256;
/** What a string takes besides its characters, with its place in an array. */
const stringBytes = 40;
const characterBytesMax = 2;

/** Keeps answers of at most `limitBytes`; none with 0. */
export function createKeptAnswers(limitBytes: number): KeptAnswers {
  const cache = createValueCache<KeptAnswer | MadeStrings>(limitBytes, bytesOf);
  function stringsOf(key: string): SharedStrings {
    return (column, make) => {
      const found = cache.find(`${key} ${column}`);
      if (found?.kind === "strings") return found.strings;
      const strings = make();
      cache.keep(`${key} ${column}`, { kind: "strings", strings });
      return strings;
    };
  }
  return {
    keyOf({ tables, asks }, asked) {
      // Pinned generations are read, or it is said that they are gone.
      if (limitBytes === 0 || asked.cache !== true || asks.generations !== undefined) return null;
      return createHash("sha256").update(JSON.stringify([tables, asks.missing ?? "", asks.partial ?? ""])).update(encodeQuery(asked)).digest("hex");
    },
    find(key) {
      const found = cache.find(key);
      return found?.kind === "answer" ? found : undefined;
    },
    keep(key, { accepted, result }) {
      const digest = digestOf(accepted.shards);
      // With the shards, since tables of an earlier answer to the question may still be there.
      const shared = stringsOf(`${key} ${digest}`);
      return cache.keep(key, { kind: "answer", accepted, digest, result, shared }) ? shared : null;
    },
  };
}

function bytesOf(kept: KeptAnswer | MadeStrings): number {
  if (kept.kind === "answer") return bytesOfArrays(kept) + shardBytes * kept.accepted.shards.length;
  return kept.strings.reduce((sum, { length }) => sum + stringBytes + characterBytesMax * length, 0);
}
