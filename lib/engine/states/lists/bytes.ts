/**
 * Lists and their items in the bytes of a partial, in as few bytes an item as are exact:
 *
 *   offsets   uint32 a group and one more
 *   items     `wide`: float64, or int64 for whole numbers beyond 2^53
 *             `single`: float32, of floats that all are float32
 *             1, 2 or 4 bytes: whole numbers less `base`; of texts, places in the domain
 *   domain    of texts: distinct, ascending
 *   counts    1, 2 or 4 bytes, or float64 (`wide`)
 */
import { isFloatDtype, isTextDtype, wholeRange, type TextDtype, type WholeDtype } from "../../../columns/dtypes.js";
import { countOf, isText } from "../../values.js";
import { requireCount, requireCounts, requireDtype, type ArrayReader, type Description, type StateWriter } from "../bytes.js";
import type { Items, NumberItems } from "./items.js";
import type { ItemLists, Tallies } from "./lists.js";

type Width = 1 | 2 | 4 | "single" | "wide";

/** Writes lists; what it gives is JSON that readLists gets back. */
export function writeLists({ offsets, items }: ItemLists, writer: StateWriter): Description {
  writer.array(offsets);
  return writeItems(items, writer);
}

/** Reads what writeLists wrote; throws on what is none. */
export function readLists(description: Description, groups: number, reader: ArrayReader): ItemLists {
  const offsets = reader.offsets(groups);
  return { offsets, items: readItems(description, offsets[groups]!, reader) };
}

/** Writes tallies, as writeLists does lists. */
export function writeTallies(tallies: Tallies, writer: StateWriter): Description {
  const items = writeLists(tallies, writer);
  return { items, counts: tallies.counts === null ? null : writeCounts(tallies.counts, writer) };
}

/** Reads what writeTallies wrote; throws on what is none. */
export function readTallies({ items, counts }: Description, groups: number, reader: ArrayReader): Tallies {
  const lists = readLists(requireDescription(items), groups, reader);
  if (counts === null) return { ...lists, counts };
  return { ...lists, counts: requireCounts(readNumbers(requireWidth(counts), 0, lists.items.array.length, reader)) };
}

function writeItems(items: Items, writer: StateWriter): Description {
  const { form, dtype } = items;
  switch (items.form) {
    case "wholes": writer.array(items.array); return { form, dtype };
    case "texts": {
      writeCodes(items.array, countOf(items.domain), writer);
      writer.values(items.domain);
      return { form, dtype, width: widthFor(countOf(items.domain)), domain: countOf(items.domain) };
    }
    case "numbers": return { form, dtype, ...writeNumbers(items, writer) };
  }
}

