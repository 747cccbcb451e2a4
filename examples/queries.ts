/**
 * What groupby and rows can be asked, over the flights of the README's guide: `node dist/examples/queries.js` while
 * `bqueryd up --data-dir tables` runs. In a program of your own the import is from "bqueryd".
 */
import { BquerydError, connect } from "../lib/index.js";

const rpc = await connect();
try {
  console.log("Months, and how many flights of each were late: expressions as keys and as inputs of measures");
  console.log(await rpc.groupby(
    "flights",
    [{ expr: "date_trunc('month', date)", as: "month" }],
    [["*", "count", "flights"], [{ expr: "case when delay > 15 then 1 else 0 end" }, "sum", "late"], { expr: "late / flights", as: "share" }],
  ));

  console.log("\nThe worst three airports of 500 flights or more: conditions as text, having, order and limit");
  console.log(await rpc.groupby({
    tables: "flights",
    keys: ["origin"],
    measures: [["*", "count", "flights"], ["delay", "mean", "mean_delay"], ["delay", "quantile", "p90", { p: 0.9 }]],
    where: "distance between 200 and 2000 and origin not like 'S%'",
    having: [["flights", ">=", 500]],
    order: [["mean_delay", "desc"]],
    limit: 3,
  }));

  console.log("\nDelays as a histogram: a list of counts, and the edges of its bins");
  const bins = (await rpc.groupby("flights", [], [["delay", "histogram", "delays", { bins: 4, low: 0, high: 60 }]])).column("delays");
  console.log(bins.get(0), "between", bins.bins?.edges[0]?.join(), "and over them", Number(bins.bins?.over[0]));

  console.log("\nThe flights themselves, table by table, no faster than they are taken");
  const rows = rpc.rows("flights", ["date", "origin", "destination"], [{ expr: "delay / 60", as: "hours" }], [["delay", ">", 60]], { limit: 1_000 });
  let [tables, longest] = [0, 0];
  for await (const table of rows) {
    tables += 1;
    for (const { hours } of table) longest = Math.max(longest, Number(hours));
  }
  console.log(rows.summary?.rows, "rows in", tables, tables === 1 ? "table" : "tables", "the longest of", longest.toFixed(2), "hours");

  console.log("\nWithout what cannot be had: the summary names it");
  const partial = await rpc.groupby(["flights"], [], [["*", "count", "flights"]], [], { partial: "allow", timeout: 10 });
  console.log(partial.column("flights").get(0), "flights, and shards that are missing:", partial.summary.coverage.shardsMissing.map(({ name }) => name));

  console.log("\nA failure has a code to branch on");
  await rpc.groupby("flights", ["orign"], []).catch((error: unknown) => {
    if (!(error instanceof BquerydError)) throw error;
    console.log(error.code, error.message);
  });
} finally {
  // Whoever does not close keeps the process alive.
  await rpc.close();
}
