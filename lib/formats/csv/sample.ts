/** The kinds of values that a sample of a text holds: of its start, and for a plain file of its middle and its end. */
import type { ByteInput } from "../input/byte-input.js";
import type { CsvHead } from "./dialect.js";
import { createCutFinder } from "./cut.js";
import { sharedCsvParser } from "./parse.js";
import type { CsvShape } from "./parse.js";

/** What is known before the types are. */
export interface CsvSample {
  readonly head: CsvHead;
  /** Bytes of the head before the first row. */
  readonly start: number;
  readonly shape: CsvShape;
}

const probeBytes = 256 * 1024;
const quote = 34;
const lf = 10;

/** The kinds of each column, or-ed (see infer.ts). */
export async function findSampleKinds(input: ByteInput, sample: CsvSample): Promise<readonly number[]> {
  const { head, start, shape } = sample;
  const parser = sharedCsvParser();
  const kinds = [...parser.findKinds(wholeRecords(head.bytes.subarray(start), sample), shape).kinds];
  if (head.isWhole || input.isCompressed) return kinds;
  for (const probe of await readProbes(input, head.bytes.length)) {
    const found = parser.findKinds(probe, shape);
    // From the middle one cannot tell what is in quotes: only what looks right throughout counts.
    if (found.rejects === 0) found.kinds.forEach((seen, index) => { kinds[index]! |= seen; });
  }
  return kinds;
}

/** The bytes up to the end of the last record that is there as a whole. */
function wholeRecords(bytes: Buffer, { head, shape }: CsvSample): Uint8Array {
  if (head.isWhole) return bytes;
  const findCut = createCutFinder({ delimiter: shape.delimiter, recordBytesMax: bytes.length });
  return bytes.subarray(0, findCut(bytes, false)?.cut ?? 0);
}

async function readProbes(input: ByteInput, headBytes: number): Promise<Uint8Array[]> {
  const starts = [Math.floor(input.bytes / 2), input.bytes - probeBytes].filter((start) => start > headBytes);
  const probes = await Promise.all(starts.map((start) => readProbe(input, start)));
  return probes.filter((probe) => !probe.includes(quote));
}

/** The whole lines from a place on: what is behind the first LF, up to the last one or the end of the file. */
async function readProbe(input: ByteInput, start: number): Promise<Uint8Array> {
  const bytes = await input.readRange(start, start + probeBytes);
  const first = bytes.indexOf(lf) + 1;
  const end = start + bytes.length >= input.bytes ? bytes.length : bytes.lastIndexOf(lf) + 1;
  return bytes.subarray(first, Math.max(first, end));
}
