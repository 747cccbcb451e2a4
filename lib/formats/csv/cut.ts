/** Cuts CSV text into blocks of whole records, without looking at what is in them where no quote is. */
import { createArena } from "../../columns/encode/arena.js";
import type { Arena } from "../../columns/encode/arena.js";
import { joinBlocks } from "../input/byte-input.js";
import type { ByteBlock } from "../input/byte-input.js";

/** How blocks are cut. */
export interface CutOptions {
  readonly delimiter: number;
  /** A block is about as large, unless a record is larger. */
  readonly blockBytes: number;
  /** A record that is longer is left out. */
  readonly recordBytesMax: number;
}

/** A block of whole records, or a record that is too long to be kept. */
export type CsvPiece =
  | {
    /** Its buffer holds nothing else. */
    readonly block: Uint8Array<ArrayBuffer>;
    /** Bytes of the file used up to its end, or a little more. */
    readonly bytesDone: number;
  }
  | {
    /** The start of the record. */
    readonly tooLong: Buffer;
    /** Line ends in it. */
    readonly lines: number;
    readonly bytesDone: number;
  };

/** What csvCut finds; places are in the block. */
interface Cut {
  readonly cut: number;
  readonly isTooLong: boolean;
  readonly start: number;
  readonly line: number;
}

interface Skipped {
  readonly start: Buffer;
  lines: number;
}

const quote = 34;
const lf = 10;
const cr = 13;
const marginBytes = 64;
const shownBytes = 4_096;

/** Pieces in order. Where one is cut does not change what the records are. */
export async function* cutRecords(blocks: AsyncIterable<ByteBlock>, options: CutOptions): AsyncGenerator<CsvPiece> {
  const cutter = createCutter(options);
  let bytesDone = 0;
  for await (const next of blocks) {
    bytesDone = next.bytesDone;
    cutter.add(next.block);
    if (cutter.isFull()) for (const piece of cutter.takePieces(false)) yield { ...piece, bytesDone };
  }
  for (const piece of cutter.takePieces(true)) yield { ...piece, bytesDone };
}

type Piece = { readonly block: Uint8Array<ArrayBuffer> } | { readonly tooLong: Buffer; readonly lines: number };

interface Cutter {
  /** Takes bytes over, with their buffer. */
  add(bytes: Uint8Array<ArrayBuffer>): void;
  /** Tells whether there is enough to cut. */
  isFull(): boolean;
  takePieces(isLast: boolean): Generator<Piece>;
}

