/**
 * A downloader or a mover as the cluster knows it: registered with every controller, told to end or how much to log, and
 * heard of with every heartbeat, which says what it is at. Its work is in the registry; controllers give it none.
 */
import { boundLog } from "../base/bounded-log.js";
import { monotonicMs, randomId } from "../base/clock.js";
import type { Config } from "../base/config.js";
import { unreachable } from "../base/errors.js";
import { limits } from "../base/limits.js";
import type { Log } from "../base/log.js";
import type { Registry } from "../registry/registry.js";
import { shortAddress } from "../wire/addresses.js";
import { findKeys } from "../wire/key-file.js";
import type { ProcessRole, WorkerMessage, WorkerReply } from "../wire/messages.js";
import { openLinks, type Links } from "./links.js";
import { registration, standingOf, type Standing } from "./registration.js";

/** What being known takes. The registry and the log stay the caller's. */
export interface PresenceOptions {
  readonly config: Config;
  readonly log: Log;
  readonly registry: Registry;
  readonly role: Exclude<ProcessRole, "worker">;
  /** What the process is at, in a few words such as `taxi-3.bcolzs 41 %`; null while it waits. Asked at every heartbeat. */
  describeDoing(): string | null;
  /** Somebody asks it to end, with killall for one; called once. The presence goes on until it is closed. */
  onShutdown(reason: string): void;
}

/** A process that is known to controllers until it is closed. */
export interface Presence {
  /** Under which they list it. */
  readonly id: string;
  /** Whether some controller has taken its registration, and is heard of. */
  isConnected(): boolean;
  /** Says goodbye for this reason and disconnects. Never throws; a second call waits for the first. */
  close(reason: string): Promise<void>;
}

/** Registers with the controllers there are and with those that come. Throws CONFIG for keys that cannot be read, and for addresses that are none. */
export async function openPresence(options: PresenceOptions): Promise<Presence> {
  const member = new Member(options);
  await member.open();
  return { id: member.id, isConnected: () => member.isConnected(), close: (reason) => member.close(reason) };
}

class Member {
  readonly id = randomId();
  readonly #options: PresenceOptions;
  readonly #log: Log;
  readonly #standing: Standing;
  /** When each controller was heard last, by its link. */
  readonly #heardMs = new Map<string, number>();
  /** Links of the controllers that took the registration. */
  readonly #welcome = new Set<string>();
  #links: Links | undefined;
  #beats: NodeJS.Timeout | undefined;
  #isToldToEnd = false;
  #closing: Promise<void> | undefined;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#log = boundLog(options.log, monotonicMs);
    this.#standing = standingOf(options.config, { workerId: this.id, startedMs: monotonicMs() });
  }

  async open(): Promise<void> {
    const { config: { controllers, messageBytesMax, keyFile, expiryMs, heartbeatMs }, registry } = this.#options;
    this.#links = await openLinks({
      registry, controllers, messageBytesMax, keys: findKeys(keyFile), refreshMs: expiryMs, log: this.#log,
      onLinked: (link) => { this.#register(link); },
      onUnlinked: (link) => { this.#forget(link); },
      onMessage: (link, header) => { this.#receive(link, header); },
    });
    this.#beats = setInterval(() => { this.#beat(); }, heartbeatMs);
  }

  isConnected(): boolean {
    return this.#welcome.size > 0;
  }

  close(reason: string): Promise<void> {
    return this.#closing ??= this.#leave(reason);
  }

  async #leave(reason: string): Promise<void> {
    clearInterval(this.#beats);
    for (const link of this.#heardMs.keys()) this.#send(link, { type: "bye", reason });
    await this.#links?.close();
    this.#heardMs.clear();
    this.#welcome.clear();
  }

  #register(link: string): void {
    this.#heardMs.set(link, monotonicMs());
    this.#send(link, registration(this.#standing, { role: this.#options.role, holdings: [], nowMs: monotonicMs() }));
  }

  #forget(link: string): void {
    this.#heardMs.delete(link);
    this.#welcome.delete(link);
  }

  #receive(link: string, header: WorkerReply): void {
    if (!this.#heardMs.has(link)) return; // Sent before the connection broke.
    this.#heardMs.set(link, monotonicMs());
    switch (header.type) {
      case "welcome": this.#onWelcome(link, header); break;
      case "heartbeat": if (!header.known) this.#register(link); break;
      case "setLogLevel": this.#log.setLevel(header.level); break;
      case "shutdown": this.#onShutdown(header.reason); break;
      case "refused": this.#welcome.delete(link); break; // The links log it; the next heartbeat asks to register again.
      case "task": case "errand": case "cancelTask": case "look": break; // None of them is for this role.
      default: unreachable(header);
    }
  }

  #onWelcome(link: string, { controllerId, node }: WorkerReply & { type: "welcome" }): void {
    const { role } = this.#options;
    this.#welcome.add(link);
    this.#log.info({ event: `${role}.registered`, [role]: this.id, controller: controllerId, address: shortAddress(link), node });
    this.#send(link, this.#heartbeat());
  }

  #onShutdown(reason: string): void {
    if (this.#isToldToEnd) return; // By another controller as well.
    this.#isToldToEnd = true;
    this.#options.onShutdown(reason);
  }

  #beat(): void {
    const heartbeat = this.#heartbeat();
    for (const [link, heardMs] of [...this.#heardMs]) {
      if (monotonicMs() - heardMs < this.#options.config.expiryMs) this.#send(link, heartbeat);
      else {
        this.#forget(link);
        void this.#links?.reconnect(link);
      }
    }
  }

  #heartbeat(): WorkerMessage {
    const doing = this.#options.describeDoing();
    return { type: "heartbeat", ...(doing === null ? {} : { doing: doing.slice(0, limits.doingMax) }) };
  }

  #send(link: string, header: WorkerMessage): void {
    this.#links?.send(link, header, []);
  }
}
