/** The numbers that stand for dtypes, encodings, filters and codecs in files. A number, once used, keeps its meaning. */
import { dtypes, type Dtype } from "./dtypes.js";

/** Encodings of a chunk. 3 is kept for decimal floats. */
export const encodings = { constant: 1, narrowed: 2, dictionary: 4, plain: 5 } as const;
export type Encoding = keyof typeof encodings;

/** What is done to the values of a chunk before the codec. */
export const filters = { none: 0, shuffle: 1 } as const;
export type Filter = keyof typeof filters;

/** How the bytes of a chunk are compressed. 2 is kept for zstd. */
export const codecs = { raw: 0, lz4: 1 } as const;
export type Codec = keyof typeof codecs;

/** Numbers of the dtypes; 4 to 9 and from 13 on are kept for the other widths, dates, bytes and lists. */
export const dtypeNumbers = { bool: 1, int64: 2, float64: 3, string: 10, timestamp: 11 } as const satisfies Record<Dtype, number>;

/** The name behind a number from a file; undefined for one this release does not know. */
export function findByNumber<Name extends string>(numbers: Readonly<Record<Name, number>>, wanted: number): Name | undefined {
  for (const name in numbers) if (numbers[name] === wanted) return name;
  return undefined;
}

/** How the rows of a column are kept in memory: its dtype, and for strings whether there is a dictionary. */
export type VectorKind = "int" | "float" | "code" | "text";

/** The vector kind of a column. */
export function vectorKind(dtype: Dtype, hasDictionary: boolean): VectorKind {
  if (dtype === "float64") return "float";
  if (dtype === "string") return hasDictionary ? "code" : "text";
  return "int";
}

/** Tells whether a text is a dtype of this release. */
export function isDtype(text: string): text is Dtype {
  return dtypes.some((dtype) => dtype === text);
}
