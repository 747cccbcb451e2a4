/** Codes of a dictionary and plain texts, from the raw bytes of a chunk. */
import { highestCode, requireWidth, takeValues, viewOf, type ChunkSource, type Payload, type Room, type SharedPages, type Values } from "./room.js";
import { dictionaryParameterBytes } from "../files/payload.js";

/** The codes of a chunk, each verified against the dictionary. */
export function decodeCodes(source: ChunkSource, room: Room, payload: Payload, pages: SharedPages): Values {
  const parameters = viewOf(room, payload);
  if (source.record.encoding === "constant") {
    const code = parameters.getBigUint64(0, true);
    if (code >= BigInt(source.dictionaryCount)) source.fail("a code is past the end of the dictionary");
    return code === 0n ? { width: 1, values: pages.zeros } : fillCodes(source, room, Number(code));
  }
  const width = requireWidth(source, parameters.getUint8(0), payload.bytes - dictionaryParameterBytes);
  const values = takeValues(source, room, payload.at + dictionaryParameterBytes, source.rows, width);
  if (highestCode(source, room, values, width) >= source.dictionaryCount) source.fail("a code is past the end of the dictionary");
  return { width, values };
}

function fillCodes(source: ChunkSource, room: Room, code: number): Values {
  const { buffer } = room.heap.kernels.bytes;
  const width = code <= 0xff ? 1 : code <= 0xffff ? 2 : 4;
  const values = room.keep(width * source.rows);
  switch (width) {
    case 1: new Uint8Array(buffer, values, source.rows).fill(code); break;
    case 2: new Uint16Array(buffer, values, source.rows).fill(code); break;
    case 4: new Uint32Array(buffer, values, source.rows).fill(code);
  }
  return { width, values };
}

/** The texts of a chunk, their offsets verified. */
export function decodeTexts(source: ChunkSource, room: Room, payload: Payload): Values {
  const { kernels } = room.heap;
  const offsetBytes = 4 * (source.rows + 1);
  const textBytes = payload.bytes - offsetBytes;
  const values = takeValues(source, room, payload.at, source.rows + 1, 4);
  const offsets = new Uint32Array(kernels.bytes.buffer, values, source.rows + 1);
  if (offsets[0] !== 0 || offsets[source.rows] !== textBytes || kernels.isAscendingU32(values, offsets.length) === 0) source.fail("its offsets are out of order");
  const text = room.keep(Math.max(1, textBytes));
  kernels.bytes.copyWithin(text, payload.at + offsetBytes, payload.at + payload.bytes);
  return { width: 4, values, text };
}