function writeNumbers({ dtype, array }: NumberItems, writer: StateWriter): Description {
  if (isFloatDtype(dtype)) return { base: 0, width: dtype === "float32" ? writeSingles(array, writer) : writeWide(array, writer) };
  let [least, greatest] = [Infinity, -Infinity];
  for (let k = 0; k < array.length; k++) {
    const value = array[k]!;
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  const base = array.length === 0 ? 0 : least;
  const width = widthFor(array.length === 0 ? 0 : greatest - least + 1);
  if (width === "wide") return { base: 0, width: writeWide(array, writer) };
  writer.array(narrow(array, base, width));
  return { base, width };
}

function writeSingles(array: Float64Array, writer: StateWriter): Width {
  const singles = new Float32Array(array);
  for (let k = 0; k < array.length; k++) if (singles[k] !== array[k]) return writeWide(array, writer);
  writer.array(new Uint32Array(singles.buffer));
  return "single";
}

function writeWide(array: Float64Array, writer: StateWriter): Width {
  writer.array(array);
  return "wide";
}

function writeCodes(codes: Uint32Array, end: number, writer: StateWriter): void {
  const width = widthFor(end);
  writer.array(width === 1 ? new Uint8Array(codes) : width === 2 ? new Uint16Array(codes) : codes);
}

function writeCounts(counts: Float64Array, writer: StateWriter): Width {
  let most = 0;
  for (let k = 0; k < counts.length; k++) if (counts[k]! > most) most = counts[k]!;
  const width = widthFor(most + 1);
  if (width === "wide") return writeWide(counts, writer);
  writer.array(narrow(counts, 0, width));
  return width;
}

/** The bytes that hold any whole number in [0, end). */
function widthFor(end: number): 1 | 2 | 4 | "wide" {
  return end <= 0x100 ? 1 : end <= 0x1_0000 ? 2 : end <= 0x1_0000_0000 ? 4 : "wide";
}

function narrow(array: Float64Array, base: number, width: 1 | 2 | 4): Uint8Array | Uint16Array | Uint32Array {
  const codes = width === 1 ? new Uint8Array(array.length) : width === 2 ? new Uint16Array(array.length) : new Uint32Array(array.length);
  for (let k = 0; k < array.length; k++) codes[k] = array[k]! - base;
  return codes;
}

function readItems({ form, dtype: named, width, base, domain }: Description, count: number, reader: ArrayReader): Items {
  const dtype = requireDtype(named);
  if (form === "texts" && isTextDtype(dtype)) return readTexts(dtype, requireWidth(width), requireCount(domain), count, reader);
  if (isTextDtype(dtype) || (form !== "numbers" && form !== "wholes")) throw new TypeError("items have no such form");
  if (form === "numbers") return requireNumbers({ form, dtype, array: readNumbers(requireWidth(width), requireBase(base), count, reader) });
  if (dtype === "bool" || isFloatDtype(dtype)) throw new TypeError(`whole numbers of ${dtype}`);
  return { form, dtype, array: reader.int64(count) };
}

function readTexts(dtype: TextDtype, width: Width, domainCount: number, count: number, reader: ArrayReader): Items {
  const array = new Uint32Array(readNumbers(width, 0, count, reader));
  for (const code of array) if (code >= domainCount) throw new RangeError("a place is beyond the domain");
  const domain = reader.values(dtype, domainCount);
  if (!isText(domain)) throw new TypeError("a domain of texts is of texts");
  return { form: "texts", dtype, array, domain };
}

function readNumbers(width: Width, base: number, count: number, reader: ArrayReader): Float64Array {
  if (width === "wide") return reader.float64(count);
  if (width === "single") return new Float64Array(viewSingles(reader.uint32(count)));
  const codes = width === 1 ? reader.uint8(count) : width === 2 ? reader.uint16(count) : reader.uint32(count);
  const array = new Float64Array(codes);
  if (base !== 0) for (let k = 0; k < array.length; k++) array[k] = array[k]! + base;
  return array;
}

function viewSingles(bits: Uint32Array): Float32Array {
  return new Float32Array(bits.buffer, bits.byteOffset, bits.length);
}

/** Throws on what is none of the dtype: for whole ones, also on what is not exact. */
function requireNumbers(items: NumberItems): NumberItems {
  const { array, dtype } = items;
  if (isFloatDtype(dtype)) {
    let isAnyNaN = false;
    for (let k = 0; k < array.length; k++) isAnyNaN ||= array[k] !== array[k];
    if (isAnyNaN) throw new RangeError(`a value is none of ${dtype}`);
    return items;
  }
  const [least, greatest] = rangeOf(dtype);
  for (let k = 0; k < array.length; k++) {
    const value = array[k]!;
    if (!(value >= least && value <= greatest) || Math.floor(value) !== value) throw new RangeError(`a value is none of ${dtype}`);
  }
  return items;
}

function rangeOf(dtype: WholeDtype): readonly [number, number] {
  const { least, greatest } = wholeRange(dtype);
  return [Math.max(Number(least), -(2 ** 53)), Math.min(Number(greatest), 2 ** 53)];
}

function requireBase(value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value)) throw new RangeError("a base is none");
  return value;
}

function requireWidth(value: unknown): Width {
  if (value === 1 || value === 2 || value === 4 || value === "single" || value === "wide") return value;
  throw new TypeError("a width is none");
}

function requireDescription(value: unknown): Description {
  if (typeof value !== "object" || value === null) throw new TypeError("a description is missing");
  return { ...value };
}
