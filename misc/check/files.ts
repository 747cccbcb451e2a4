/** Imports and exports of large files: their memory, and what is left of those that are ended at any moment. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runFileCases } from "../../test/support/files/cases.js";
import { exportEndedCases, exportLongTextsCases, exportManyRowsCases } from "../../test/support/files/exports.js";
import { importMemoryCases } from "../../test/support/files/import-memory.js";
import { importEndedCases, importKilledCases, sortKilledCases } from "../../test/support/files/imports.js";

const cases = [
  ...importMemoryCases, ...importKilledCases, ...sortKilledCases, ...importEndedCases,
  ...exportManyRowsCases, ...exportLongTextsCases, ...exportEndedCases,
];

/** So many of the cases, drawn by the seed, at most all; ends at the first miss. */
export async function checkFiles(count: number, seed: number): Promise<{ figures: Readonly<Record<string, number>>; miss: string | undefined }> {
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-check-files-"));
  try {
    return { figures: { cases: cases.length, run: await runFileCases(cases, { folder, count, seed }) }, miss: undefined };
  } catch (cause) {
    return { figures: { cases: cases.length }, miss: cause instanceof Error ? cause.message : String(cause) };
  } finally {
    await rm(folder, { recursive: true });
  }
}
