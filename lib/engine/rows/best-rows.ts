/** The first rows in an order, kept while rows come in: never many more than are wanted, and never sorted all. */
import type { ResultColumn } from "../finish.js";
import type { Query } from "../query/query.js";
import { orderRows } from "../result/order.js";
import { upTo } from "../values.js";
import { rowSpecs } from "./columns.js";
import { bytesOfRows, commonDtype, joinRows, pickRows, type Rows } from "./rows.js";

/** Rows that come in, of which the first in order are kept. */
export interface FirstRows {
  add(rows: Rows): void;
  /** Bytes of what is kept now. */
  bytes(): number;
  /** Those that are among the first, in the order in which they came. */
  take(): Rows;
}

/** Rows beyond those wanted that are let come together before any is dropped. */
const slackRows = 65_536;

/** Keeps the first offset + limit rows of a query; all without a limit. `none` says which dtypes rows have; `stop` is called now and then, and ends ordering by throwing. */
export function firstInOrder(query: Query, none: Rows, stop: () => void = () => undefined): FirstRows {
  const wanted = query.limit === null ? Infinity : query.offset + query.limit;
  const names = rowSpecs(query).map(({ name }) => name);
  let parts: Rows[] = [];
  let [count, bytes] = [0, 0];

  function joined(): Rows {
    const all = parts.length === 0 ? none : joinParts(parts, names);
    if (all.count <= wanted) return all;
    const places = orderRows(upTo(all.count), query.order, resultColumns(names, all), { offset: 0, limit: wanted, stop });
    return pickRows(all, places.slice().sort());
  }

  return {
    add(rows) {
      if (rows.count === 0 && parts.length > 0) return;
      parts.push(rows);
      count += rows.count;
      bytes += bytesOfRows(rows);
      if (count <= 2 * wanted + slackRows) return;
      parts = [joined()];
      count = parts[0]!.count;
      bytes = bytesOfRows(parts[0]!);
    },
    bytes: () => bytes,
    take: joined,
  };
}

/** All parts as one, in dtypes that hold those of all. Throws SCHEMA_MISMATCH, MEMORY_LIMIT. */
export function joinParts(parts: readonly Rows[], names: readonly string[]): Rows {
  const dtypes = names.map((name, place) => parts.map(({ columns }) => columns[place]!.values.dtype).reduce((one, other) => commonDtype(name, one, other)));
  return joinRows(parts, dtypes, names);
}

/** Rows as columns of a result. */
export function resultColumns(names: readonly string[], { columns }: Rows): ResultColumn[] {
  return names.map((name, place) => ({ name, ...columns[place]! }));
}
