/**
 * JSON text cut into blocks of whole objects: one object a line (NDJSON), or the elements of one list, which begins with
 * `[`.
 */
import { BquerydError } from "../../base/errors.js";
import { joinBlocks } from "../input/byte-input.js";
import type { ByteBlock } from "../input/byte-input.js";
import type { Reject } from "../source.js";

/** A run of whole objects. */
export interface RecordBlock {
  /** Owned by whoever gets it, with its buffer. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Line of the input at which the bytes begin. */
  readonly firstLine: number;
  /** The objects, three numbers each: start, end, line; null: one a line. */
  readonly records: Uint32Array | null;
  /** Lines that were too long to be kept. */
  readonly rejects: readonly Reject[];
  readonly bytesDone: number;
}

type Cut = Omit<RecordBlock, "bytesDone">;

/** Takes an input block by block. */
interface Cutter {
  /** The objects that end in a block, which it takes over, and then a line that has become too long. */
  push(block: Uint8Array<ArrayBuffer>): readonly Cut[];
  /** What is left at the end. */
  finish(): Cut | undefined;
}

/** Limits that tests lower. */
export interface RecordLimits {
  /** Bytes of one object. */
  readonly recordBytesMax: number;
}

const usualLimits: RecordLimits = { recordBytesMax: 64 * 1024 * 1024 };
const rejectTextMax = 1_000;
const lineFeed = 0x0a;
const noBytes = new Uint8Array(0);

/** Yields the objects of a file in order. Throws BAD_INPUT for a list that is cut or unsound, and what reading throws. */
export async function* cutRecords(path: string, blocks: AsyncIterable<ByteBlock>, limits: RecordLimits = usualLimits): AsyncGenerator<RecordBlock> {
  let cutter: Cutter | undefined;
  let line = 1;
  let done = 0;
  for await (const { block, bytesDone } of blocks) {
    done = bytesDone;
    const first = block.find((byte) => !isBlank(byte));
    if (cutter === undefined && first === undefined) line += countLines(block);
    else {
      cutter ??= first === 0x5b ? createListCutter(path, line, limits) : createLineCutter(line, limits);
      for (const cut of cutter.push(block)) yield { ...cut, bytesDone };
    }
  }
  const last = cutter?.finish();
  if (last !== undefined) yield { ...last, bytesDone: done };
}

function createLineCutter(firstLine: number, { recordBytesMax }: RecordLimits): Cutter {
  let line = firstLine;
  let carried: Uint8Array<ArrayBuffer>[] = [];
  let carriedBytes = 0;
  let isSkipping = false;

  function take(bytes: Uint8Array<ArrayBuffer>): Cut {
    const cut = { bytes, firstLine: line, records: null, rejects: [] };
    line += countLines(bytes);
    carried = [];
    carriedBytes = 0;
    return cut;
  }

  /** Keeps the beginning of a line until its end comes; gives the line as rejected once it is too long. */
  function carry(bytes: Uint8Array<ArrayBuffer>): Cut[] {
    if (bytes.length > 0) carried.push(bytes);
    carriedBytes += bytes.length;
    if (carriedBytes <= recordBytesMax) return [];
    const text = Buffer.concat(carried).subarray(0, rejectTextMax * 4).toString().slice(0, rejectTextMax);
    isSkipping = true;
    return [{ ...take(new Uint8Array(0)), rejects: [{ line, reason: `the line is longer than ${recordBytesMax} bytes`, text }] }];
  }

  return {
    push(block) {
      let from = 0;
      if (isSkipping) {
        from = block.indexOf(lineFeed) + 1;
        if (from === 0) return [];
        isSkipping = false;
        line++;
      }
      const end = block.lastIndexOf(lineFeed) + 1;
      // In memory of its own: the block goes away with what is cut from it.
      const rest = block.slice(Math.max(from, end));
      if (end <= from) return carry(rest);
      const cut = take(joinBlocks([...carried, block.subarray(from, end)]));
      return [cut, ...carry(rest)];
    },
    finish: () => (carriedBytes === 0 ? undefined : take(joinBlocks(carried))),
  };
}

