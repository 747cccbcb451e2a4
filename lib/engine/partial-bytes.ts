/**
 * The bytes of a partial, as frames carry them between processes.
 *
 *   0..3   uint32 LE: length J of the description
 *   4..4+J description, JSON: groups, keys and states with their dtypes, and the byte length of every array
 *   then   the arrays in the order of the description, each padded to start at a multiple of 8
 */
import { BquerydError } from "../base/errors.js";
import { dtypes, isFloatDtype, isTextDtype, wholeRange, type Dtype, type WholeDtype } from "../columns/dtypes.js";
import type { DomainSource, Partial, PartialKey } from "./partial.js";
import type { StateColumn } from "./states/state.js";
import { countOf, isText, type Int64Dtype, type PackedTexts, type Values } from "./values.js";

type AnyArray = Uint8Array | Uint32Array | Float64Array | BigInt64Array;

interface KeyDescription {
  readonly dtype: Dtype;
  readonly isIdentity: boolean;
  readonly dictionary: string | null;
}

interface StateDescription {
  readonly kind: StateColumn["kind"];
  readonly dtype: Dtype;
  /** How the state is written where there are two ways: a count that is the rows of the group, sums as limbs. */
  readonly form: "own" | "rows" | "limbs";
}

interface Description {
  readonly groups: number;
  readonly keys: readonly KeyDescription[];
  readonly states: readonly StateDescription[];
  readonly lengths: readonly number[];
}

/** The bytes of a partial. */
export function encodePartial(partial: Partial): Uint8Array {
  const arrays: AnyArray[] = [partial.rows];
  const keys = partial.keys.map((key) => describeKey(key, arrays));
  const states = partial.states.map((state) => describeState(state, arrays));
  const description: Description = { groups: partial.groups, keys, states, lengths: arrays.map((array) => array.byteLength) };
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
    const { description, arrays } = splitArrays(aligned);
    const reader = createReader(arrays);
    const rows = reader.float64(description.groups);
    const keys = description.keys.map((key) => readKey(key, description.groups, reader));
    const states = description.states.map((state) => readState(state, description.groups, reader));
    return { groups: description.groups, keys, rows, states };
  } catch (cause) {
    throw new BquerydError("BAD_MESSAGE", "a partial does not decode; the processes differ in version, or a worker is broken", { cause });
  }
}

function padded(bytes: number): number {
  return (bytes + 7) & ~7;
}

function describeKey(key: PartialKey, arrays: AnyArray[]): KeyDescription {
  pushValues(key.domain, arrays);
  if (key.codes !== null) arrays.push(key.codes);
  if (key.source !== null) arrays.push(key.source.ranks);
  return { dtype: key.dtype, isIdentity: key.codes === null, dictionary: key.source?.dictionary ?? null };
}

function describeState(state: StateColumn, arrays: AnyArray[]): StateDescription {
  switch (state.kind) {
    case "count":
      if (state.counts !== null) arrays.push(state.counts);
      return { kind: state.kind, dtype: "int64", form: state.counts === null ? "rows" : "own" };
    case "sum-int":
      arrays.push(state.sums);
      return { kind: state.kind, dtype: state.dtype, form: state.sums instanceof Uint32Array ? "limbs" : "own" };
    case "sum-float": arrays.push(state.pairs); return { kind: state.kind, dtype: "float64", form: "own" };
    case "min": case "max":
      arrays.push(state.seen);
      pushValues(state.values, arrays);
      return { kind: state.kind, dtype: state.values.dtype, form: "own" };
  }
}

function pushValues(values: Values, arrays: AnyArray[]): void {
  if (isText(values)) arrays.push(values.offsets, values.bytes);
  else arrays.push(values.array);
}

function splitArrays(bytes: Uint8Array): { description: Description; arrays: Uint8Array[] } {
  const headBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const description = requireDescription(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(4, 4 + headBytes))));
  let at = padded(4 + headBytes);
  const arrays = description.lengths.map((length) => {
    const array = bytes.subarray(at, at + length);
    if (array.length !== length) throw new RangeError("cut short");
    at += padded(length);
    return array;
  });
  if (at !== bytes.length) throw new RangeError("longer or shorter than it says");
  return { description, arrays };
}

