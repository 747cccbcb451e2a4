/**
 * Reading flatbuffers (flatbuffers.dev/internals), which Arrow's metadata is in, with every place checked.
 *
 * | at | type | content |
 * |---|---|---|
 * | 0 | u32 | place of the root table |
 * | table | i32 | how far before it its vtable lies; then its fields |
 * | vtable | u16, u16 | its bytes, bytes of the table; then a u16 a field: place within the table, 0 for none |
 * | table, vector, text | | a field holds how far after it they lie; vectors and texts begin with a u32 count |
 */

/** A table; a field is asked for by its number in the schema. Reading outside the bytes throws a RangeError. */
export interface FlatTable {
  /** A signed number of 8, 16 or 32 bits; `otherwise` for an absent field. */
  int(field: number, bits: 8 | 16 | 32, otherwise: number): number;
  bool(field: number): boolean;
  /** A signed number of 64 bits, 0 for an absent field. Throws for one that is negative or no safe integer. */
  size(field: number): number;
  /** A signed number of 64 bits, 0 for an absent field. */
  long(field: number): bigint;
  text(field: number): string;
  table(field: number): FlatTable | null;
  tables(field: number): readonly FlatTable[];
  /** The bytes of a vector of structs of `bytes` each; empty for an absent field. */
  structs(field: number, bytes: number): DataView;
}

/** The most tables of one vector. */
const tablesMax = 100_000;

/** The root table of a flatbuffer. */
export function readFlatbuffer(bytes: Uint8Array): FlatTable {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return tableAt(view, view.getUint32(0, true));
}

function tableAt(view: DataView, at: number): FlatTable {
  const vtable = at - view.getInt32(at, true);
  const vtableBytes = view.getUint16(vtable, true);
  /** Where a field is; 0 for an absent one. */
  const placeOf = (field: number): number => {
    const slot = 4 + 2 * field;
    const place = slot + 2 > vtableBytes ? 0 : view.getUint16(vtable + slot, true);
    return place === 0 ? 0 : at + place;
  };
  const targetOf = (field: number): number => {
    const place = placeOf(field);
    return place === 0 ? 0 : place + view.getUint32(place, true);
  };
  /** First byte and count of a vector of elements of `bytes` each. */
  const vectorOf = (field: number, bytes: number): { start: number; count: number } => {
    const target = targetOf(field);
    if (target === 0) return { start: 0, count: 0 };
    const count = view.getUint32(target, true);
    if (target + 4 + count * bytes > view.byteLength) throw new RangeError("a vector past the end of its metadata");
    return { start: target + 4, count };
  };
  const long = (field: number): bigint => {
    const place = placeOf(field);
    return place === 0 ? 0n : view.getBigInt64(place, true);
  };
  return {
    long,
    int: (field, bits, otherwise) => {
      const place = placeOf(field);
      if (place === 0) return otherwise;
      return bits === 8 ? view.getInt8(place) : bits === 16 ? view.getInt16(place, true) : view.getInt32(place, true);
    },
    bool: (field) => placeOf(field) !== 0 && view.getUint8(placeOf(field)) !== 0,
    size: (field) => requireSize(long(field)),
    text: (field) => {
      const { start, count } = vectorOf(field, 1);
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(new Uint8Array(view.buffer, view.byteOffset + start, count));
    },
    table: (field) => (targetOf(field) === 0 ? null : tableAt(view, targetOf(field))),
    tables: (field) => {
      const { start, count } = vectorOf(field, 4);
      if (count > tablesMax) throw new RangeError(`${count} entries in its metadata`);
      return Array.from({ length: count }, (_, i) => tableAt(view, start + 4 * i + view.getUint32(start + 4 * i, true)));
    },
    structs: (field, bytes) => {
      const { start, count } = vectorOf(field, bytes);
      return new DataView(view.buffer, view.byteOffset + start, count * bytes);
    },
  };
}

/** A size from outside as a number; throws for one that is negative or past 2^53. */
export function requireSize(value: bigint): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError(`a size of ${value}`);
  return Number(value);
}
