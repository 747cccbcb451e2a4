/** The other controllers of the cluster, asked as a client would. */
import { randomId } from "../../base/clock.js";
import { version } from "../../base/version.js";
import { connectDealer } from "../../wire/dealer.js";

/** How another controller is asked. */
export interface AskOptions {
  readonly messageBytesMax: number;
  readonly timeoutMs: number;
}

/** Tells a controller to stop everything it knows; true when it answered in time. Throws CONFIG for what is no address. */
export async function askKillall(address: string, { messageBytesMax, timeoutMs }: AskOptions): Promise<boolean> {
  const id = randomId();
  let settle: (answered: boolean) => void = () => undefined;
  const answered = new Promise<boolean>((resolve) => { settle = resolve; });
  const dealer = connectDealer({
    address, channel: "client", messageBytesMax,
    onMessage: (header) => { if ((header.type === "result" || header.type === "error") && header.id === id) settle(header.type === "result"); },
    onMalformed: () => { settle(false); },
  });
  const timer = setTimeout(() => { settle(false); }, timeoutMs);
  dealer.send({ type: "hello", clientId: randomId(), version });
  dealer.send({ type: "call", id, verb: "killall", tables: [], columns: [], remainingMs: timeoutMs });
  try {
    return await answered;
  } finally {
    clearTimeout(timer);
    await dealer.close();
  }
}
