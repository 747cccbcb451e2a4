/** Random operations through an object store over an S3 server with random faults, compared with a model of what is kept. */
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs, seededRandom, type Random } from "../../../lib/base/clock.js";
import { BquerydError } from "../../../lib/base/errors.js";
import { compareBytes } from "../../../lib/objects/keys.js";
import type { ObjectStore } from "../../../lib/objects/objects.js";
import { bytesSource } from "../../../lib/objects/sources.js";
import { oneOf, whole } from "../random/draw.js";
import type { Fault } from "./faults.js";
import { setStage, smallLimits, type Stage } from "./stage.js";

/** What runs found: figures, and the first miss. */
export interface S3RunsReport {
  readonly failed: number;
  readonly faults: number;
  readonly requests: number;
  readonly failure: string | undefined;
}

const keys = ["a", "a b/c", "t/1", "t/2", "ü+%/x", "t.x"];
const sizes = [0, 1, 100, 4_096, 4_097, 9_000, 20_000];
/** Operations on one server. */
const roundOperations = 100;
const limits = { ...smallLimits, attemptsMax: 3, silenceMs: 100 };

/**
 * What a key may hold: the contents that a reader may find, undefined for none. More than one after a failure, until a
 * reader finds which.
 */
type Model = Map<string, readonly (Uint8Array | undefined)[]>;

