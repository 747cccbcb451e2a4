/** For who shows how far the calls of a client are: the shards that are done of each question that is under way. */
import type { Asker, News } from "./session.js";
import type { TransferProgress } from "./transfer-progress.js";

/** Is told of every question to the cluster, of which a call may take several. */
export interface CallWatch {
  /** A question begins that its caller does not show; gives who is told how far it is, and that it is over. */
  begin(): { update(progress: ShardProgress | TransferProgress): void; end(): void };
}

/** Shards that are done, and shards of the whole answer. */
export interface ShardProgress {
  readonly shards: number;
  readonly of: number;
}

/** What asks as another does, and tells of it. */
export function watchCalls(asker: Asker, watch: CallWatch): Asker {
  return {
    async ask(call) {
      if (call.isShown === true) return asker.ask(call);
      const watching = watch.begin();
      let [shards, of] = [0, 0];
      try {
        return await asker.ask({
          ...call,
          onReply(reply, body, grant) {
            [shards, of] = reply.type === "accepted" ? [0, reply.shards.length] : [shards + shardsOf(reply), of];
            watching.update({ shards, of });
            call.onReply?.(reply, body, grant);
          },
        });
      } finally {
        watching.end();
      }
    },
  };
}

/** The shards that are done with a reply. */
function shardsOf(reply: News): number {
  switch (reply.type) {
    case "partial": return reply.block.size;
    case "slice": return reply.next === null ? 1 : 0;
    case "leftOut": return 1;
    case "accepted": return 0;
  }
}
