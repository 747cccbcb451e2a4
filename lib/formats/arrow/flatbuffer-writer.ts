/**
 * Writing flatbuffers, as flatbuffer.ts reads them: every table is followed by what it refers to. Numbers are at
 * multiples of their size, as readers that verify want them.
 */

/** A field of a table; absent ones are null. */
export type FlatField =
  | { readonly kind: "int"; readonly bits: 8 | 16 | 32 | 64; readonly value: number | bigint }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "table"; readonly fields: FlatFields }
  | { readonly kind: "tables"; readonly tables: readonly FlatFields[] }
  /** Structs of numbers of 64 bits. */
  | { readonly kind: "structs"; readonly count: number; readonly bytes: Uint8Array };

/** The fields of a table, by their number in the schema. */
export type FlatFields = readonly (FlatField | null)[];

/** A flatbuffer with that root table; its length is a multiple of 8. */
export function encodeFlatbuffer(root: FlatFields): Uint8Array {
  const writer = createWriter();
  const place = writer.reserve(4, 4);
  writer.setInt(place, 32, writeTable(writer, root) - place);
  writer.align(8);
  return writer.finish();
}

/** Shorthands for fields. */
export const flat = {
  int8: (value: number): FlatField => ({ kind: "int", bits: 8, value }),
  int16: (value: number): FlatField => ({ kind: "int", bits: 16, value }),
  int32: (value: number): FlatField => ({ kind: "int", bits: 32, value }),
  int64: (value: number): FlatField => ({ kind: "int", bits: 64, value: BigInt(value) }),
  bool: (value: boolean): FlatField => ({ kind: "int", bits: 8, value: value ? 1 : 0 }),
  text: (text: string): FlatField => ({ kind: "text", text }),
  table: (...fields: FlatFields): FlatField => ({ kind: "table", fields }),
  tables: (tables: readonly FlatFields[]): FlatField => ({ kind: "tables", tables }),
  structs: (count: number, bytes: Uint8Array): FlatField => ({ kind: "structs", count, bytes }),
};

interface Writer {
  /** Takes zeroed bytes at a multiple of `alignment`, gives their place. */
  reserve(bytes: number, alignment: number): number;
  /** Takes bytes so that the next place is a multiple, plus `rest`. */
  align(alignment: number, rest?: number): void;
  setInt(place: number, bits: 8 | 16 | 32 | 64, value: number | bigint): void;
  setBytes(place: number, bytes: Uint8Array): void;
  finish(): Uint8Array;
}

function createWriter(): Writer {
  let bytes = new Uint8Array(1_024);
  let view = new DataView(bytes.buffer);
  let used = 0;

  function take(count: number): number {
    const place = used;
    used += count;
    if (used > bytes.length) {
      const larger = new Uint8Array(Math.max(used, 2 * bytes.length));
      larger.set(bytes);
      bytes = larger;
      view = new DataView(bytes.buffer);
    }
    return place;
  }

  function align(alignment: number, rest = 0): void {
    take((alignment + rest - (used % alignment)) % alignment);
  }

  return {
    align,
    reserve(count, alignment) {
      align(alignment);
      return take(count);
    },
    setInt(place, bits, value) {
      switch (bits) {
        case 8: view.setInt8(place, Number(value)); break;
        case 16: view.setInt16(place, Number(value), true); break;
        case 32: view.setInt32(place, Number(value), true); break;
        case 64: view.setBigInt64(place, BigInt(value), true);
      }
    },
    setBytes: (place, source) => bytes.set(source, place),
    finish: () => bytes.slice(0, used),
  };
}

/** Bytes of a field within its table. */
function widthOf(field: FlatField): number {
  return field.kind === "int" ? field.bits / 8 : 4;
}

/** Writes a table and all that it refers to; gives its place. */
function writeTable(writer: Writer, fields: FlatFields): number {
  let bytes = 4;
  const places = fields.map((field) => {
    if (field === null) return 0;
    const width = widthOf(field);
    const place = Math.ceil(bytes / width) * width;
    bytes = place + width;
    return place;
  });
  const vtableBytes = 4 + 2 * fields.length;
  const vtable = writer.reserve(vtableBytes, 2);
  const table = writer.reserve(bytes, 8);
  writer.setInt(vtable, 16, vtableBytes);
  writer.setInt(vtable + 2, 16, bytes);
  writer.setInt(table, 32, table - vtable);
  for (const [at, field] of fields.entries()) {
    writer.setInt(vtable + 4 + 2 * at, 16, places[at]!);
    if (field !== null) writeField(writer, field, table + places[at]!);
  }
  return table;
}

function writeField(writer: Writer, field: FlatField, place: number): void {
  if (field.kind === "int") writer.setInt(place, field.bits, field.value);
  else writer.setInt(place, 32, writeTarget(writer, field) - place);
}

function writeTarget(writer: Writer, field: Exclude<FlatField, { kind: "int" }>): number {
  switch (field.kind) {
    case "table": return writeTable(writer, field.fields);
    case "text": {
      // A text is followed by a zero that does not count.
      const text = new TextEncoder().encode(field.text);
      return writeVector(writer, { count: text.length, bytes: text, room: text.length + 1, alignment: 4 });
    }
    case "structs": return writeVector(writer, { count: field.count, bytes: field.bytes, room: field.bytes.length, alignment: 8 });
    case "tables": {
      const { tables } = field;
      const place = writeVector(writer, { count: tables.length, bytes: new Uint8Array(0), room: 4 * tables.length, alignment: 4 });
      for (const [at, fields] of tables.entries()) {
        const slot = place + 4 + 4 * at;
        writer.setInt(slot, 32, writeTable(writer, fields) - slot);
      }
      return place;
    }
  }
}

function writeVector(writer: Writer, { count, bytes, room, alignment }: { count: number; bytes: Uint8Array; room: number; alignment: number }): number {
  writer.align(alignment, alignment - 4);
  const place = writer.reserve(4 + room, 4);
  writer.setInt(place, 32, count);
  writer.setBytes(place + 4, bytes);
  return place;
}
