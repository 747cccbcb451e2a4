/**
 * Lists and their items in the bytes of a partial, in as few bytes an item as are exact:
 *
 *   offsets   uint32 a group and one more
 *   items     `wide`: float64, or int64 for whole numbers beyond 2^53
 *             `single`: float32, of floats that all are float32
 *             1, 2 or 4 bytes: whole numbers less `base` (numbers.ts); of texts, places in the domain
 *   domain    of texts: distinct, ascending
 *   counts    as whole numbers
 */
import { isFloatDtype, isTextDtype, wholeRange, type TextDtype, type WholeDtype } from "../../../columns/dtypes.js";
import { countOf, isText } from "../../values.js";
import { requireCount, requireDtype, type ArrayReader, type Description, type StateWriter } from "../bytes.js";
import { readCodes, readCounts, readWholes, writeCodes, writeWholes } from "../numbers.js";
import type { Items, NumberItems } from "./items.js";
import type { ItemLists, Tallies } from "./lists.js";

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
  return { items, counts: tallies.counts === null ? null : writeWholes(tallies.counts, writer) };
}

/** Reads what writeTallies wrote; throws on what is none. */
export function readTallies({ items, counts }: Description, groups: number, reader: ArrayReader): Tallies {
  const lists = readLists(requireDescription(items), groups, reader);
  if (counts === null) return { ...lists, counts };
  return { ...lists, counts: readCounts(requireDescription(counts), lists.items.array.length, reader) };
}

function writeItems(items: Items, writer: StateWriter): Description {
  const { form, dtype } = items;
  switch (items.form) {
    case "wholes": writer.array(items.array); return { form, dtype };
    case "texts": {
      const width = writeCodes(items.array, countOf(items.domain), writer);
      writer.values(items.domain);
      return { form, dtype, width, domain: countOf(items.domain) };
    }
    case "numbers": return { form, dtype, ...(isFloatDtype(dtype) ? writeFloats(items, writer) : writeWholes(items.array, writer)) };
  }
}

function writeFloats({ dtype, array }: NumberItems, writer: StateWriter): Description {
  const singles = dtype === "float32" ? new Float32Array(array) : null;
  if (singles === null || !isSame(singles, array)) {
    writer.array(array);
    return { width: "wide" };
  }
  writer.array(new Uint32Array(singles.buffer));
  return { width: "single" };
}

function isSame(singles: Float32Array, array: Float64Array): boolean {
  for (let k = 0; k < array.length; k++) if (singles[k] !== array[k]) return false;
  return true;
}

function readItems(description: Description, count: number, reader: ArrayReader): Items {
  const { form, dtype: named, width, domain } = description;
  const dtype = requireDtype(named);
  if (form === "texts" && isTextDtype(dtype)) return readTexts(dtype, width, requireCount(domain), count, reader);
  if (isTextDtype(dtype) || (form !== "numbers" && form !== "wholes")) throw new TypeError("items have no such form");
  if (form === "numbers") return requireNumbers({ form, dtype, array: isFloatDtype(dtype) ? readFloats(width, count, reader) : readWholes(description, count, reader) });
  if (dtype === "bool" || isFloatDtype(dtype)) throw new TypeError(`whole numbers of ${dtype}`);
  return { form, dtype, array: reader.int64(count) };
}

function readTexts(dtype: TextDtype, width: unknown, domainCount: number, count: number, reader: ArrayReader): Items {
  const array = readCodes(width, count, domainCount, reader);
  const domain = reader.values(dtype, domainCount);
  if (!isText(domain)) throw new TypeError("a domain of texts is of texts");
  return { form: "texts", dtype, array, domain };
}

function readFloats(width: unknown, count: number, reader: ArrayReader): Float64Array {
  if (width === "single") {
    const singles = viewSingles(reader.uint32(count));
    reader.grow(8 * count);
    return new Float64Array(singles);
  }
  if (width === "wide") return reader.float64(count);
  throw new TypeError("a width is none");
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

function requireDescription(value: unknown): Description {
  if (typeof value !== "object" || value === null) throw new TypeError("a description is missing");
  return { ...value };
}