function createCutter(options: CutOptions): Cutter {
  const findCut = createCutFinder(options);
  let held: Uint8Array<ArrayBuffer>[] = [];
  let heldBytes = 0;
  let wantedBytes = options.blockBytes;
  let skipped: Skipped | undefined;
  let dropsLf = false;

  function hold(bytes: Uint8Array<ArrayBuffer>): void {
    held = bytes.length === 0 ? [] : [bytes];
    heldBytes = bytes.length;
  }

  /** Takes what still belongs to a record that is left out; gives the rest. */
  function* skip(bytes: Buffer): Generator<Piece, Buffer> {
    const end = dropsLf && bytes[0] === lf ? 1 : 0;
    if (bytes.length > 0) dropsLf = false;
    if (skipped === undefined) return bytes.subarray(end);
    const place = findLineEnd(bytes, 0);
    if (place < 0) return bytes.subarray(bytes.length);
    yield endSkip(skipped);
    return afterLineEnd(bytes, place);
  }

  function endSkip({ start, lines }: Skipped): Piece {
    skipped = undefined;
    return { tooLong: start, lines: lines + 1 };
  }

  function afterLineEnd(bytes: Buffer, place: number): Buffer {
    dropsLf = bytes[place] === cr && place + 1 === bytes.length;
    return bytes.subarray(place + (bytes[place] === cr && bytes[place + 1] === lf ? 2 : 1));
  }

  /** Leaves a record out, as far as it is there; gives what is behind it. */
  function* leaveOut(bytes: Buffer, { start, line }: Cut): Generator<Piece, Buffer> {
    if (line > 0) {
      yield { tooLong: Buffer.from(bytes.subarray(start, Math.min(line, start + shownBytes))), lines: countLineEnds(bytes.subarray(start, line)) };
      return bytes.subarray(line);
    }
    const place = findLineEnd(bytes, start + options.recordBytesMax);
    skipped = { start: Buffer.from(bytes.subarray(start, start + shownBytes)), lines: countLineEnds(bytes.subarray(start, place < 0 ? bytes.length : place)) };
    if (place < 0) return bytes.subarray(bytes.length);
    yield endSkip(skipped);
    return afterLineEnd(bytes, place);
  }

  return {
    add(bytes) {
      held.push(bytes);
      heldBytes += bytes.length;
    },
    isFull: () => heldBytes >= wantedBytes,
    * takePieces(isLast) {
      const { buffer, byteOffset, length } = joinBlocks(held);
      let bytes = yield* skip(Buffer.from(buffer, byteOffset, length));
      let found = findCut(bytes, isLast);
      for (; found?.isTooLong === true; found = findCut(bytes, isLast)) {
        if (found.start > 0) yield { block: new Uint8Array(bytes.subarray(0, found.start)) };
        bytes = yield* leaveOut(bytes, found);
      }
      // Of a block that goes away with its buffer, what is kept is copied before.
      hold(found === undefined ? new Uint8Array(buffer, bytes.byteOffset, bytes.length) : new Uint8Array(bytes.subarray(found.cut)));
      if (found !== undefined) yield { block: new Uint8Array(buffer, bytes.byteOffset, found.cut) };
      if (isLast && skipped !== undefined) yield endSkip(skipped);
      // A record that did not end is looked at again when there is twice as much of it.
      wantedBytes = Math.max(options.blockBytes, Math.min(2 * heldBytes, options.recordBytesMax + options.blockBytes));
    },
  };
}

/** Memory that no one uses from one call to the next. */
let arena: Arena | undefined;

/** Finds out where bytes that start with a record can be cut; undefined when nothing can be taken from them yet. */
export function createCutFinder({ delimiter, recordBytesMax }: Pick<CutOptions, "delimiter" | "recordBytesMax">): (bytes: Buffer, isLast: boolean) => Cut | undefined {
  const whole = (cut: number): Cut | undefined => (cut === 0 ? undefined : { cut, isTooLong: false, start: 0, line: 0 });

  return (bytes, isLast) => {
    const mayBeTooLong = bytes.length > recordBytesMax;
    if (isLast && !mayBeTooLong) return whole(bytes.length);
    if (!mayBeTooLong && !bytes.includes(quote)) return whole(lastLineEnd(bytes));
    arena ??= createArena();
    arena.start(bytes.length + 4 * marginBytes);
    const block = arena.take(bytes.length + 2 * marginBytes) + marginBytes;
    const state = arena.take(marginBytes);
    const kernels = arena.kernels();
    kernels.bytes.set(bytes, block);
    kernels.csvCut(block, bytes.length, delimiter, recordBytesMax, isLast ? 1 : 0, state);
    const [cut, isTooLong, start, line] = new Uint32Array(kernels.memory.buffer, state, 4);
    if (isTooLong !== 0) return { cut: cut!, isTooLong: true, start: start!, line: line! };
    return whole(isLast ? bytes.length : cut!);
  };
}

/** Where bytes without quotes can be cut: behind the last line end of which all is there. */
function lastLineEnd(bytes: Buffer): number {
  return bytes.lastIndexOf(lf) + 1 || bytes.subarray(0, -1).lastIndexOf(cr) + 1;
}

function findLineEnd(bytes: Buffer, start: number): number {
  for (let place = start; place < bytes.length; place++) if (bytes[place] === lf || bytes[place] === cr) return place;
  return -1;
}

function countLineEnds(bytes: Buffer): number {
  let count = 0;
  for (let place = 0; place < bytes.length; place++) {
    if (bytes[place] === lf || (bytes[place] === cr && bytes[place + 1] !== lf)) count++;
  }
  return count;
}
