/** Whether the ports of the configuration are free, and who has them. */
import { readdir, readFile, readlink } from "node:fs/promises";
import { createServer } from "node:net";
import { defaultPorts } from "../../cluster/controller/peers/ports.js";
import type { Config } from "../../base/config.js";
import { look, ok, warning, type Check } from "./check.js";

/** The port of a controller and that of metrics. `ownPids`: of the controllers that this cluster lists. */
export async function checkPorts({ bind, port, metricsPort }: Config, ownPids: ReadonlySet<number>): Promise<readonly Check[]> {
  return look("ports", async () => {
    const named = [...(port === undefined ? [] : [["port", port] as const]), ...(metricsPort === undefined || metricsPort === 0 ? [] : [["metrics_port", metricsPort] as const])];
    const checks = await Promise.all(named.map(([name, one]) => checkPort(name, one, bind, ownPids)));
    return port === undefined ? [await checkRange(bind), ...checks] : checks;
  });
}

async function checkPort(name: string, port: number, bind: string, ownPids: ReadonlySet<number>): Promise<Check> {
  if (await isFree(bind, port)) return ok(name, `${port} is free`);
  const holder = await findListener(port);
  if (holder !== undefined && ownPids.has(holder.pid)) return ok(name, `${port} is that of a controller of this cluster, process ${holder.pid}`);
  const by = holder === undefined ? "a process of another user" : `process ${holder.pid}: ${holder.command}`;
  return warning(name, `${port} is in use by ${by}`, `stop it, or set ${name} to another one`);
}

async function checkRange(bind: string): Promise<Check> {
  const { first, last } = defaultPorts;
  for (let port = first; port <= last; port++) {
    if (await isFree(bind, port)) return ok("port", `${port} is the first free one of ${first} to ${last}`);
  }
  return warning("port", `${first} to ${last} are all in use`, "set port to a free one");
}

function isFree(bind: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => { resolve(false); });
    server.listen({ host: bind.replace(/^\[|\]$/g, ""), port, exclusive: true }, () => { server.close(() => { resolve(true); }); });
  });
}

/** The process that listens on a TCP port of this machine; undefined where it cannot be seen. */
export async function findListener(port: number): Promise<{ readonly pid: number; readonly command: string } | undefined> {
  const tables = await Promise.all(["tcp", "tcp6"].map((name) => readFile(`/proc/net/${name}`, "utf8").catch(() => "")));
  const sockets = new Set(tables.flatMap((table) => listenersOf(table, port)).map((inode) => `socket:[${inode}]`));
  if (sockets.size === 0) return undefined;
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const descriptors = await readdir(`/proc/${pid}/fd`).catch((): string[] => []);
    const targets = await Promise.all(descriptors.map((one) => readlink(`/proc/${pid}/fd/${one}`).catch(() => "")));
    if (targets.some((target) => sockets.has(target))) return { pid: Number(pid), command: await commandOf(pid) };
  }
  return undefined;
}

/** The inodes of sockets that listen on a port, in a table of /proc/net: fields are slot, local, remote, state, ..., inode. */
function listenersOf(table: string, port: number): string[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  return table.split("\n").map((line) => line.trim().split(/\s+/)).filter(([, local = "", , state]) => state === "0A" && local.endsWith(`:${hexPort}`)).flatMap((fields) => fields[9] ?? []);
}

async function commandOf(pid: string): Promise<string> {
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return command.replaceAll("\0", " ").trim().slice(0, 100);
}
