/** A text column of bcolz: its dictionary, codes and extremes are derived at first use and kept beside the data. */
import { crc32 } from "node:zlib";
import { Type, type Static } from "../../base/typebox.js";
import { BquerydError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { Heap } from "../../kernels/heap.js";
import { decodeDictionary } from "../files/dictionary.js";
import { sha256Hex } from "../files/footer.js";
import type { Dictionary } from "../files/dictionary.js";
import type { TableColumn } from "../read/table.js";
import { extremeBytesMax } from "../text-order.js";
import type { Texts } from "../texts.js";
import type { Vector } from "../vector.js";
import type { ColumnContext } from "./context.js";
import { deriveTexts, type DerivedTexts, type TextBounds } from "./derive-texts.js";
import { findDerived, keepDerived, type DerivedFiles } from "./derived-files.js";
import { withRoom, type Room } from "./room.js";
import { readTexts } from "./texts.js";

const Extreme = Type.String({ maxLength: 2 * extremeBytesMax, pattern: "^[0-9a-f]*$" });
const Facts = Type.Object({
  /** [minimum, maximum, truncated] of each chunk, bytes as hexadecimal digits. */
  bounds: Type.Array(Type.Tuple([Extreme, Type.Union([Extreme, Type.Null()]), Type.Boolean()])),
  /** Texts of the dictionary and their bytes, and [width, stored bytes, CRC-32] of the codes of each chunk. */
  coded: Type.Union([Type.Null(), Type.Object({
    count: Type.Integer({ minimum: 1, maximum: limits.dictionaryValuesMax }),
    bytes: Type.Integer({ minimum: 0, maximum: limits.dictionaryBytesMax }),
    codes: Type.Array(Type.Tuple([Type.Union([Type.Literal(1), Type.Literal(2), Type.Literal(4)]), Type.Integer({ minimum: 1 }), Type.Integer({ minimum: 0 })])),
  })]),
});

/** What is known of a text column. */
interface Known {
  readonly bounds: readonly TextBounds[];
  readonly coded: KnownCodes | null;
}

interface PlacedCodes {
  readonly width: 1 | 2 | 4;
  readonly storedBytes: number;
  readonly crc: number;
  readonly offset: number;
}

interface KnownCodes {
  readonly dictionary: Dictionary;
  /** One a chunk. */
  readonly places: readonly PlacedCodes[];
  /** Fills the target with the stored codes of a chunk; false when they cannot be had. */
  load(chunk: number, target: Uint8Array): boolean;
}

/** A column of texts; `onClose` takes what is to be closed with the table. */
export function openTextColumn(context: ColumnContext, onClose: (close: () => void) => void): TableColumn {
  const { column, chunkCount, rowsOf } = context;
  const textsOf = (chunk: number) => readTexts(column, rowsOf(chunk), context.reader(chunk), (wrong) => { throw context.corrupt(chunk, wrong); });
  let found: Known | undefined;
  const known = () => (found ??= findKept(context, onClose) ?? derive(context, textsOf, onClose));
  return {
    name: column.name, dtype: column.dtype, rows: column.rows, chunkCount, nullable: false,
    chunkKey: context.chunkKey,
    statistics: (chunk) => ({ ...known().bounds[chunk]!, rows: rowsOf(chunk), nullCount: 0, storedBytes: context.storedBytes(chunk) }),
    dictionary: () => known().coded?.dictionary ?? null,
    decode(chunk, heap, allocate) {
      const { coded } = known();
      return withRoom(heap, allocate, (room) => (coded === null ? placeTexts(textsOf(chunk), rowsOf(chunk), room) : decodeCodes(coded, chunk, context, room)));
    },
  };
}

function findKept(context: ColumnContext, onClose: (close: () => void) => void): Known | undefined {
  const kept = findDerived(context.place, Facts);
  if (kept === undefined) return undefined;
  const known = understand(kept, context);
  if (known === undefined) kept.codes?.close();
  else if (kept.codes !== undefined) onClose(kept.codes.close);
  return known;
}

/** Undefined when the parts do not belong together. */
function understand({ facts, dictionary, codes }: DerivedFiles<Static<typeof Facts>>, context: ColumnContext): Known | undefined {
  if (facts.bounds.length !== context.chunkCount) return undefined;
  const bounds = facts.bounds.map(([minimum, maximum, truncated]): TextBounds => ({ minimum: bytesOf(minimum), maximum: maximum === null ? null : bytesOf(maximum), truncated }));
  if (facts.coded === null) return { bounds, coded: null };
  if (dictionary === undefined || codes === undefined || facts.coded.codes.length !== context.chunkCount) return undefined;
  const decoded = findDictionary(dictionary, facts.coded);
  const places = placesOf(facts.coded.codes.map(([width, storedBytes, crc]) => ({ width, storedBytes, crc })));
  const isPossible = places.every(({ width, storedBytes }, chunk) => storedBytes <= width * context.rowsOf(chunk));
  if (decoded === undefined || !isPossible) return undefined;
  return { bounds, coded: { dictionary: decoded, places, load: (chunk, target) => codes.readInto(places[chunk]!.offset, target) } };
}

/** Derives all there is to know, and keeps it in a file where that can be, in memory where not. */
function derive(context: ColumnContext, textsOf: (chunk: number) => Texts, onClose: (close: () => void) => void): Known {
  const derived = deriveTexts(context.column.name, context.chunkCount, textsOf);
  const { bounds, coded } = derived;
  const isKept = context.mayKeep() && keepDerived(context.place, { facts: factsOf(derived), dictionary: coded?.file, codes: coded?.codes.map(({ stored }) => stored) });
  const known = isKept ? findKept(context, onClose) : undefined;
  if (known !== undefined) return known;
  if (coded === null) return { bounds, coded: null };
  const places = placesOf(coded.codes.map(({ width, stored, crc }) => ({ width, storedBytes: stored.length, crc })));
  const dictionary = findDictionary(coded.file, coded);
  if (dictionary === undefined) throw new Error(`the dictionary derived from column '${context.column.name}' is damaged`);
  const load = (chunk: number, target: Uint8Array) => {
    target.set(coded.codes[chunk]!.stored);
    return true;
  };
  return { bounds, coded: { dictionary, places, load } };
}

function factsOf({ bounds, coded }: DerivedTexts): Static<typeof Facts> {
  return {
    bounds: bounds.map(({ minimum, maximum, truncated }) => [hexOf(minimum), maximum === null ? null : hexOf(maximum), truncated]),
    coded: coded === null ? null : { count: coded.count, bytes: coded.bytes, codes: coded.codes.map(({ width, stored, crc }) => [width, stored.length, crc]) },
  };
}

function placesOf(codes: readonly Omit<PlacedCodes, "offset">[]): PlacedCodes[] {
  let offset = 0;
  return codes.map((chunk) => {
    offset += chunk.storedBytes;
    return { ...chunk, offset: offset - chunk.storedBytes };
  });
}

/** Undefined when the file is not what it should be. */
function findDictionary(file: Uint8Array<ArrayBuffer>, { count, bytes }: { count: number; bytes: number }): Dictionary | undefined {
  const fail = (wrong: string) => { throw new BquerydError("CORRUPT_DICTIONARY", `a dictionary that was kept ${wrong}`); };
  try {
    return decodeDictionary(file, { id: `${sha256Hex(file)}.dict`, count, bytes, fail });
  } catch (cause) {
    if (cause instanceof BquerydError) return undefined;
    throw cause;
  }
}

function decodeCodes({ dictionary, places, load }: KnownCodes, chunk: number, context: ColumnContext, room: Room): Vector {
  const { width, storedBytes, crc } = places[chunk]!;
  const rows = context.rowsOf(chunk);
  const { heap } = room;
  const { kernels } = heap;
  const bytes = width * rows;
  const values = room.keep(bytes);
  const unpack = (stored: number) => {
    const target = kernels.bytes.subarray(stored, stored + storedBytes);
    if (!load(chunk, target) || crc32(target) !== crc) throw context.changed(chunk);
    if (stored !== values && kernels.lz4Decode(stored, storedBytes, values, bytes) !== bytes) throw context.changed(chunk);
  };
  if (storedBytes === bytes) unpack(values);
  else room.borrow(storedBytes, unpack);
  if (greatestCode(heap, values, rows, width) >= dictionary.count) throw context.changed(chunk);
  return { kind: "code", rows, width, values, base: 0n, step: 1n, nulls: 0, nullCount: 0, text: 0, ...room.owned() };
}

function greatestCode({ kernels }: Heap, values: number, rows: number, width: 1 | 2 | 4): number {
  switch (width) {
    case 1: return kernels.maxU8(values, rows);
    case 2: return kernels.maxU16(values, rows);
    case 4: return kernels.maxU32(values, rows) >>> 0;
  }
}

function placeTexts({ offsets, bytes }: Texts, rows: number, room: Room): Vector {
  const { kernels } = room.heap;
  const values = room.keep(4 * (rows + 1));
  const text = room.keep(Math.max(1, bytes.length));
  new Uint32Array(kernels.bytes.buffer, values, rows + 1).set(offsets);
  kernels.bytes.set(bytes, text);
  return { kind: "text", rows, width: 4, values, base: 0n, step: 1n, nulls: 0, nullCount: 0, text, ...room.owned() };
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}
