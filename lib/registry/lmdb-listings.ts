/**
 * Listings that end, in an LMDB database: by id a record as JSON, when its time is over, and the process behind it, whose end
 * ends the listing at once. Writes are part of the transaction they are called in.
 */
import { isDeepStrictEqual } from "node:util";
import { Type, TypeCompiler, type TSchema } from "../base/typebox.js";
import type { RootDatabase } from "lmdb";
import { wallMs } from "../base/clock.js";
import { foreign, NodeSchema, parseJson, RecordSchema } from "./entries.js";
import { rangeOf } from "./lmdb-range.js";
import { hasEnded, markOfProcess, type ProcessMark } from "./process-mark.js";

/** A record that is listed. */
export interface Listed<T> {
  readonly record: T;
  /** By the wall clock of the one machine. A clock set back lengthens listings, one set forward ends them early. */
  readonly expiresMs: number;
  readonly process: ProcessMark | null;
}

/** The listings of one kind. */
export interface Listings<T> {
  /** Those whose time is not over and whose process runs, in no order. */
  live(): Listed<T>[];
  /** Lists a record for so long, and drops those that have ended. Tells whether it was not live, or another one, before. */
  put(record: T, ttlMs: number): boolean;
  /** Tells whether there was one. */
  remove(id: string): boolean;
}

/** How listings of controllers are told from anything else. */
export const checkController = TypeCompiler.Compile(listedOf(RecordSchema));
/** The same for nodes. */
export const checkNode = TypeCompiler.Compile(listedOf(NodeSchema));

/** The listings under the keys that begin with `prefix`. */
export function keepListings<T extends { readonly id: string; readonly pid: number }>(database: () => RootDatabase<string, string>, prefix: string, check: { Check(value: unknown): value is Listed<T> }): Listings<T> {
  function read(): Listed<T>[] {
    return [...rangeOf(database(), prefix)].map(({ key, value }) => {
      const entry = parseJson(value);
      if (check.Check(entry)) return entry;
      throw foreign(key);
    });
  }
  return {
    live: () => read().filter(isLive),
    put(record, ttlMs) {
      const before = read().filter((one) => {
        if (isLive(one)) return true;
        database().removeSync(prefix + one.record.id);
        return false;
      });
      const entry: Listed<T> = { record, expiresMs: wallMs() + ttlMs, process: markOfProcess(record.pid) };
      database().putSync(prefix + record.id, JSON.stringify(entry));
      return !before.some((one) => isDeepStrictEqual(one.record, record));
    },
    remove: (id) => database().removeSync(prefix + id),
  };
}

/** Tells whether the time of a listing is not over and its process runs. */
export function isLive(entry: Listed<unknown>): boolean {
  return isListed(entry) && (entry.process === null || !hasEnded(entry.process));
}

/** Tells whether the time of a listing is not over. */
export function isListed({ expiresMs }: Listed<unknown>): boolean {
  return expiresMs > wallMs();
}

function listedOf<T extends TSchema>(record: T) {
  return Type.Object({
    record, expiresMs: Type.Number(),
    process: Type.Union([Type.Null(), Type.Object({ pid: Type.Integer(), startTicks: Type.String(), pidNamespace: Type.String() })]),
  });
}
