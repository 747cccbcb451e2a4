/** Questions that are asked of us and of DuckDB: those of db-benchmark's group-by, and counts and a histogram. */
import type { GroupbyQuery } from "../../lib/index.js";
import type { Tolerance } from "../support/difference.js";

/** A question of ours and of DuckDB's. */
export interface Case {
  readonly name: string;
  readonly query: GroupbyQuery;
  /** Its columns are some of the query's, in that order; its rows are in any order. */
  readonly sql: string;
  /** How far floats may be apart, where rounding of sums does not say it. */
  readonly tolerance?: Tolerance;
  /** One of db-benchmark, which count in the mean of ratios. */
  readonly isQuestion: boolean;
  /** Asked only when it is named. */
  readonly isOnDemand?: true;
}

/** Rounding of distances from a mean. */
const ofMoments: Tolerance = { relative: 1e-9, absolute: 0 };
/** Of what lies between 0 and 1 and is mostly close to 0, by cancellation. */
const ofCorrelation: Tolerance = { relative: 0, absolute: 1e-12 };

const questions: readonly Omit<Case, "isQuestion">[] = [
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
  {
    name: "q6",
    query: { tables: "g1", keys: ["id4", "id5"], measures: [["v3", "median", "median_v3"], ["v3", "std_samp", "sd_v3"]] },
    sql: "SELECT id4, id5, quantile_cont(v3, 0.5) AS median_v3, stddev(v3) AS sd_v3 FROM g1 GROUP BY id4, id5",
    tolerance: ofMoments,
  },
  {
    name: "q7",
    query: { tables: "g1", keys: ["id3"], measures: [["v1", "max", "max_v1"], ["v2", "min", "min_v2"], { expr: "max_v1 - min_v2", as: "range_v1_v2" }] },
    sql: "SELECT id3, max(v1) - min(v2) AS range_v1_v2 FROM g1 GROUP BY id3",
  },
  {
    name: "q8",
    query: { tables: "g1", keys: ["id6"], measures: [["v3", "topk", "largest2_v3", { k: 2 }]] },
    sql: "SELECT id6, max(v3, 2) AS largest2_v3 FROM g1 GROUP BY id6",
  },
  {
    name: "q9",
    query: { tables: "g1", keys: ["id2", "id4"], measures: [[["v1", "v2"], "corr", "r"], { expr: "r * r", as: "r2" }] },
    sql: "SELECT id2, id4, pow(corr(v1, v2), 2) AS r2 FROM g1 GROUP BY id2, id4",
    tolerance: ofCorrelation,
  },
  {
    name: "q10",
    query: { tables: "g1", keys: ["id1", "id2", "id3", "id4", "id5", "id6"], measures: ["v3", ["*", "count", "count"]] },
    sql: "SELECT id1, id2, id3, id4, id5, id6, sum(v3) AS v3, count(*) AS count FROM g1 GROUP BY id1, id2, id3, id4, id5, id6",
    isOnDemand: true,
  },
];

const others: readonly Omit<Case, "isQuestion">[] = [
  { name: "count1", query: { tables: "g1", measures: [["*", "count", "rows"]], where: [["v3", ">", 50]] }, sql: "SELECT count(*) AS rows FROM g1 WHERE v3 > 50" },
  {
    name: "count3",
    query: { tables: "g1", measures: [["*", "count", "rows"]], where: [["v3", ">", 50], ["v1", ">=", 3], ["id1", "<", "id050"]] },
    sql: "SELECT count(*) AS rows FROM g1 WHERE v3 > 50 AND v1 >= 3 AND id1 < 'id050'",
  },
  {
    name: "histogram",
    query: { tables: "g1", measures: [["v3", "histogram", "counts", { bins: 100, low: 0, high: 100 }]] },
    sql: `SELECT list(coalesce(rows, 0) ORDER BY bin) AS counts FROM range(100) AS bins(bin)
      LEFT JOIN (SELECT least(floor(v3), 99) AS found, count(*) AS rows FROM g1 GROUP BY found) ON found = bin`,
  },
];

/** All of them, in the order in which they are asked. */
export const cases: readonly Case[] = [
  ...questions.map((question) => ({ ...question, isQuestion: true })),
  ...others.map((other) => ({ ...other, isQuestion: false })),
];
