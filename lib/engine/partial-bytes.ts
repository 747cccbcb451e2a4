/**
 * The bytes of a partial, as frames carry them between processes.
 *
 *   0..3   uint32 LE: length J of the description
 *   4..4+J description, JSON: groups, keys and states with their dtypes, and the byte length of every array
 *   then   the arrays in the order of the description, each padded to start at a multiple of 8
 */
import { BquerydError } from "../base/errors.js";
import type { Dtype } from "../columns/dtypes.js";
import type { DomainSource, Partial, PartialKey } from "./partial.js";
import { createReader, createWriter, requireCount, requireCounts, requireDtype, type ArrayReader, type Description, type StateWriter } from "./states/bytes.js";
import { definitionOf, isStateKind, type StateColumn } from "./states/kinds.js";
import { countOf } from "./values.js";

interface KeyDescription {
  readonly dtype: Dtype;
  readonly isIdentity: boolean;
  readonly dictionary: string | null;
}

interface Head {
  readonly groups: number;
  readonly keys: readonly Description[];
  readonly states: readonly Description[];
  readonly lengths: readonly number[];
}

/** Groups that a partial may have: what uint32 codes and slots can count. */
const groupsMax = 0xffff_fffe;

/** The bytes of a partial. */
export function encodePartial(partial: Partial): Uint8Array {
  const writer = createWriter();
  const { arrays } = writer;
  writer.array(partial.rows);
  const keys = partial.keys.map((key) => ({ ...writeKey(key, writer) }));
  const states = partial.states.map((state) => ({ ...definitionOf(state.kind).write(state, writer), kind: state.kind }));
  const description: Head = { groups: partial.groups, keys, states, lengths: arrays.map((array) => array.byteLength) };
  const head = new TextEncoder().encode(JSON.stringify(description));
  let at = padded(4 + head.length);
  const bytes = new Uint8Array(arrays.reduce((sum, array) => sum + padded(array.byteLength), at));
  new DataView(bytes.buffer).setUint32(0, head.length, true);
  bytes.set(head, 4);
  for (const array of arrays) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += padded(array.byteLength);
  }
  return bytes;
}

/** The partial of bytes from another process; throws BAD_MESSAGE when they are none. The arrays are views of a copy only where alignment asks for one. */
export function decodePartial(bytes: Uint8Array): Partial {
  try {
    const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
    const { head, arrays } = splitArrays(aligned);
    const { groups } = head;
    const reader = createReader(arrays);
    const rows = requireCounts(reader.float64(groups));
    const keys = head.keys.map((key) => readKey(requireKey(key), groups, reader));
    const states = head.states.map((state) => readState(state, groups, reader));
    if (!reader.isAtEnd()) throw new RangeError("more arrays than states take");
    return { groups, keys, rows, states };
  } catch (cause) {
    throw new BquerydError("BAD_MESSAGE", "a partial does not decode; the processes differ in version, or a worker is broken", { cause });
  }
}

function padded(bytes: number): number {
  return (bytes + 7) & ~7;
}

function writeKey(key: PartialKey, writer: StateWriter): KeyDescription {
  writer.values(key.domain);
  if (key.codes !== null) writer.array(key.codes);
  if (key.source !== null) writer.array(key.source.ranks);
  return { dtype: key.dtype, isIdentity: key.codes === null, dictionary: key.source?.dictionary ?? null };
}

function splitArrays(bytes: Uint8Array): { head: Head; arrays: Uint8Array[] } {
  const headBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  const head = requireHead(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(4, 4 + headBytes))));
  let at = padded(4 + headBytes);
  const arrays = head.lengths.map((length) => {
    const array = bytes.subarray(at, at + length);
    if (array.length !== length) throw new RangeError("cut short");
    at += padded(length);
    return array;
  });
  if (at !== bytes.length) throw new RangeError("longer or shorter than it says");
  return { head, arrays };
}

function requireHead(input: unknown): Head {
  const { groups, keys, states, lengths } = requireRecord(input);
  return {
    groups: requireCount(groups, groupsMax),
    keys: requireArray(keys).map(requireRecord),
    states: requireArray(states).map(requireRecord),
    lengths: requireArray(lengths).map((length) => requireCount(length)),
  };
}

function requireRecord(input: unknown): Description {
  if (typeof input !== "object" || input === null) throw new TypeError("no description");
  return input as Description;
}

function requireArray(input: unknown): readonly unknown[] {
  if (!Array.isArray(input)) throw new TypeError("no list");
  return input;
}

function requireKey({ dtype, isIdentity, dictionary }: Description): KeyDescription {
  if (typeof isIdentity !== "boolean" || (dictionary !== null && typeof dictionary !== "string")) throw new TypeError("no key");
  return { dtype: requireDtype(dtype), isIdentity, dictionary };
}

function readKey({ dtype, isIdentity, dictionary }: KeyDescription, groups: number, reader: ArrayReader): PartialKey {
  const domain = reader.values(dtype);
  const codes = isIdentity ? null : reader.uint32(groups);
  const count = countOf(domain);
  if (codes === null ? groups !== count && groups !== count + 1 : codes.some((code) => code > count)) throw new RangeError("codes beyond the domain");
  const source: DomainSource | null = dictionary === null ? null : { dictionary, ranks: reader.uint32(count) };
  return { dtype, domain, codes, source };
}

function readState(description: Description, groups: number, reader: ArrayReader): StateColumn {
  const { kind } = description;
  if (typeof kind !== "string" || !isStateKind(kind)) throw new TypeError("a state is unknown");
  return definitionOf(kind).read(description, groups, reader);
}
