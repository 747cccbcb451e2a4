/** The numbers that stand for dtypes, encodings, filters and codecs in files. A number, once used, keeps its meaning. */
import { dtypes, isFloatDtype, isTextDtype, type Dtype } from "../dtypes.js";

/** Encodings of a chunk. */
export const encodings = { constant: 1, narrowed: 2, decimal: 3, dictionary: 4, plain: 5 } as const;
export type Encoding = keyof typeof encodings;

/** What is done to the values of a chunk before the codec. */
export const filters = { none: 0, shuffle: 1 } as const;
export type Filter = keyof typeof filters;

/** How the bytes of a chunk are compressed. */
export const codecs = { raw: 0, lz4: 1, zstd: 2 } as const;
export type Codec = keyof typeof codecs;
/** A codec one can ask for; a chunk that it does not make smaller stays raw. */
export type Compression = Exclude<Codec, "raw">;

/** Numbers of the dtypes; those from 16 on are kept for lists. */
export const dtypeNumbers = {
  bool: 1, int64: 2, float64: 3, int8: 4, int16: 5, int32: 6, uint8: 7, uint16: 8, uint32: 9,
  string: 10, timestamp: 11, date: 12, bytes: 13, uint64: 14, float32: 15,
} as const satisfies Record<Dtype, number>;

/** The name behind a number from a file; undefined for one this release does not know. */
export function findByNumber<Name extends string>(numbers: Readonly<Record<Name, number>>, wanted: number): Name | undefined {
  for (const name in numbers) if (numbers[name] === wanted) return name;
  return undefined;
}

/** How the rows of a column are kept in memory: by its dtype, and for texts by whether there is a dictionary. */
export type VectorKind = "int" | "float" | "code" | "text";

/** The vector kind of a column. */
export function vectorKind(dtype: Dtype, hasDictionary: boolean): VectorKind {
  if (isFloatDtype(dtype)) return "float";
  if (isTextDtype(dtype)) return hasDictionary ? "code" : "text";
  return "int";
}

/** Bytes of a plain value of a dtype; of a text, those of its offset. */
export function widthOf(dtype: Dtype): 1 | 2 | 4 | 8 {
  switch (dtype) {
    case "bool": case "int8": case "uint8": return 1;
    case "int16": case "uint16": return 2;
    case "int32": case "uint32": case "float32": case "date": case "string": case "bytes": return 4;
    case "int64": case "uint64": case "float64": case "timestamp": return 8;
  }
}

/** Tells whether a text is a dtype of this release. */
export function isDtype(text: string): text is Dtype {
  return dtypes.some((dtype) => dtype === text);
}
