/** Redis servers of the tests: each of its own, on a port of its own, without anything on disk. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./until.js";

/** A server that can be told to fail. */
export interface RedisServer {
  readonly port: number;
  /** `redis://127.0.0.1:PORT/0` */
  readonly url: string;
  /** The reply to a command as it comes over the wire: `+OK`. */
  ask(...words: string[]): Promise<string>;
  /** Stops it with SIGSTOP; connections stay open and nothing is answered. */
  freeze(): void;
  thaw(): void;
  /** Kills it with SIGKILL: it forgets everything. */
  kill(): Promise<void>;
  /** Starts it again on the same port, empty. */
  start(): Promise<void>;
  /** Kills it and removes its folder. */
  remove(): Promise<void>;
}

/** Starts a server; `settings` are those of its command line: `["--requirepass", "x"]`. */
export async function startRedis(settings: readonly string[] = []): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "bqueryd-redis-"));
  const port = await findFreePort();
  let server: ChildProcess | undefined;

  async function start(): Promise<void> {
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no", ...settings];
    const child = server = spawn("redis-server", args, { stdio: "ignore" });
    child.once("error", () => { server = undefined; });
    await until("redis-server listens", async () => {
      if (server === undefined || child.exitCode !== null) throw new Error(`redis-server ${args.join(" ")} did not start`);
      return (await ask("PING").catch(() => "")) !== "";
    }, 10_000);
  }

  async function kill(): Promise<void> {
    const child = server;
    server = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  function ask(...words: string[]): Promise<string> {
    return askServer(port, words);
  }

  await start();
  return {
    port, url: `redis://127.0.0.1:${port}/0`, ask, kill, start,
    freeze() { server?.kill("SIGSTOP"); },
    thaw() { server?.kill("SIGCONT"); },
    async remove() {
      await kill();
      rmSync(folder, { recursive: true });
    },
  };
}

/** One command on a connection of its own. */
function askServer(port: number, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    let reply = "";
    socket.setTimeout(5_000, () => { socket.destroy(new Error(`no reply to ${words.join(" ")}`)); });
    socket.setEncoding("utf8").on("data", (text: string) => {
      reply += text;
      socket.end();
    });
    socket.once("error", reject);
    socket.once("close", () => { resolve(reply.trim()); });
    socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`);
  });
}

/** A port of loopback that nobody listens on. */
export async function findFreePort(): Promise<number> {
  const listener = createServer();
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, "close");
  return port;
}
