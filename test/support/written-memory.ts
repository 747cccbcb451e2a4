/** Writes a result of a million rows in the format named; prints what that became, and by how much the peak of memory grew. */
import { tableOf } from "./result-columns.js";

const rows = 1_000_000;
const text = Buffer.from("text");

const columns = [
  { name: "n", values: { dtype: "int64" as const, array: BigInt64Array.from({ length: rows }, (_, row) => BigInt(row) * 7_919_000_000n) }, isNull: null },
  { name: "f", values: { dtype: "float64" as const, array: Float64Array.from({ length: rows }, (_, row) => row / 8) }, isNull: null },
  { name: "s", values: { dtype: "string" as const, bytes: Buffer.alloc(rows * text.length, text), offsets: Uint32Array.from({ length: rows + 1 }, (_, row) => row * text.length) }, isNull: null },
];

const table = tableOf(columns, rows);
const before = process.resourceUsage().maxRSS * 1024;
const { length } = process.argv[2] === "csv" ? table.toCSV() : table.toArrow();
process.stdout.write(JSON.stringify({ bytes: length, grownBytes: process.resourceUsage().maxRSS * 1024 - before }));
