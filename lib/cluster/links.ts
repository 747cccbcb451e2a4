/** The connections of a worker, downloader or mover to controllers: one to each that the registry lists or the configuration names. */
import { monotonicMs } from "../base/clock.js";
import { toBquerydError } from "../base/errors.js";
import type { Log } from "../base/log.js";
import type { Registry } from "../registry/registry.js";
import { shortAddress } from "../wire/addresses.js";
import { connectDealer, type Dealer } from "../wire/dealer.js";
import { createIntroduction } from "../wire/introduction.js";
import type { KeyPair } from "../wire/keys.js";
import { countMalformed, createMalformedCounts, type MalformedCounts } from "../wire/malformed.js";
import type { WorkerMessage, WorkerReply } from "../wire/messages.js";

/** The open connections. A link is named by the address of its controller. */
export interface Links {
  /** Sends on a link; what is sent on one that is gone is dropped. Throws MEMORY_LIMIT for a message that is too large. */
  send(link: string, header: WorkerMessage, body: readonly Uint8Array[]): void;
  /** Gives up a connection that has fallen silent, and makes a new one while the controller is still listed. */
  reconnect(link: string): Promise<void>;
  /** Whether the registry could be read when it was last tried; true where it is not used. */
  isRegistryUp(): boolean;
  /** Messages that were none of the protocol. */
  malformedCount(): number;
  /** Closes every connection after what was sent, within the bounds of the sockets. */
  close(): Promise<void>;
}

/** Where controllers come from, and who is told of what they say. */
export interface LinksOptions {
  readonly registry: Registry;
  /** Addresses that are used instead of the registry's, when there are any. */
  readonly controllers: readonly string[];
  readonly messageBytesMax: number;
  /** The keys of this process, where it has some. */
  readonly keys?: KeyPair | undefined;
  /** How often the registry is read even though nothing told of a change: a record can also run out. */
  readonly refreshMs: number;
  readonly log: Log;
  /** A connection stands, for the first time or again. */
  readonly onLinked: (link: string) => void;
  readonly onUnlinked: (link: string) => void;
  readonly onMessage: (link: string, header: WorkerReply, body: readonly Uint8Array[]) => void;
}

interface Connection {
  readonly dealer: Dealer<"worker">;
  isUp: boolean;
}

/** Connects to the controllers there are now, and to those that come, until closed. Throws CONFIG for what is no address. */
export async function openLinks(options: LinksOptions): Promise<Links> {
  const { registry, controllers, refreshMs, log } = options;
  const connections = new Map<string, Connection>();
  const malformed = createMalformedCounts();
  let listed: ReadonlySet<string> = new Set(controllers);
  let closed = false;

  function connect(link: string): void {
    const connection: Connection = { isUp: false, dealer: openDealer(options, malformed, link, { onConnected, onDisconnected, onRefused }) };
    connections.set(link, connection);
    function onConnected(): void {
      if (connections.get(link) !== connection) return;
      connection.isUp = true;
      options.onLinked(link);
    }
    function onRefused(): void {
      if (!listed.has(link)) onDisconnected(); // By who has the address of a controller that is gone.
    }
    function onDisconnected(): void {
      if (connections.get(link) !== connection || !connection.isUp) return;
      connection.isUp = false;
      options.onUnlinked(link);
      if (!listed.has(link)) void disconnect(link);
    }
  }

  async function disconnect(link: string): Promise<void> {
    const connection = connections.get(link);
    connections.delete(link);
    await connection?.dealer.close();
  }

  /** A controller that is no longer listed but still talks to us is kept until it falls silent. */
  async function follow(): Promise<void> {
    if (closed) return;
    for (const link of listed) if (!connections.has(link)) connect(link);
    const gone = [...connections].filter(([link, { isUp }]) => !isUp && !listed.has(link));
    await Promise.all(gone.map(([link]) => disconnect(link)));
  }

  const following = controllers.length > 0 ? { isUp: () => true, stop: () => Promise.resolve() } : followRegistry(registry, refreshMs, log, (addresses) => {
    listed = new Set(addresses.filter((address) => canMeet(options, malformed, address)));
    return follow();
  });
  async function close(): Promise<void> {
    closed = true;
    await following.stop();
    await Promise.all([...connections.keys()].map(disconnect));
  }

  try {
    await follow();
  } catch (cause) {
    await close();
    throw cause;
  }
  return {
    send(link, header, body) {
      const connection = connections.get(link);
      if (connection?.isUp === true) connection.dealer.send(header, body);
    },
    isRegistryUp: following.isUp,
    malformedCount: () => malformed.total,
    async reconnect(link) {
      await disconnect(link);
      await follow();
    },
    close,
  };
}

function openDealer(
  { messageBytesMax, keys, log, onMessage }: LinksOptions, malformed: MalformedCounts, address: string,
  { onRefused, ...listeners }: { onConnected(): void; onDisconnected(): void; onRefused(): void },
): Dealer<"worker"> {
  return connectDealer({
    address, channel: "worker", messageBytesMax, keys, ...listeners,
    onMessage: (header, body) => {
      if (header.type === "refused") noteRefused(log, malformed, address, header.reason);
      onMessage(address, header, body);
      if (header.type === "refused") onRefused();
    },
    onRefused: ({ message }) => { noteRefused(log, malformed, address, message); },
    onMalformed: ({ code, message }) => {
      const count = countMalformed(malformed, address, monotonicMs());
      if (count > 0) log.warn({ event: "peer.malformed", address, code, message, count });
    },
  });
}

/** Tells whether this process can talk to a controller of the registry at all: one with keys keeps it not from the others. */
function canMeet({ keys, log }: LinksOptions, malformed: MalformedCounts, address: string): boolean {
  try {
    createIntroduction(address, keys);
    return true;
  } catch (cause) {
    noteRefused(log, malformed, address, toBquerydError(cause).message);
    return false;
  }
}

/** The controller is tried again and again: somebody may add the key to its list. */
function noteRefused(log: Log, counts: MalformedCounts, address: string, reason: string): void {
  const count = countMalformed(counts, `${address} refused`, monotonicMs());
  if (count > 0) log.warn({ event: "peer.refused", address: shortAddress(address), reason, count });
}

/** Tells the addresses of the listed controllers now, on every change and now and then, until stopped. */
function followRegistry(registry: Registry, refreshMs: number, log: Log, onList: (addresses: string[]) => Promise<void>): { isUp(): boolean; stop(): Promise<void> } {
  let isLost = false;
  let reading = Promise.resolve();
  async function read(): Promise<void> {
    try {
      const records = await registry.controllers();
      if (isLost) log.info({ event: "registry.restored" });
      isLost = false;
      await onList(records.map(({ address }) => address));
    } catch (cause) {
      // The controllers known so far go on being used.
      const { code, message } = toBquerydError(cause, "read the registry");
      if (!isLost) log.warn({ event: "registry.lost", code, message });
      isLost = true;
    }
  }
  function refresh(): void {
    reading = reading.then(read);
  }
  const stopWatching = registry.watch(refresh);
  const timer = setInterval(refresh, refreshMs);
  refresh();
  return {
    isUp: () => !isLost,
    async stop() {
      stopWatching();
      clearInterval(timer);
      await reading;
    },
  };
}
