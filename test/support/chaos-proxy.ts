/** A small TCP proxy between processes, whose connections can be made to go wrong as those of real networks do. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/**
 * What becomes of bytes. `pass`: they go on. `delay`: each piece waits first, and keeps its place. `trickle`: they go on
 * in small pieces. `swallow-to`, `swallow-from`: the way to the target, or back, takes bytes and loses them. `freeze`:
 * neither way takes any.
 */
export type ProxyMode = "pass" | "delay" | "trickle" | "swallow-to" | "swallow-from" | "freeze";

/** A proxy that listens until it is closed. */
export interface ChaosProxy {
  /** Where to connect in place of the target: `tcp://127.0.0.1:40001`. */
  readonly address: string;
  /** Connections that are open. */
  readonly connections: number;
  /** What becomes of bytes from now on. After one that loses bytes, connections that it was done to are of no use any more: cut them. */
  setMode(mode: ProxyMode): void;
  /** Whether new connections are ended at once. */
  setRefusing(isRefusing: boolean): void;
  /** Ends every connection without a word. */
  cut(): void;
  close(): Promise<void>;
}

const delayMs = 200;
const trickle = { bytes: 256, everyMs: 20 } as const;
/** How often a way that takes nothing looks whether it may. */
const lookMs = 20;

/** A proxy before `tcp://127.0.0.1:PORT`, which may be there now or later. */
export async function startChaosProxy(target: string): Promise<ChaosProxy> {
  const { hostname: host, port } = new URL(target);
  const pairs = new Set<readonly [Socket, Socket]>();
  let mode: ProxyMode = "pass";
  let isRefusing = false;

  function take(near: Socket): void {
    if (isRefusing) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ port: Number(port), host });
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
    void carry(near, far, "swallow-to");
    void carry(far, near, "swallow-from");
  }

  /** Bytes of one way, each piece as the mode is when it comes. */
  async function carry(from: Socket, to: Socket, swallowing: ProxyMode): Promise<void> {
    try {
      for await (const piece of from) {
        while (mode === "freeze" && !to.destroyed) await delay(lookMs);
        if (mode === "delay") await delay(delayMs);
        if (mode !== swallowing) await write(to, piece as Buffer);
      }
    } catch {
      // A connection that breaks is what this is for: its end closes the other one too.
    }
    to.destroy();
  }

  async function write(to: Socket, bytes: Buffer): Promise<void> {
    let at = 0;
    while (mode === "trickle" && at < bytes.length && !to.destroyed) {
      await push(to, bytes.subarray(at, at += trickle.bytes));
      await delay(trickle.everyMs);
    }
    if (at < bytes.length) await push(to, bytes.subarray(at));
  }

  const server = createServer(take);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  function cut(): void {
    for (const pair of [...pairs]) for (const socket of pair) socket.resetAndDestroy();
  }
  return {
    address: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connections() { return pairs.size; },
    setMode(next) { mode = next; },
    setRefusing(next) { isRefusing = next; },
    cut,
    async close() {
      mode = "pass";
      cut();
      await new Promise<void>((resolve) => { server.close(() => { resolve(); }); });
    },
  };
}

/** Resolves when there is room for more, or the socket is closed. */
async function push(to: Socket, bytes: Uint8Array): Promise<void> {
  if (to.destroyed || to.write(bytes)) return;
  await new Promise<void>((resolve) => {
    function done(): void {
      to.off("drain", done);
      to.off("close", done);
      resolve();
    }
    to.on("drain", done);
    to.on("close", done);
  });
}
