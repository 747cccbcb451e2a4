/** Tables of text for people: one line a row, columns aligned. */
import { displayWidth, escapeUnprintable, truncateToWidth } from "./text-width.js";

/** The side on which the cells of a column are flush. */
export type Align = "left" | "right";

/** How to lay out a table. */
export interface TableLayout {
  /** One for each column; columns without one are flush left. */
  readonly align?: readonly Align[];
  /** What stands under the headers, above the rule. */
  readonly subheaders?: readonly string[];
  /** Terminal cells past which text is cut with an ellipsis (default 40): for all columns, or one for each. */
  readonly cellWidthMax?: number | readonly number[];
}

const columnGap = "  ";
const cellWidthDefault = 40;

/**
 * The lines of an aligned table joined by line ends, without one at the end: the headers, a rule, the rows. A row
 * shorter than the headers has empty cells at its end. Control characters are shown as escapes.
 */
export function formatTable(headers: readonly string[], rows: readonly (readonly string[])[], layout: TableLayout = {}): string {
  const { align = [], subheaders, cellWidthMax = cellWidthDefault } = layout;
  const widthMax = (column: number): number => (typeof cellWidthMax === "number" ? cellWidthMax : cellWidthMax[column] ?? cellWidthDefault);
  const clean = (cell: string, column: number): string => truncateToWidth(escapeUnprintable(cell), widthMax(column));
  const heads = subheaders === undefined ? [headers] : [headers, subheaders];
  const lines = [...heads, ...rows].map((row) => headers.map((_, column) => clean(row[column] ?? "", column)));
  const widths = headers.map((_, column) => lines.reduce((widest, line) => Math.max(widest, displayWidth(line[column]!)), 1));
  const rule = widths.map((width) => "-".repeat(width));
  lines.splice(heads.length, 0, rule);
  return lines.map((line) => formatLine(line, widths, align)).join("\n");
}

function formatLine(cells: readonly string[], widths: readonly number[], align: readonly Align[]): string {
  return cells.map((cell, column) => pad(cell, widths[column]!, align[column] ?? "left")).join(columnGap).trimEnd();
}

function pad(cell: string, width: number, align: Align): string {
  const space = " ".repeat(width - displayWidth(cell));
  return align === "right" ? space + cell : cell + space;
}
