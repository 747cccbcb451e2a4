/** What encoding a chunk starts from, and what it gives. */
import type { FloatDtype, WholeDtype } from "../dtypes.js";
import type { ChunkRecord } from "../files/index.js";
import type { Texts } from "../texts.js";

/** The values of a chunk to encode. What null rows hold means nothing, but that their texts are empty. */
export type ChunkValues =
  /** Numbers as the typed array of the dtype holds them, with any NaN and -0.0. */
  | { readonly kind: "number"; readonly dtype: WholeDtype | FloatDtype; readonly bytes: Uint8Array }
  /** `entries` gives the dictionary of now: entry c is the text of code c; without codes of its own. */
  | { readonly kind: "code"; readonly values: Uint32Array; readonly entries: () => Texts }
  /** rows + 1 offsets, the first 0, and the bytes up to the last of them. */
  | { readonly kind: "text"; readonly offsets: Uint32Array; readonly bytes: Uint8Array };

/** A chunk to encode: 1 to 65,536 rows. `nulls` is a bitmap that ends in zeros, looked at when `nullCount` is not 0. */
export interface ChunkInput {
  readonly rows: number;
  readonly nulls: Uint8Array;
  readonly nullCount: number;
  readonly data: ChunkValues;
}

/** A chunk ready to be stored at the offset the caller knows. */
export interface EncodedChunk {
  readonly stored: Uint8Array;
  readonly record: Omit<ChunkRecord, "offset">;
}
