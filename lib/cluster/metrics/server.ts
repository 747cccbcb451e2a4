/** /metrics, /healthz and /readyz of one process over HTTP. Loaded only where a port for them is configured. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { BquerydError } from "../../base/errors.js";
import { createExposition, type Exposition } from "./exposition.js";
import type { Observed } from "./families.js";

/** A server at work. */
export interface MetricsServer {
  /** `http://127.0.0.1:9300` */
  readonly url: string;
  /** Closes the port and every connection. Never throws. */
  close(): Promise<void>;
}

/** Where to listen, and whom to tell of. */
export interface MetricsServerOptions {
  /** An address of this machine. */
  readonly bind: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly observed: Observed;
  /** How long a connection may be still, as one whose other end reads nothing is; by default ten seconds. */
  readonly idleMs?: number;
}

/** Those who ask are a few programs that ask now and then; whoever else comes gets little. */
const bounds = { headerBytes: 4_096, requestMs: 5_000, idleMs: 10_000, connections: 64, checkMs: 30_000 } as const;

/** A server that answers; throws PORT_IN_USE, or CONFIG when the address is none of this machine. */
export async function serveMetrics({ bind, port, observed, idleMs = bounds.idleMs }: MetricsServerOptions): Promise<MetricsServer> {
  const exposition = createExposition(observed.families);
  const server = createServer({
    maxHeaderSize: bounds.headerBytes, headersTimeout: bounds.requestMs, requestTimeout: bounds.requestMs,
    keepAliveTimeout: idleMs, connectionsCheckingInterval: bounds.checkMs,
  }, (request, response) => void answer(request, response, { observed, exposition }));
  server.maxConnections = bounds.connections;
  // Else those who ask and never read keep their places for ever, and a supervisor takes the process for dead.
  server.timeout = idleMs;
  await listen(server, bind, port);
  const { address, port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${address.includes(":") ? `[${address}]` : address}:${bound}`,
    close: () => new Promise((resolve) => {
      server.close(() => { resolve(); });
      server.closeAllConnections();
    }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, { observed, exposition }: { observed: Observed; exposition: Exposition }): Promise<void> {
  // A body is of no use to anything here: the connection ends instead of being read.
  if (request.method !== "GET") {
    finish(response.setHeader("connection", "close").setHeader("allow", "GET"), 405, "only GET is answered here");
    return;
  }
  const [path] = (request.url ?? "").split("?", 1);
  switch (path) {
    case "/metrics": {
      // What a family throws is a defect: unhandled, it ends the process with its reason.
      const text = await exposition.text();
      response.setHeader("content-type", exposition.contentType);
      finish(response, 200, text);
      return;
    }
    case "/healthz": finish(response, 200, "ok"); return;
    case "/readyz": {
      const obstacle = observed.findObstacle();
      finish(response, obstacle === undefined ? 200 : 503, obstacle === undefined ? "ready" : `not ready: ${obstacle}`);
      return;
    }
    default: finish(response, 404, "there are /metrics, /healthz and /readyz");
  }
}

function finish(response: ServerResponse, status: number, text: string): void {
  if (!response.hasHeader("content-type")) response.setHeader("content-type", "text/plain; charset=utf-8");
  response.statusCode = status;
  response.end(text.endsWith("\n") ? text : `${text}\n`);
}

async function listen(server: Server, bind: string, port: number): Promise<void> {
  const host = bind.replace(/^\[|\]$/g, "");
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen({ host: host === "*" ? "::" : host, port }, resolve);
    });
  } catch (cause) {
    const isTaken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
    if (isTaken) throw new BquerydError("PORT_IN_USE", `port ${port} of ${bind} is in use by another process; stop it or set another metrics_port`, { details: { bind, port }, cause });
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BquerydError("CONFIG", `cannot serve metrics on ${bind}:${port} (${reason}); set bind to an address of this machine and metrics_port to a free port`, { details: { bind, port }, cause });
  }
}