/** An element of a list that is under way. */
interface Element {
  /** Brackets that are open. */
  depth: number;
  readonly line: number;
  isString: boolean;
  /** Whether the byte before was a backslash that counts. */
  isEscape: boolean;
}

/** What may come next in a list, outside of its elements. */
type Expected = "list" | "first" | "element" | "separator" | "nothing";

function createListCutter(path: string, firstLine: number, { recordBytesMax }: RecordLimits): Cutter {
  let line = firstLine;
  let expected: Expected = "list";
  let element: Element | undefined;
  /** The bytes of the element under way, all of them looked at. */
  let carried: Uint8Array<ArrayBuffer> = noBytes;

  return {
    push(block) {
      const bytes = joinBlocks([carried, block]);
      const records: number[] = [];
      let start = 0;
      const close = (end: number): void => {
        records.push(start, end, element!.line);
        element = undefined;
        expected = "separator";
      };
      for (let at = carried.length; at < bytes.length; at++) {
        const byte = bytes[at]!;
        const step = element === undefined ? "before" : followElement(element, byte);
        if (step === "with") close(at + 1);
        else if (step === "before") {
          if (element !== undefined) close(at);
          const next = nextInList(expected, byte);
          if (next === "wrong") throw unsoundList(path, line, expected === "nothing" ? "something follows the list" : "a comma too few or too many stands");
          if (next === "begun") {
            start = at;
            element = { depth: 0, line, isString: false, isEscape: false };
            followElement(element, byte);
          } else expected = next;
        }
        if (byte === lineFeed) line++;
      }
      carried = element === undefined ? noBytes : bytes.slice(start);
      if (carried.length > recordBytesMax) throw unsoundList(path, line, `an element is longer than ${recordBytesMax} bytes`);
      return records.length === 0 ? [] : [{ bytes, firstLine, records: Uint32Array.from(records), rejects: [] }];
    },
    finish() {
      if (expected !== "nothing") throw unsoundList(path, line, "it has no end");
      return undefined;
    },
  };
}

/** What may come after a byte between elements; `begun` when an element begins with it. */
function nextInList(expected: Expected, byte: number): Expected | "begun" | "wrong" {
  if (isBlank(byte)) return expected;
  if (expected === "list") return "first";
  if (expected === "nothing") return "wrong";
  if (byte === 0x5d) return expected === "element" ? "wrong" : "nothing";
  if (byte === 0x2c) return expected === "separator" ? "element" : "wrong";
  return expected === "separator" ? "wrong" : "begun";
}

/** Looks at a byte of an element: whether it goes on, ends with this byte, or ended before it. */
function followElement(element: Element, byte: number): "on" | "with" | "before" {
  if (element.isString) {
    const isEnd = byte === 0x22 && !element.isEscape;
    element.isEscape = byte === 0x5c && !element.isEscape;
    element.isString = !isEnd;
    return isEnd && element.depth === 0 ? "with" : "on";
  }
  if (byte === 0x22) element.isString = true;
  else if (byte === 0x7b || byte === 0x5b) element.depth++;
  else if (element.depth === 0) return byte === 0x2c || byte === 0x5d || isBlank(byte) ? "before" : "on";
  else if (byte === 0x7d || byte === 0x5d) {
    element.depth--;
    if (element.depth === 0) return "with";
  }
  return "on";
}

function unsoundList(path: string, line: number, what: string): BquerydError {
  return new BquerydError("BAD_INPUT", `${path} is no sound JSON list: ${what} in line ${line}; write it again, or give one object a line`, { details: { path, line } });
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === lineFeed;
}

function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(lineFeed); at !== -1; at = bytes.indexOf(lineFeed, at + 1)) lines++;
  return lines;
}
