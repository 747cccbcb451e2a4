/** Faults of the S3 server that tests script, request by request. */
import type { ServerResponse } from "node:http";

/** A request as scripts and tests see it. */
export interface SeenRequest {
  /** From 0, in the order they came. */
  readonly index: number;
  /** S3's name of it: `GetObject`. */
  readonly operation: string;
  readonly bucket: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly parameters: ReadonlyMap<string, string>;
}

/** What goes wrong with one request. */
export type Fault =
  /** It is refused with a code before anything is done. */
  | { readonly kind: "refuse"; readonly code: string; readonly status: number }
  /** Its connection is cut before anything is done, or when all is done and nothing is answered. */
  | { readonly kind: "reset" | "lost" }
  /** Bytes of its body change on their way. */
  | { readonly kind: "spoil" }
  /** Of the body of its answer half comes, and then the end, or nothing for ever. */
  | { readonly kind: "cut" | "stall" }
  /** A byte of the answer is another, its last is left out with a length that fits, its checksum is another. */
  | { readonly kind: "wrongBytes" | "wrongLength" | "wrongChecksum" }
  /** It waits before it is looked at. */
  | { readonly kind: "slow"; readonly ms: number };

/** What tells the fault of a request, undefined for none. */
export type Script = (request: SeenRequest) => Fault | undefined;

/** The first requests for which a condition holds have the faults of a list, one each. */
export function scripted(faults: readonly Fault[], isMeant: (request: SeenRequest) => boolean = () => true): Script {
  const left = [...faults];
  return (request) => (left.length > 0 && isMeant(request) ? left.shift() : undefined);
}

/** A body with its middle byte changed. */
export function alter(bytes: Buffer): Buffer {
  const altered = Buffer.from(bytes);
  const middle = altered.length >> 1;
  if (altered.length > 0) altered[middle] = altered[middle]! ^ 0x20;
  return altered;
}

/** Changes the head and the end of an answer of `bytes` bytes as a fault says; gives how many bytes of it are sent, and whether it then stays open. */
export function distort(fault: Fault | undefined, headers: Record<string, string>, bytes: number): { readonly sentBytes: number; readonly end: "end" | "cut" | "stay" } {
  switch (fault?.kind) {
    case "cut": return { sentBytes: bytes >> 1, end: "cut" };
    case "stall": return { sentBytes: bytes >> 1, end: "stay" };
    case "wrongLength": {
      if (bytes > 0) headers["content-length"] = String(bytes - 1);
      return { sentBytes: Math.max(0, bytes - 1), end: "end" };
    }
    case "wrongChecksum": {
      for (const name of Object.keys(headers)) if (name.startsWith("x-amz-checksum-") && name !== "x-amz-checksum-type") headers[name] = "AAAAAA==";
      return { sentBytes: bytes, end: "end" };
    }
    default: return { sentBytes: bytes, end: "end" };
  }
}

/** Ends an answer of which all that is to be sent was sent. */
export function finish(response: ServerResponse, end: "end" | "cut" | "stay"): void {
  if (end === "end") response.end();
  if (end === "cut") response.socket?.destroy();
}
