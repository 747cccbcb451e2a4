/** A controller that does only what a test tells it to, for tests of a worker. */
import { randomId } from "../../lib/base/clock.js";
import type { Incoming, Router } from "../../lib/wire/router.js";
import { bindRouter } from "../../lib/wire/router.js";
import type { WorkerMessage, WorkerReply } from "../../lib/wire/messages.js";
import { until } from "./until.js";

/** The double, and what one worker said to it. */
export interface ControllerDouble {
  readonly address: string;
  /** Everything but heartbeats, oldest first. */
  readonly messages: readonly { readonly header: WorkerMessage; readonly body: readonly Uint8Array[] }[];
  /** Heartbeats heard so far; each is answered unless `isSilent`. */
  readonly heartbeats: number;
  isSilent: boolean;
  /** Sends to the worker that spoke last. */
  send(header: WorkerReply, body?: Uint8Array[]): void;
  /** The first message of that type that has not been taken yet, once there is one. */
  take<T extends WorkerMessage["type"]>(type: T): Promise<WorkerMessage & { type: T }>;
  close(): Promise<void>;
}

/** A double that welcomes a worker and waits. */
export async function startControllerDouble(port = 0): Promise<ControllerDouble> {
  const messages: { header: WorkerMessage; body: readonly Uint8Array[] }[] = [];
  const taken = new Set<WorkerMessage>();
  let heartbeats = 0;
  let worker = "";

  function onMessage(peer: string, { channel, header, body }: Incoming): void {
    if (channel !== "worker") return;
    worker = peer;
    if (header.type === "heartbeat") onHeartbeat();
    else messages.push({ header, body });
    if (header.type === "register") send({ type: "welcome", controllerId: randomId(), node: "n", version: "0", heartbeatMs: 50, expiryMs: 500 });
  }

  function onHeartbeat(): void {
    heartbeats++;
    if (!double.isSilent) send({ type: "heartbeat", known: true });
  }

  function send(header: WorkerReply, body: Uint8Array[] = []): void {
    router.send(worker, "worker", header, body);
  }

  const router: Router = await bindRouter({
    bind: "127.0.0.1", port, messageBytesMax: 64 * 1024 * 1024, onMessage,
    onUnreachable: () => undefined, onMalformed: (_peer, error) => { throw error; },
  });
  const double: ControllerDouble = {
    address: router.address, messages, isSilent: false, send,
    get heartbeats() { return heartbeats; },
    async take(type) {
      const find = () => messages.map(({ header }) => header).find((header) => isOfType(header, type) && !taken.has(header));
      await until(`the worker says ${type}`, () => find() !== undefined);
      const header = find();
      if (header === undefined || !isOfType(header, type)) throw new Error(`no ${type}`);
      taken.add(header);
      return header;
    },
    close: () => router.close(),
  };
  return double;
}

function isOfType<T extends WorkerMessage["type"]>(header: WorkerMessage, type: T): header is WorkerMessage & { type: T } {
  return header.type === type;
}
