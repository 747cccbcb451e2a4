/** Texts, and codes of a dictionary, as the raw bytes of a chunk. */
import type { Kernels } from "../../kernels/kernels.js";
import type { Arena } from "./arena.js";
import { bytesOf, constantPayload, firstRow, openPayload, place, type Payload, type Rows } from "./payload.js";
import { bitmapBytes, dictionaryParameterBytes } from "../files/payload.js";
import { compareBytes, textBounds } from "../text-order.js";
import { requireKeys } from "../dictionary/text-keys.js";
import type { Texts } from "../texts.js";

/** Bytes of the raw chunk of plain texts. */
export function textRoom(rows: number, nullCount: number, textBytes: number): number {
  return bitmapBytes(nullCount, rows) + 4 * (rows + 1) + textBytes;
}

/** The payload of plain texts; some row is not null. */
export function encodeTexts(arena: Arena, rows: Rows, offsets: Uint32Array, bytes: Uint8Array): Payload {
  const kernels = arena.kernels();
  const room = openPayload(arena, rows, new Uint8Array(0), offsets.byteLength + bytes.length);
  const textAt = room.valuesAt + offsets.byteLength;
  kernels.bytes.set(bytesOf(offsets), room.valuesAt);
  kernels.bytes.set(bytes, textAt);
  const bounds = boundsOfTexts(kernels, { offsetsAt: room.valuesAt, textAt, nulls: rows.nulls, count: rows.count });
  return { ...room, encoding: "plain", valueCount: rows.count + 1, width: 4, ...bounds };
}

/** The bounds of texts whose offsets, bytes and nulls (0: none) lie in the kernels' memory; some row is not null. */
export function boundsOfTexts({ bytes, leastText, greatestText }: Kernels, { offsetsAt, textAt, nulls, count }: { readonly offsetsAt: number; readonly textAt: number; readonly nulls: number; readonly count: number }): Bounds {
  // The offsets have no alignment; kernels do not need one.
  const view = new DataView(bytes.buffer);
  const textOf = (row: number) => bytes.subarray(textAt + view.getUint32(offsetsAt + 4 * row, true), textAt + view.getUint32(offsetsAt + 4 * row + 4, true));
  return textBounds(textOf(leastText(offsetsAt, textAt, nulls, count)), textOf(greatestText(offsetsAt, textAt, nulls, count)));
}

/** The payload of codes into a dictionary; some row is not null. */
export function encodeCodes(arena: Arena, rows: Rows, values: Uint32Array, entries: () => Texts): Payload {
  const kernels = arena.kernels();
  const { count } = rows;
  const source = place(arena, bytesOf(values));
  const codes = new Uint32Array(kernels.bytes.buffer, source, count);
  if (rows.nullCount > 0) kernels.fillNullsU32(source, rows.nulls, count, codes[firstRow(arena, rows)]!);
  const bounds = boundsOfCodes(codes, entries);
  const highest = kernels.maxU32(source, count);
  if (rows.nullCount === 0 && codes.every((code) => code === highest)) return { ...constantPayload(arena, rows, BigInt64Array.of(BigInt(highest)), 0n), ...bounds };
  if (rows.nullCount > 0) kernels.fillNullsU32(source, rows.nulls, count, 0);
  const width = highest <= 0xff ? 1 : highest <= 0xffff ? 2 : 4;
  const parameters = new Uint8Array(dictionaryParameterBytes);
  parameters[0] = width;
  const room = openPayload(arena, rows, parameters, count * width);
  switch (width) {
    case 1: kernels.packCodesU8(source, count, room.valuesAt); break;
    case 2: kernels.packCodesU16(source, count, room.valuesAt); break;
    case 4: kernels.bytes.copyWithin(room.valuesAt, source, source + 4 * count);
  }
  return { ...room, encoding: "dictionary", valueCount: count, width, ...bounds };
}

type Bounds = Pick<Payload, "minimum" | "maximum" | "truncated">;

/** The bounds of the texts that rows have. */
function boundsOfCodes(codes: Uint32Array, entries: () => Texts): Bounds {
  const { texts: { offsets, bytes }, keys } = requireKeys(entries);
  let least = codes[0]!;
  let greatest = least;
  for (let row = 1; row < codes.length; row++) {
    const code = codes[row]!;
    if (code === least || code === greatest) continue;
    const key = keys[code]!;
    if (key > keys[least]! && key < keys[greatest]!) continue;
    const start = offsets[code]!;
    const end = offsets[code + 1]!;
    if (compareBytes(bytes, start, end, offsets[least]!, offsets[least + 1]!) < 0) least = code;
    else if (compareBytes(bytes, start, end, offsets[greatest]!, offsets[greatest + 1]!) > 0) greatest = code;
  }
  return textBounds(bytes.subarray(offsets[least], offsets[least + 1]), bytes.subarray(offsets[greatest], offsets[greatest + 1]));
}
