/**
 * The bytes of a partial, as frames carry them between processes: packed arrays (packed-arrays.ts). The description has
 * groups, keys and states with their dtypes.
 */
import { BquerydError } from "../base/errors.js";
import type { Dtype } from "../columns/dtypes.js";
import type { DomainSource, Partial, PartialKey } from "./partial.js";
import { packArrays, requireArray, requireRecord, unpackArrays } from "./packed-arrays.js";
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
  return packArrays({ groups: partial.groups, keys, states }, arrays);
}

/** The partial of bytes from another process; throws BAD_MESSAGE when they are none. The arrays are views of a copy only where alignment asks for one. */
export function decodePartial(bytes: Uint8Array): Partial {
  try {
    const { description, arrays } = unpackArrays(bytes);
    const head = requireHead(description);
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

function writeKey(key: PartialKey, writer: StateWriter): KeyDescription {
  writer.values(key.domain);
  if (key.codes !== null) writer.array(key.codes);
  if (key.source !== null) writer.array(key.source.ranks);
  return { dtype: key.dtype, isIdentity: key.codes === null, dictionary: key.source?.dictionary ?? null };
}

function requireHead({ groups, keys, states }: Description): Head {
  return {
    groups: requireCount(groups, groupsMax),
    keys: requireArray(keys).map(requireRecord),
    states: requireArray(states).map(requireRecord),
  };
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
