/** A connection to one controller that knows when it is dead: heartbeats both ways, silence and disconnection. */
import { monotonicMs } from "../base/clock.js";
import type { BquerydError } from "../base/errors.js";
import { version } from "../base/version.js";
import { connectDealer } from "../wire/dealer.js";
import type { KeyPair } from "../wire/keys.js";
import type { ClientMessage, ClientReply } from "../wire/messages.js";

/** A live connection to a controller. */
export interface Link {
  readonly address: string;
  send(header: ClientMessage, body?: readonly Uint8Array[]): void;
  /** Says goodbye and closes; onLost is not called. */
  close(): Promise<void>;
}

/** Why a controller did not take our key, as far as that can be told. */
export interface Refused {
  readonly error: BquerydError;
  /** Whether it did refuse, and is not merely out of order. */
  readonly isCertain: boolean;
}

/** Whom a link tells. */
export interface LinkOptions {
  readonly address: string;
  readonly clientId: string;
  readonly messageBytesMax: number;
  /** The keys of this client, where it has some. */
  readonly keys?: KeyPair | undefined;
  /** The mark of the cluster in whose registry the address was found. */
  readonly cluster?: string | undefined;
  /** Silence beyond which the controller counts as lost, until its welcome says otherwise. */
  readonly expiryMs: number;
  onReply(header: ClientReply, body: Uint8Array[]): void;
  onMalformed(error: BquerydError): void;
  /** The controller is silent or gone, or, with a refusal, does not take our key; called once, after which the link is closed. */
  onLost(reason: string, refusal?: Refused): void;
}

/** What heartbeats and expiries may be; see their keys in base/config-keys.ts. */
const timesMs = { min: 50, max: 36_000_000 } as const;

function clamp(ms: number): number {
  return Math.min(Math.max(ms, timesMs.min), timesMs.max);
}

/** Opens a link; it counts as lost when the controller does not answer within the expiry time. */
export function openLink(options: LinkOptions): Link {
  let { expiryMs } = options;
  let heardMs = monotonicMs();
  let isOpen = true;
  let doubt: Refused | undefined;
  const dealer = connectDealer({
    address: options.address,
    channel: "client",
    messageBytesMax: options.messageBytesMax,
    keys: options.keys,
    onMessage(header, body) {
      heardMs = monotonicMs();
      if (header.type === "welcome") adopt(header.heartbeatMs, header.expiryMs);
      options.onReply(header, body);
    },
    onMalformed: options.onMalformed,
    onDisconnected: () => { lose("the connection to it ended"); },
    onConnected: () => { doubt = undefined; },
    onRefused: (error, isCertain) => {
      doubt = { error, isCertain };
      if (isCertain) lose("it refused this client");
    },
  });
  let timer = startTimer(Math.min(1_000, expiryMs / 4));
  dealer.send({ type: "hello", clientId: options.clientId, version, ...(options.cluster === undefined ? {} : { cluster: options.cluster }) });

  function startTimer(everyMs: number): NodeJS.Timeout {
    let dueMs = monotonicMs() + everyMs;
    return setInterval(() => {
      const nowMs = monotonicMs();
      // Who was busy for so long has not read its socket: the silence may be its own.
      if (nowMs - dueMs > everyMs) heardMs = nowMs;
      dueMs = nowMs + everyMs;
      if (nowMs - heardMs > expiryMs) lose(`it was silent for ${Math.round(expiryMs / 100) / 10} s`);
      else dealer.send({ type: "heartbeat" });
    }, everyMs);
  }

  /** The times of the controller, within what its configuration allows: any others would keep this process busy, or deaf. */
  function adopt(heartbeatMs: number, welcomedExpiryMs: number): void {
    const everyMs = clamp(heartbeatMs);
    expiryMs = Math.max(clamp(welcomedExpiryMs), 2 * everyMs);
    clearInterval(timer);
    timer = startTimer(everyMs);
  }

  function shut(): Promise<void> {
    isOpen = false;
    clearInterval(timer);
    return dealer.close();
  }

  function lose(reason: string): void {
    if (!isOpen) return;
    void shut();
    options.onLost(reason, doubt);
  }

  return {
    address: options.address,
    send: (header, body) => { dealer.send(header, body); },
    async close() {
      if (!isOpen) return;
      dealer.send({ type: "bye" });
      await shut();
    },
  };
}
