/** What a worker and the process of a function say to each other. */

/** What the process is told. */
export interface CodeRequest {
  readonly name: string;
  readonly module: string;
  readonly members: readonly string[];
  /** A list as JSON: read there, so that nothing of it can hold up the worker. */
  readonly args: Uint8Array;
  readonly bytesMax: number;
}

/** What it says, once. */
export type CodeReply =
  | { readonly kind: "answer"; readonly form: "json" | "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "failed"; readonly code: "BAD_INPUT" | "NOT_FOUND" | "MEMORY_LIMIT"; readonly message: string };

/** Tells whether a message is such a reply, of at most so many bytes: packages, too, send messages from the thread they run in. */
export function isCodeReply(message: unknown, bytesMax: number): message is CodeReply {
  if (typeof message !== "object" || message === null || !("kind" in message)) return false;
  switch (message.kind) {
    case "answer": return "form" in message && isOneOf(message.form, ["json", "bytes"]) && "bytes" in message && message.bytes instanceof Uint8Array && message.bytes.length <= bytesMax;
    case "failed": return "code" in message && isOneOf(message.code, ["BAD_INPUT", "NOT_FOUND", "MEMORY_LIMIT"]) && "message" in message && typeof message.message === "string";
    default: return false;
  }
}

function isOneOf(value: unknown, known: readonly string[]): boolean {
  return typeof value === "string" && known.includes(value);
}
