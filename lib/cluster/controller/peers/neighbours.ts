/** The other controllers of the cluster, asked as a client would. */
import { randomId } from "../../../base/clock.js";
import { version } from "../../../base/version.js";
import { connectDealer } from "../../../wire/dealer.js";
import type { KeyPair } from "../../../wire/keys.js";
import type { ClientMessage, ClientReply } from "../../../wire/messages.js";

/** How other controllers are asked. */
export interface AskOptions {
  readonly messageBytesMax: number;
  readonly timeoutMs: number;
  /** The keys of this controller, where it has some. */
  readonly keys: KeyPair | undefined;
}

/** What they are asked. */
export type Question = Pick<ClientMessage & { type: "call" }, "verb" | "query" | "level" | "relayed">;

/** How one of them answers. */
export type NeighbourAnswer = ClientReply & { type: "result" | "error" };

/** The final answers of those controllers that are up and give one in time. */
export async function askNeighbours(addresses: readonly string[], question: Question, options: AskOptions): Promise<NeighbourAnswer[]> {
  const asked = await Promise.allSettled(addresses.map((address) => askNeighbour(address, question, options)));
  return asked.flatMap((outcome) => (outcome.status === "fulfilled" && outcome.value !== undefined ? [outcome.value] : []));
}

/** The final answer of a controller; undefined when none came in time. Throws CONFIG for what is no address. */
async function askNeighbour(address: string, question: Question, { messageBytesMax, timeoutMs, keys }: AskOptions): Promise<NeighbourAnswer | undefined> {
  const id = randomId();
  let settle: (answer: NeighbourAnswer | undefined) => void = () => undefined;
  const answered = new Promise<NeighbourAnswer | undefined>((resolve) => { settle = resolve; });
  const dealer = connectDealer({
    address, channel: "client", messageBytesMax, keys,
    onMessage: (header) => { if ((header.type === "result" || header.type === "error") && header.id === id) settle(header); },
    onMalformed: () => { settle(undefined); },
    onRefused: () => { settle(undefined); },
  });
  const timer = setTimeout(() => { settle(undefined); }, timeoutMs);
  dealer.send({ type: "hello", clientId: randomId(), version });
  dealer.send({ type: "call", id, ...question, tables: [], columns: [], remainingMs: timeoutMs });
  try {
    return await answered;
  } finally {
    clearTimeout(timer);
    await dealer.close();
  }
}