function requireDescription(input: unknown): Description {
  const found = input as Description;
  const isCount = (value: unknown): boolean => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
  const hasDtype = (value: { dtype: Dtype }): boolean => dtypes.includes(value.dtype);
  if (!isCount(found.groups) || !found.lengths.every(isCount) || !found.keys.every(hasDtype) || !found.states.every(hasDtype)) throw new TypeError("no description");
  return found;
}

interface Reader {
  uint8(count?: number): Uint8Array;
  uint32(count?: number): Uint32Array;
  float64(count?: number): Float64Array;
  int64(count?: number): BigInt64Array;
}

/** Reads arrays in turn and checks how many entries they have. */
function createReader(arrays: readonly Uint8Array[]): Reader {
  let next = 0;
  function take<A extends AnyArray>(view: new (buffer: ArrayBufferLike, offset: number, length: number) => A, width: number, count: number | undefined): A {
    const bytes = arrays[next++];
    if (bytes === undefined || bytes.length % width !== 0) throw new RangeError("an array is missing or cut");
    if (count !== undefined && bytes.length !== count * width) throw new RangeError("an array has the wrong length");
    return new view(bytes.buffer, bytes.byteOffset, bytes.length / width);
  }
  return {
    uint8: (count) => take(Uint8Array, 1, count),
    uint32: (count) => take(Uint32Array, 4, count),
    float64: (count) => take(Float64Array, 8, count),
    int64: (count) => take(BigInt64Array, 8, count),
  };
}

function readKey({ dtype, isIdentity, dictionary }: KeyDescription, groups: number, reader: Reader): PartialKey {
  const domain = readValues(dtype, undefined, reader);
  const codes = isIdentity ? null : reader.uint32(groups);
  const count = countOf(domain);
  if (codes === null ? groups !== count && groups !== count + 1 : codes.some((code) => code > count)) throw new RangeError("codes beyond the domain");
  const source: DomainSource | null = dictionary === null ? null : { dictionary, ranks: reader.uint32(count) };
  return { dtype, domain, codes, source };
}

function readState({ kind, dtype, form }: StateDescription, groups: number, reader: Reader): StateColumn {
  switch (kind) {
    case "count": return { kind, counts: form === "rows" ? null : reader.float64(groups) };
    case "sum-int": return { kind, dtype: requireWhole(dtype), sums: form === "limbs" ? reader.uint32(groups * 4) : reader.float64(groups) };
    case "sum-float": return { kind, pairs: reader.float64(groups * 2) };
    case "min": case "max": return { kind, seen: reader.uint8(groups), values: readValues(dtype, groups, reader) };
    default: throw new TypeError(`unknown state ${String(kind)}`);
  }
}

function requireWhole(dtype: Dtype): WholeDtype {
  if (isTextDtype(dtype) || isFloatDtype(dtype)) throw new TypeError(`whole numbers of ${dtype}`);
  return dtype;
}

function readValues(dtype: Dtype, count: number | undefined, reader: Reader): Values {
  if (isTextDtype(dtype)) return { dtype, ...readTexts(count, reader) };
  if (isFloatDtype(dtype)) return { dtype, array: reader.float64(count) };
  if (dtype === "bool") return { dtype, array: reader.uint8(count) };
  const array = reader.int64(count);
  requireRange(dtype, array);
  return { dtype, array };
}

/** Throws where an int64 is none of a narrower dtype: it would be cut on its way into a typed array of the dtype. */
function requireRange(dtype: Int64Dtype, array: BigInt64Array): void {
  const { least, greatest } = wholeRange(dtype);
  if (greatest > 0xffff_ffffn) return;
  const [low, high] = [Number(least), Number(greatest)];
  const halves = new Int32Array(array.buffer, array.byteOffset, array.length * 2);
  for (let at = 0; at < halves.length; at += 2) {
    const value = halves[at + 1]! * 0x1_0000_0000 + (halves[at]! >>> 0);
    if (value < low || value > high) throw new RangeError(`a value is none of ${dtype}`);
  }
}

function readTexts(count: number | undefined, reader: Reader): PackedTexts {
  const offsets = reader.uint32(count === undefined ? undefined : count + 1);
  const bytes = reader.uint8();
  if (offsets[0] !== 0 || offsets[offsets.length - 1] !== bytes.length) throw new RangeError("text offsets do not fit");
  for (let k = 1; k < offsets.length; k++) if (offsets[k]! < offsets[k - 1]!) throw new RangeError("text offsets go back");
  return { offsets, bytes };
}
