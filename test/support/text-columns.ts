/** Tables as people read them, for reports of long runs. */

/** Lines of columns that stand below their heads, all but the last as wide as their widest text. */
export function formatTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heads, ...rows];
  const widths = heads.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) => `${row.map((text, column) => (column === heads.length - 1 ? text : text.padEnd(widths[column]!))).join("  ")}\n`).join("");
}
