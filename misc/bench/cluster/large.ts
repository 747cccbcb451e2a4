/**
 * A process that asks over all shards of `many`, again and again until its parent tells it to stop or is gone, and then
 * says how often. A process of its own: what it takes to read an answer about thousands of shards is to hold up nobody.
 */
import { connect } from "../../../lib/index.js";

const [registryDir = "", shards = ""] = process.argv.slice(2);
let isOver = false;
process.once("message", () => { isOver = true; });
process.once("disconnect", () => { isOver = true; });

const rpc = await connect({ registry_dir: registryDir });
try {
  await rpc.ping();
  process.send?.("asking");
  let asked = 0;
  do {
    const { rows } = (await rpc.groupby("many", [], [["*", "count", "rows"], ["v", "sum"]], [["v", ">=", 0]], { cache: "columns" })).rows()[0] ?? {};
    if (rows !== Number(shards) * 10) throw new Error(`the query over all shards counts ${String(rows)} rows`);
    asked += 1;
  } while (!isOver);
  process.send?.(asked);
} finally {
  await rpc.close();
  if (process.connected) process.disconnect();
}
