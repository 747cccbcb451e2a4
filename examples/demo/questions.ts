/** What the demo asks about the flights, of the cluster and of DuckDB. */
import type { GroupbyQuery } from "../../lib/index.js";

/** A question, as a query and as SQL that answers it with the same columns and rows. */
export interface Question {
  readonly title: string;
  readonly query: GroupbyQuery;
  readonly sql: string;
}

/** The six questions. */
export const questions: readonly Question[] = [
  {
    title: "Flights and mean delay in minutes by origin",
    query: { tables: "flights", keys: ["origin"], measures: [["*", "count", "flights"], ["delay", "mean", "mean_delay"]] },
    sql: "SELECT origin, count(*) AS flights, avg(delay) AS mean_delay FROM flights GROUP BY origin ORDER BY origin",
  },
  {
    title: "The same for three origins",
    query: {
      tables: "flights", keys: ["origin"], measures: [["*", "count", "flights"], ["delay", "mean", "mean_delay"]],
      where: [["origin", "in", ["ATL", "ORD", "SFO"]]],
    },
    sql: `SELECT origin, count(*) AS flights, avg(delay) AS mean_delay FROM flights WHERE origin IN ('ATL', 'ORD', 'SFO')
      GROUP BY origin ORDER BY origin`,
  },
  {
    title: "Total and mean distance of flights delayed over an hour",
    query: {
      tables: "flights", keys: [], measures: [["*", "count", "flights"], ["distance", "sum", "total"], ["distance", "mean", "mean"]],
      where: [["delay", ">", 60]],
    },
    sql: "SELECT count(*) AS flights, sum(distance) AS total, avg(distance) AS mean FROM flights WHERE delay > 60",
  },
  {
    title: "Longest delay by origin and destination",
    query: { tables: "flights", keys: ["origin", "destination"], measures: [["delay", "max", "longest"]] },
    sql: "SELECT origin, destination, max(delay) AS longest FROM flights GROUP BY ALL ORDER BY ALL",
  },
  {
    title: "Flights to each destination from San Francisco",
    query: { tables: "flights", keys: ["destination"], measures: [["*", "count", "flights"]], where: [["origin", "==", "SFO"]] },
    sql: "SELECT destination, count(*) AS flights FROM flights WHERE origin = 'SFO' GROUP BY destination ORDER BY destination",
  },
  {
    title: "The grand total",
    query: {
      tables: "flights", keys: [],
      measures: [["*", "count", "flights"], ["delay", "sum", "minutes_late"], ["delay", "mean", "mean_delay"], ["distance", "sum", "miles"]],
    },
    sql: "SELECT count(*) AS flights, sum(delay) AS minutes_late, avg(delay) AS mean_delay, sum(distance) AS miles FROM flights",
  },
];
