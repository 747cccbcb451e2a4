/** The group-by questions of db-benchmark, for us and for DuckDB. */
import type { GroupbyQuery } from "../../lib/index.js";

/** A question under its name in db-benchmark. */
export interface Case {
  readonly name: string;
  readonly query: GroupbyQuery;
  /** Its columns are those of the query; its rows are in any order. */
  readonly sql: string;
}

/** The questions that a query can ask today. */
export const cases: readonly Case[] = [
  { name: "q1", query: { tables: "g1", keys: ["id1"], measures: ["v1"] }, sql: "SELECT id1, sum(v1) AS v1 FROM g1 GROUP BY id1" },
  { name: "q2", query: { tables: "g1", keys: ["id1", "id2"], measures: ["v1"] }, sql: "SELECT id1, id2, sum(v1) AS v1 FROM g1 GROUP BY id1, id2" },
  {
    name: "q3",
    query: { tables: "g1", keys: ["id3"], measures: ["v1", ["v3", "mean"]] },
    sql: "SELECT id3, sum(v1) AS v1, avg(v3) AS v3 FROM g1 GROUP BY id3",
  },
  {
    name: "q4",
    query: { tables: "g1", keys: ["id4"], measures: [["v1", "mean"], ["v2", "mean"], ["v3", "mean"]] },
    sql: "SELECT id4, avg(v1) AS v1, avg(v2) AS v2, avg(v3) AS v3 FROM g1 GROUP BY id4",
  },
  {
    name: "q5",
    query: { tables: "g1", keys: ["id6"], measures: ["v1", "v2", "v3"] },
    sql: "SELECT id6, sum(v1) AS v1, sum(v2) AS v2, sum(v3) AS v3 FROM g1 GROUP BY id6",
  },
];
