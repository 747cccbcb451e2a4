/** The thread that reads row groups: parts of one after another are asked for in order. */
import { readSync } from "node:fs";
import type { Batch } from "../../columns/dtypes.js";
import type { Texts } from "../../columns/texts.js";
import { isTextBatch } from "../values/batches.js";
import { openGroup } from "./group.js";
import type { GroupPlan, GroupReader } from "./group.js";
import { servePool } from "../input/pool.js";
import type { Sifted } from "../values/rejecting.js";

/** Asks for the next part of the row group at hand, or for the first of a new one. */
export interface PartTask {
  /** An open file of this process. */
  readonly file: number;
  /** The row group to begin; null to go on. */
  readonly plan: GroupPlan | null;
}

/** A part. Texts with codes have their entries in `dictionaries`, which are sent once a row group, with the part that first needs them. */
export interface Part extends Sifted {
  /** The first of its row group. */
  readonly isFirst: boolean;
  /** The most that reading the row group took so far, bytes. */
  readonly heldBytes: number;
  /** For each column the number of its dictionary, or null. */
  readonly dictionaryOf: readonly (number | null)[];
  readonly dictionaries: readonly { readonly id: number; readonly offsets: Uint32Array; readonly bytes: Uint8Array }[];
}

const noOffsets = Uint32Array.of(0);
const noBytes = new Uint8Array(0);

let group: GroupReader | undefined;
let ids = new WeakMap<Uint32Array, number>();
let lastId = 0;

servePool<PartTask, Part>(({ file, plan }) => {
  if (plan !== null) {
    ids = new WeakMap();
    group = openGroup(plan, (start, bytes) => readExactly(file, start, bytes));
  }
  if (group === undefined) throw new Error("no row group was begun");
  const part = { ...packPart(group.read()), heldBytes: group.heldBytes(), isFirst: plan !== null };
  return { result: part, transfer: buffersOf(part) };
});

function packPart({ rows, batches, rejects }: Sifted): Omit<Part, "isFirst" | "heldBytes"> {
  const dictionaries: { id: number; offsets: Uint32Array; bytes: Uint8Array }[] = [];
  const dictionaryOf = batches.map((batch) => {
    if (!isTextBatch(batch) || batch.values.codes === null) return null;
    const { offsets, bytes } = batch.values;
    const known = ids.get(offsets);
    if (known !== undefined) return known;
    ids.set(offsets, ++lastId);
    dictionaries.push({ id: lastId, offsets, bytes });
    return lastId;
  });
  return { rows, rejects, dictionaryOf, dictionaries, batches: batches.map((batch, at) => (dictionaryOf[at] === null ? batch : withoutEntries(batch))) };
}

function withoutEntries(batch: Batch): Batch {
  if (!isTextBatch(batch)) throw new Error(`codes of ${batch.dtype}`);
  const values: Texts = { offsets: noOffsets, bytes: noBytes, codes: batch.values.codes };
  return { ...batch, values };
}

/** The memory of a part that is not needed here any more: all but dictionaries. */
function buffersOf({ batches }: Part): ArrayBuffer[] {
  const buffers = new Set<ArrayBufferLike>();
  for (const batch of batches) {
    if (batch.nulls !== null) buffers.add(batch.nulls.buffer);
    if (!isTextBatch(batch)) buffers.add(batch.values.buffer);
    else if (batch.values.codes !== null) buffers.add(batch.values.codes.buffer);
    else buffers.add(batch.values.offsets.buffer).add(batch.values.bytes.buffer);
  }
  return [...buffers].filter((buffer) => buffer instanceof ArrayBuffer);
}

function readExactly(file: number, start: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const read = readSync(file, bytes, done, length - done, start + done);
    if (read === 0) throw new Error("the file ended while it was read");
    done += read;
  }
  return bytes;
}
