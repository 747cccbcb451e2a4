/**
 * Connections to one Redis server, every wait on them bounded; the only file that uses ioredis. A connection that is lost
 * is made again for ever, with pauses that grow and differ by process. Nothing is printed, and no error holds the password.
 */
import { Redis } from "ioredis";
import { randomId } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";
import type { RedisAddress } from "../base/redis-url.js";

/** A server that is asked, and that tells of messages. */
export interface RedisLink {
  /** What a script returns. Throws REGISTRY_UNAVAILABLE, at the latest after `answerMs`. */
  run(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /** Calls `onNews` after every message to the channel, and when messages may have been missed. Returns what ends it. */
  listen(channel: string, onNews: () => void): () => void;
  /** Fails what is under way, and lets go of all connections; takes a moment even if the server is stopped. */
  close(): Promise<void>;
}

const pauseMinMs = 50;
const pauseMaxMs = 2_000;
/** What a connection that is given up has to say goodbye, and a closing link to see all of them go. */
const goodbyeMs = 100;
const closeMs = 1_000;
/** Characters of what a server says that are repeated. */
const replyMax = 200;

/** Connects at the first use. */
export function openRedisLink(address: RedisAddress, answerMs: number): RedisLink {
  const closing = new AbortController();
  const connections = new Set<Redis>();
  /** Why the server cannot be reached at present. */
  let problem: string | undefined;

  function connect(): Redis {
    const redis = openConnection(address, answerMs);
    let isElsewhere = false;
    connections.add(redis);
    redis.on("error", (error: unknown) => {
      problem = messageOf(error);
      // ioredis would go on in database 0.
      isElsewhere = problem.includes("DB index");
      if (isElsewhere) redis.disconnect(true);
    });
    redis.on("ready", () => { if (!isElsewhere) problem = undefined; });
    return redis;
  }

  const asking = connect();
  let listening: Redis | undefined;

  /** A connection without answers may be half open: the next question takes a new one. */
  function giveUp(): void {
    for (const redis of connections) if (redis.status === "ready" || redis.status === "connect") redis.disconnect(true);
  }

  async function run(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    try {
      return await untilClosed(asking.eval(script, keys.length, ...keys, ...args), closing.signal);
    } catch (cause) {
      if (closing.signal.aborted) throw closed();
      const message = messageOf(cause);
      if (isTimeout(message)) giveUp();
      throw explain(address, isLoss(message) ? problem ?? "the connection was lost" : message, answerMs);
    }
  }

  function listen(channel: string, onNews: () => void): () => void {
    const redis = listening ??= connect();
    redis.on("message", onNews);
    // The subscription ends with its connection; what was told between is not told again.
    redis.on("ready", () => { redis.subscribe(channel).then(onNews, () => undefined); });
    redis.on("close", onNews);
    redis.connect().catch(() => undefined);
    return () => {
      redis.off("message", onNews).off("close", onNews);
      connections.delete(redis);
      listening = undefined;
      void end(redis);
    };
  }

  async function close(): Promise<void> {
    closing.abort();
    await Promise.all([...connections].map(end));
  }

  return { run, listen, close };
}

function openConnection({ host, port, db, username, password, isTls }: RedisAddress, answerMs: number): Redis {
  const redis = new Redis({
    host, port, db, lazyConnect: true, protocol: 2, disableClientInfo: true, connectionName: "bqueryd",
    ...(password === undefined ? {} : { password }), ...(username === undefined ? {} : { username }), ...(isTls ? { tls: {} } : {}),
    commandTimeout: answerMs, connectTimeout: answerMs, disconnectTimeout: goodbyeMs, retryStrategy: pauseMs,
    // A server that loads its data says so itself. What was asked on a connection that was lost may have been done.
    enableReadyCheck: false, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false, autoResubscribe: false,
  });
  // Of its own it prints a warning where no password is wanted.
  const credentials = [...(username === undefined ? [] : [username]), ...(password === undefined ? [] : [password])];
  Object.assign(redis, { auth: () => redis.call("auth", ...credentials).catch((cause: unknown) => { throw refusal(messageOf(cause)); }) });
  return redis;
}

function refusal(message: string): BquerydError {
  const isUnwanted = /no password is set|without any password configured|wrong number of arguments/.test(message);
  return new BquerydError("REGISTRY_UNAVAILABLE", isUnwanted ? "WRONGPASS the server has no such user or no password at all" : message);
}

/** Grows to 2 s; processes that lost a server together come back one by one. */
function pauseMs(times: number): number {
  const jitter = Number.parseInt(randomId().slice(0, 4), 16) / 0x1_0000;
  return Math.min(pauseMaxMs, pauseMinMs * 2 ** Math.min(times, 10)) * (0.5 + jitter / 2);
}

/** The same, rejected as soon as the signal is aborted. */
function untilClosed<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => { reject(closed()); };
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => { signal.removeEventListener("abort", onAbort); });
  });
}

/** Ends a connection and waits until it is gone, or a bound: one between two attempts has nothing to tell. */
async function end(redis: Redis): Promise<void> {
  const isOpen = redis.status === "ready" || redis.status === "connect" || redis.status === "connecting";
  const ended = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, closeMs);
    redis.once("end", () => { clearTimeout(timer); resolve(); });
    if (!isOpen) { clearTimeout(timer); resolve(); }
  });
  redis.disconnect();
  await ended;
}

function closed(): BquerydError {
  return new BquerydError("REGISTRY_UNAVAILABLE", "the registry is closed; open it again");
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function isTimeout(message: string): boolean {
  return message.includes("Command timed out");
}

/** Tells the words with which ioredis gives up what was asked on a connection that is gone. */
function isLoss(message: string): boolean {
  return /max retries per request|Connection is closed|Command aborted/.test(message);
}

/** Replies by what they begin with or hold: what is wrong, and what to do. */
const known: readonly (readonly [RegExp, string, string])[] = [
  [/LOADING/, "it is still loading its data", "wait until it has"],
  [/READONLY/, "it is a replica that cannot be written to", "name its primary in redis_url"],
  [/\bOOM\b/, "its memory is full", "raise its maxmemory, or remove what it need not keep"],
  [/WRONGPASS|NOAUTH|invalid password|ERR AUTH/, "it refuses the user or the password of redis_url", "put the right ones there"],
  [/NOPERM/, "the user of redis_url may not do this", "let the user run scripts and use the keys of bqueryd"],
  [/WRONGTYPE|TOOMANY/, "a key of bqueryd is used by something else", "remove it, or give this cluster another name or a database of its own"],
  [/DB index/, "it has no database of that number", "name another in redis_url"],
  [/certificate/, "its certificate is not believed", "name the file with that of its authority in the environment variable NODE_EXTRA_CA_CERTS of every process"],
  [/MISCONF/, "it cannot save its data, and takes no changes", "see its log"],
];

function explain(address: RedisAddress, message: string, answerMs: number): BquerydError {
  if (isTimeout(message)) return unavailable(address, `it did not answer within ${answerMs} ms`, "look whether it is stopped or overloaded");
  const [, problem, advice] = known.find(([pattern]) => pattern.test(message)) ?? [];
  const said = message.replaceAll(/\s+/g, " ").slice(0, replyMax);
  if (problem === undefined || advice === undefined) return unavailable(address, said, "look whether it is up, or correct redis_url");
  return unavailable(address, `${problem}: ${said}`, advice);
}

function unavailable({ host, port }: RedisAddress, problem: string, advice: string): BquerydError {
  return new BquerydError("REGISTRY_UNAVAILABLE", `cannot use the Redis server ${host}:${port} (${problem}); ${advice}`, { details: { host, port } });
}
