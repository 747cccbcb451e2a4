/** Seeing whether rows that come batch by batch are in order already. */
import type { Batch } from "../../columns/dtypes.js";
import { sliceBatch } from "../../columns/slice-batch.js";
import { compareKeys, findDisorder, keysOf } from "./keys.js";
import type { SortKeys } from "./keys.js";

/** Tells whether the rows of a batch go on in ascending order, nulls last, from all batches before; called once for each. */
export type OrderCheck = (batch: Batch) => boolean;

/** A check for rows that come after those of a batch; null: that come first. */
export function createOrderCheck(before: Batch | null): OrderCheck {
  let last = before === null || before.rows === 0 ? undefined : lastKeys(before);
  return (batch) => {
    if (batch.rows === 0) return true;
    const keys = keysOf(batch);
    const follows = last === undefined || compareKeys(last, 0, keys, 0) <= 0;
    last = lastKeys(batch);
    return follows && findDisorder(keys) === -1;
  };
}

function lastKeys(batch: Batch): SortKeys {
  return keysOf(sliceBatch(batch, batch.rows - 1, batch.rows));
}
