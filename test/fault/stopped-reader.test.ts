import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { randomId } from "../../lib/base/clock.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { encodeFrames } from "../../lib/wire/frames.js";
import type { ClientMessage } from "../../lib/wire/messages.js";
import { openDealerSocket, type RawSocket } from "../../lib/wire/sockets.js";
import { withCluster } from "../../misc/support/cluster.js";
import { push } from "../support/hostile/connection.js";
import { askGroups, expectedGroups, numbers, writeNumbers } from "../support/hostile/honest.js";
import { factsOf } from "../support/process-facts.js";
import { until } from "../support/until.js";

const calls = 20;
const megabyte = 2 ** 20;

describe("a client that stops reading", function stoppedReader() {
  this.timeout(120_000);
  let dataDir: string;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-reader-"));
    await writeNumbers(dataDir);
  });
  after(() => rm(dataDir, { recursive: true, force: true }));

  /** Says hello and asks, and then neither reads nor gives credit; its heartbeats go on. */
  async function askAndStop(address: string): Promise<{ quieten(): void; socket: RawSocket }> {
    const socket = openDealerSocket({ frameBytesMax: 2 ** 30, isIpv6: false });
    socket.connect(address);
    const say = (header: ClientMessage, body: Uint8Array[] = []): Promise<unknown> => push(socket, encodeFrames("client", "message", header, body, 10_000));
    await say({ type: "hello", clientId: randomId(), version: "test" });
    const groups = encodeQuery(parseQuery({ keys: ["v"], measures: [["k", "sum"]] }));
    const rows = encodeQuery(parseQuery({ keys: [], measures: ["k", "v"], aggregate: false }));
    const call = { type: "call" as const, verb: "groupby" as const, tables: [numbers.name], columns: ["k", "v"], remainingMs: 100_000 };
    for (let k = 0; k < calls; k++) await say(k % 2 === 0 ? { ...call, id: randomId() } : { ...call, id: randomId(), rows: { slices: 2, rowsMax: null } }, [k % 2 === 0 ? groups : rows]);
    const beats = setInterval(() => { void say({ type: "heartbeat" }); }, 300);
    return { socket, quieten: () => { clearInterval(beats); } };
  }

  it("keeps no worker from the others, and leaves the controller as it was", async () => {
    await withCluster({ dataDir, workers: 1, flags: ["--heartbeat=0.1", "--expiry=1"] }, async ({ rpc, controllers }) => {
      await until("all shards are known", async () => (await rpc.info()).workers[0]?.shards === numbers.shards);
      const { address } = await rpc.info();
      const early = factsOf(controllers[0]!.pid);
      const reader = await askAndStop(address);
      try {
        await until("its calls for rows wait for credit", async () => (await rpc.info()).calls === calls / 2, 60_000);
        for (let k = 0; k < 10; k++) expect(await askGroups(rpc)).to.equal(expectedGroups());
        expect(factsOf(controllers[0]!.pid).residentBytes - early.residentBytes).to.be.below(200 * megabyte);
        reader.quieten();
        await until("it counts as lost", async () => (await rpc.info()).clients === 1);
        expect((await rpc.info()).calls).to.equal(0);
      } finally {
        reader.quieten();
        await reader.socket.close(0);
      }
      await until("its connection is gone", () => factsOf(controllers[0]!.pid).descriptors <= early.descriptors);
    });
  });
});
