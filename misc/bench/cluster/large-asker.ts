/** Who asks the large query beside which small ones are measured: a process of its own (large.ts). */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A process that asks on and on. */
export interface LargeAsker {
  /** Ends it after the query it is at, and gives how many were answered. Throws when one of them failed. */
  stop(): Promise<number>;
}

const program = fileURLToPath(new URL("./large.js", import.meta.url));

/** Starts to ask over all shards of `many`, of which there are so many; resolves when it has begun. */
export async function startLargeAsker(registryDir: string, shards: number): Promise<LargeAsker> {
  const child = fork(program, [registryDir, String(shards)], { stdio: ["ignore", "ignore", "inherit", "ipc"], execArgv: [] });
  const ended = once(child, "exit").then(([code]) => { if (code !== 0) throw new Error(`the process that asks over all shards ended with ${String(code)}`); });
  ended.catch(() => undefined); // Whoever waits for it hears of it.
  await Promise.race([once(child, "message"), ended]);
  return {
    async stop() {
      const told = once(child, "message") as Promise<[number]>;
      if (child.connected) child.send("stop");
      const answer = await Promise.race([told, ended]);
      await ended;
      if (answer === undefined) throw new Error("the process that asks over all shards ended before it was told to");
      return answer[0];
    },
  };
}