/** Does so many operations, a hundred on one server each. */
export async function runS3({ count, seed }: { readonly count: number; readonly seed: number }): Promise<S3RunsReport> {
  const random = seededRandom(seed);
  let [failed, faults, requests] = [0, 0, 0];
  for (let done = 0; done < count; done += roundOperations) {
    const stage = await setStage({ limits });
    const model: Model = new Map(keys.map((key) => [key, [undefined]]));
    const rate = oneOf(random, [0, 0.05, 0.2, 0.5]);
    // A wrong answer without a checksum is for its reader to find, as of a part, and of an object that was sent in parts.
    stage.server.play((request) => {
      if (random() >= rate) return undefined;
      faults++;
      const checksums = [...stage.server.buckets.get(request.bucket)?.objects.get(request.key)?.checksums.values() ?? []];
      return drawFault(random, request.headers["x-amz-checksum-mode"] === "ENABLED" && checksums.some((checksum) => !checksum.includes("-")));
    });
    try {
      for (let at = done; at < Math.min(done + roundOperations, count); at++) {
        try {
          await operate(stage.store, model, random);
        } catch (cause) {
          if (!isHonest(cause)) throw new Error(`operation ${at}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
          failed++;
        }
      }
      await checkEnd(stage, model);
    } catch (cause) {
      return { failed, faults, requests, failure: cause instanceof Error ? cause.message : String(cause) };
    } finally {
      requests += stage.server.requests.length;
      await stage.close();
    }
  }
  return { failed, faults, requests, failure: undefined };
}

function drawFault(random: Random, isChecked: boolean): Fault {
  const faults: readonly Fault[] = [
    { kind: "refuse", code: "SlowDown", status: 503 }, { kind: "refuse", code: "InternalError", status: 500 }, { kind: "refuse", code: "AccessDenied", status: 403 },
    { kind: "refuse", code: "ExpiredToken", status: 400 }, { kind: "reset" }, { kind: "lost" }, { kind: "spoil" }, { kind: "cut" }, { kind: "slow", ms: 5 },
  ];
  const rare: readonly Fault[] = [{ kind: "stall" }, ...(isChecked ? [{ kind: "wrongBytes" }, { kind: "wrongLength" }, { kind: "wrongChecksum" }] as const : [])];
  return random() < 0.1 ? oneOf(random, rare) : oneOf(random, faults);
}

/** Failures of the store that a fault may lead to. */
function isHonest(cause: unknown): boolean {
  return cause instanceof BquerydError && (cause.code === "OBJECT_STORE" || (cause.code === "CONFIG" && /AccessDenied|ExpiredToken|do not have the right|expired/.test(cause.message)));
}

async function operate(store: ObjectStore, model: Model, random: Random): Promise<void> {
  const key = oneOf(random, keys);
  const verb = oneOf(random, ["write", "write", "new", "read", "read", "range", "head", "list", "remove"] as const);
  switch (verb) {
    case "write": case "new": return write(store, model, { key, onlyNew: verb === "new", bytes: oneOf(random, sizes), seed: whole(random, 0, 2 ** 31) });
    case "read": return read(store, model, key);
    case "range": return readRange(store, model, key, random);
    case "head": return settle(model, key, (await store.head(key))?.bytes);
    case "list": return list(store, model);
    case "remove": {
      const before = model.get(key)!;
      model.set(key, [...before, undefined]);
      await store.remove(key);
      model.set(key, [undefined]);
    }
  }
}

async function write(store: ObjectStore, model: Model, { key, onlyNew, bytes, seed }: { key: string; onlyNew: boolean; bytes: number; seed: number }): Promise<void> {
  const random = seededRandom(seed);
  const content = Uint8Array.from({ length: bytes }, () => random() * 256);
  const before = model.get(key)!;
  // Until it is answered nobody knows; after a failure it may have been done all the same.
  model.set(key, [...before, content]);
  const outcome = await store.write(key, bytesSource(content), { onlyNew });
  if (outcome === "written" && onlyNew && !before.includes(undefined)) throw new Error(`${key} was there, and was written all the same`);
  const there = before.filter((known) => known !== undefined);
  if (outcome === "exists" && there.length === 0) throw new Error(`${key} was not there, and is told to exist`);
  model.set(key, outcome === "written" ? [content] : there);
}

async function read(store: ObjectStore, model: Model, key: string): Promise<void> {
  const found = await contentOf(store, key);
  const known = model.get(key)!.filter((content) => isSame(content, found));
  if (known.length === 0) throw new Error(`${key} holds ${found?.length ?? "no"} bytes that nobody wrote, or no longer should`);
  model.set(key, known.slice(0, 1));
}

async function readRange(store: ObjectStore, model: Model, key: string, random: Random): Promise<void> {
  const facts = await store.head(key);
  settle(model, key, facts?.bytes);
  if (facts === undefined) return;
  const start = whole(random, 0, facts.bytes);
  const end = whole(random, start, facts.bytes);
  const found = await contentOf(store, key, { start, end, etag: facts.etag });
  if (!model.get(key)!.some((content) => isSame(content?.subarray(start, end), found))) throw new Error(`bytes ${start} to ${end} of ${key} are wrong`);
}

async function list(store: ObjectStore, model: Model): Promise<void> {
  const found = new Map<string, number>();
  for await (const { key, bytes } of store.list("")) found.set(key, bytes);
  const order = [...found.keys()];
  if ([...order].sort(compareBytes).join("\n") !== order.join("\n")) throw new Error(`the list is not in order: ${order.join(", ")}`);
  if (order.some((key) => !model.has(key))) throw new Error(`the list has a key that nobody wrote: ${order.join(", ")}`);
  for (const key of model.keys()) settle(model, key, found.get(key));
}

/** Leaves of what a key may hold what has so many bytes. */
function settle(model: Model, key: string, bytes: number | undefined): void {
  const known = model.get(key)!.filter((content) => content?.length === bytes);
  if (known.length === 0) throw new Error(`${key} has ${bytes ?? "no"} bytes, which nobody wrote, or no longer should`);
  model.set(key, known);
}

async function contentOf(store: ObjectStore, key: string, options: { start?: number; end?: number; etag?: string } = {}): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of store.read(key, options)) pieces.push(piece);
  } catch (cause) {
    if (cause instanceof BquerydError && cause.code === "NOT_FOUND") return undefined;
    throw cause;
  }
  return Buffer.concat(pieces);
}

function isSame(left: Uint8Array | undefined, right: Uint8Array | undefined): boolean {
  return left === undefined || right === undefined ? left === right : Buffer.compare(left, right) === 0;
}

/** Without faults everything is as the model says, and closing the store closes every socket. */
async function checkEnd({ store, server }: Stage, model: Model): Promise<void> {
  server.play(undefined);
  for (const key of keys) await read(store, model, key);
  await list(store, model);
  await store.close();
  const endMs = monotonicMs() + 5_000;
  while (server.openSockets() > 0 && monotonicMs() < endMs) await delay(5);
  if (server.openSockets() > 0) throw new Error(`${server.openSockets()} sockets are open after the store was closed`);
}
