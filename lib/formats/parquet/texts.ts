/**
 * The values of Parquet pages of BYTE_ARRAY and FIXED_LEN_BYTE_ARRAY, as texts; codes stay codes.
 *
 * | encoding | bytes |
 * |---|---|
 * | PLAIN | u32 length and the bytes of each value; of fixed length the bytes alone |
 * | PLAIN_DICTIONARY, RLE_DICTIONARY | u8 width and runs of dictionary codes |
 * | DELTA_LENGTH_BYTE_ARRAY | lengths as in delta.ts, then all bytes |
 * | DELTA_BYTE_ARRAY | lengths shared with the value before, then the rest as DELTA_LENGTH_BYTE_ARRAY |
 * | BYTE_STREAM_SPLIT | of fixed length: all first bytes, all second bytes, and so on |
 */
import type { Texts } from "../../columns/texts.js";
import { createDeltas } from "./delta.js";
import type { Deltas } from "./delta.js";
import type { Page } from "./pages.js";
import { openCodeReader, requireNone } from "./values.js";
import { damaged } from "./varint.js";
import type { TextGatherer } from "../values/text-gatherer.js";

/** Reads on and on through texts, nulls left out. */
export interface TextValues {
  /** Adds a row for each entry of `present` up to `count`: the next value where it is 1, an empty one where it is 0. */
  read(target: TextGatherer, present: Uint32Array | null, count: number): void;
}

/** The texts of a page; `lengthBytes` is the length of each where it is fixed, else null. */
export function openTextValues(lengthBytes: number | null, page: Page, dictionary: Texts | null): TextValues {
  const { encoding, values } = page;
  if (values.length === 0) return eachOf(() => requireNone(1));
  switch (encoding) {
    case "PLAIN": return lengthBytes === null ? eachOf(openPlain(values)) : eachOf(openFixed(values, lengthBytes));
    case "PLAIN_DICTIONARY": case "RLE_DICTIONARY": return openCodes(values, dictionary);
    case "DELTA_LENGTH_BYTE_ARRAY": return eachOf(openDeltaLengths(values));
    case "DELTA_BYTE_ARRAY": return eachOf(openFrontCoded(values));
    case "BYTE_STREAM_SPLIT":
      if (lengthBytes !== null) return eachOf(openSplit(values, lengthBytes));
      break;
  }
  throw damaged(`texts in the encoding ${encoding}`);
}

/** All texts of a dictionary page. */
export function readTextDictionary(lengthBytes: number | null, page: Page, createGatherer: (rows: number) => TextGatherer): Texts {
  if (page.count * (lengthBytes ?? 4) > page.values.length) throw damaged("a dictionary cut short");
  const gatherer = createGatherer(page.count);
  openTextValues(lengthBytes, { ...page, encoding: "PLAIN" }, null).read(gatherer, null, page.count);
  return gatherer.finish();
}

/** Adds the next value to what is gathered. */
type Next = (target: TextGatherer) => void;

function eachOf(next: Next): TextValues {
  return {
    read(target, present, count) {
      for (let i = 0; i < count; i++) {
        if (present === null || present[i] === 1) next(target);
        else target.addEmpty();
      }
    },
  };
}

function openPlain(values: Uint8Array): Next {
  let at = 0;
  return (target) => {
    const from = at + 4;
    if (from > values.length) throw damaged("values cut short");
    const length = (values[at]! | (values[at + 1]! << 8) | (values[at + 2]! << 16) | (values[at + 3]! << 24)) >>> 0;
    at = from + length;
    if (at > values.length) throw damaged("values cut short");
    target.add(values, from, at);
  };
}

function openFixed(values: Uint8Array, lengthBytes: number): Next {
  let at = 0;
  return (target) => {
    const from = at;
    at += lengthBytes;
    if (at > values.length) throw damaged("values cut short");
    target.add(values, from, at);
  };
}

function openCodes(values: Uint8Array, dictionary: Texts | null): TextValues {
  if (dictionary === null) throw damaged("codes without a dictionary");
  const readCodes = openCodeReader(values, dictionary.offsets.length - 1);
  return {
    read: (target, present, count) => target.addCodes(dictionary, readCodes(present === null ? count : countOnes(present, count)), present, count),
  };
}

function countOnes(present: Uint32Array, count: number): number {
  let ones = 0;
  for (let i = 0; i < count; i++) ones += present[i]!;
  return ones;
}

/** The next length of those that differences give. */
function lengthsOf(deltas: Deltas): () => number {
  const one = new Int32Array(1);
  return () => {
    deltas.read(one, 0, 1, false);
    if (one[0]! < 0) throw damaged("a text of a negative length");
    return one[0]!;
  };
}

function openDeltaLengths(values: Uint8Array): Next {
  const place = { bytes: values, at: 0, end: values.length };
  const nextLength = lengthsOf(createDeltas(place));
  let at = place.at;
  return (target) => {
    const from = at;
    at += nextLength();
    if (at > values.length) throw damaged("values cut short");
    target.add(values, from, at);
  };
}

function openFrontCoded(values: Uint8Array): Next {
  const place = { bytes: values, at: 0, end: values.length };
  const nextShared = lengthsOf(createDeltas(place));
  const nextLength = lengthsOf(createDeltas(place));
  let at = place.at;
  let last = new Uint8Array(256);
  let lastLength = 0;
  return (target) => {
    const shared = nextShared();
    const length = nextLength();
    if (shared > lastLength || at + length > values.length) throw damaged("values cut short");
    if (shared + length > last.length) {
      const larger = new Uint8Array(2 * (shared + length));
      larger.set(last.subarray(0, shared));
      last = larger;
    }
    last.set(values.subarray(at, at + length), shared);
    at += length;
    lastLength = shared + length;
    target.add(last, 0, lastLength);
  };
}

function openSplit(values: Uint8Array, lengthBytes: number): Next {
  const total = Math.floor(values.length / lengthBytes);
  const value = new Uint8Array(lengthBytes);
  let done = 0;
  return (target) => {
    if (done === total) throw damaged("values cut short");
    for (let i = 0; i < lengthBytes; i++) value[i] = values[i * total + done]!;
    done += 1;
    target.add(value, 0, lengthBytes);
  };
}
