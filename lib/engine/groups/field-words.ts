/** The fields of a key as 64-bit words, a word a row. */
import type { Kernels } from "../../kernels/kernels.js";
import type { Run } from "../scan-column.js";
import { widthNames } from "../states/slab.js";
import { fieldTerms, type KeyColumn } from "./keys.js";

/** Writes a uint64 a row to `target`: the field of each value, 0 for nulls. */
export function setFieldWords(kernels: Kernels, key: KeyColumn, run: Run, target: number): void {
  const { multiplier, offset } = fieldTerms(key, run, 1n);
  const name = key.kind === "float" ? "I64" : widthNames[run.width];
  kernels[`packSet${name}`](run.values, run.rows, wrap(multiplier), wrap(offset), target);
  if (run.nulls !== 0) kernels.packNulls(run.nulls, run.rows, wrap(key.minimum - run.nullValue), target);
}

function wrap(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}
