/**
 * The bytes of a partial, as frames carry them between processes: packed arrays (packed-arrays.ts). The description has
 * groups, keys and states with their dtypes.
 */
import { BquerydError } from "../base/errors.js";
import type { Dtype } from "../columns/dtypes.js";
import type { DomainSource, Partial, PartialKey } from "./partial.js";
import { packArrays, requireArray, requireRecord, unpackArrays } from "./packed-arrays.js";
import { createReader, createWriter, requireCount, requireDtype, type ArrayReader, type Description, type StateWriter } from "./states/bytes.js";
import { readCodes, readCounts, writeCodes, writeWholes, type NumberWidth } from "./states/numbers.js";
import { definitionOf, isStateKind, type StateColumn } from "./states/kinds.js";
import { countOf } from "./values.js";

interface KeyDescription {
  readonly dtype: Dtype;
  /** Bytes of the codes; null where these are 0, 1, 2, ... */
  readonly codes: NumberWidth | null;
  readonly dictionary: string | null;
  /** Bytes of the ranks. */
  readonly ranks: NumberWidth | null;
}

interface Head {
  readonly groups: number;
  readonly rows: Description;
  readonly keys: readonly Description[];
  readonly states: readonly Description[];
}

/** Groups that a partial may have: what uint32 codes and slots can count. */
const groupsMax = 0xffff_fffe;

/** The bytes of a partial; `check` may throw, told how many there will be before they are taken. */
export function encodePartial(partial: Partial, check?: (bytes: number) => void): Uint8Array {
  const writer = createWriter();
  const { arrays } = writer;
  const rows = writeWholes(partial.rows, writer);
  const keys = partial.keys.map((key) => ({ ...writeKey(key, writer) }));
  const states = partial.states.map((state) => ({ ...definitionOf(state.kind).write(state, writer), kind: state.kind }));
  return packArrays({ groups: partial.groups, rows, keys, states }, arrays, check);
}

/**
 * The partial of bytes from another process; throws BAD_MESSAGE when they are none. The arrays are views of a copy only where
 * alignment asks for one. `check` may throw a BquerydError: it is told how many bytes it takes, each time before it takes more.
 */
export function decodePartial(bytes: Uint8Array, check: (bytes: number) => void = () => undefined): Partial {
  try {
    const { description, arrays } = unpackArrays(bytes);
    const head = requireHead(description);
    const { groups } = head;
    let taken = bytes.length;
    check(taken);
    // Narrow numbers become wide ones beside the bytes that came.
    const reader = createReader(arrays, (more) => {
      taken += more;
      check(taken);
    });
    const rows = readCounts(head.rows, groups, reader);
    const keys = head.keys.map((key) => readKey(key, groups, reader));
    const states = head.states.map((state) => readState(state, groups, reader));
    if (!reader.isAtEnd()) throw new RangeError("more arrays than states take");
    return { groups, keys, rows, states };
  } catch (cause) {
    if (cause instanceof BquerydError) throw cause;
    throw new BquerydError("BAD_MESSAGE", "a partial does not decode; the processes differ in version, or a worker is broken", { cause });
  }
}

function writeKey(key: PartialKey, writer: StateWriter): KeyDescription {
  writer.values(key.domain);
  const codes = key.codes === null ? null : writeCodes(key.codes, countOf(key.domain) + 1, writer);
  // They ascend.
  const ranks = key.source === null ? null : writeCodes(key.source.ranks, (key.source.ranks.at(-1) ?? 0) + 1, writer);
  return { dtype: key.dtype, codes, dictionary: key.source?.dictionary ?? null, ranks };
}

function requireHead({ groups, rows, keys, states }: Description): Head {
  return {
    groups: requireCount(groups, groupsMax),
    rows: requireRecord(rows),
    keys: requireArray(keys).map(requireRecord),
    states: requireArray(states).map(requireRecord),
  };
}

function readKey({ dtype: named, codes: codeWidth, dictionary, ranks: rankWidth }: Description, groups: number, reader: ArrayReader): PartialKey {
  if (dictionary !== null && typeof dictionary !== "string") throw new TypeError("no key");
  const dtype = requireDtype(named);
  const domain = reader.values(dtype);
  const count = countOf(domain);
  const codes = codeWidth === null ? null : readCodes(codeWidth, groups, count + 1, reader);
  if (codes === null && groups !== count && groups !== count + 1) throw new RangeError("more or fewer groups than the domain has values");
  const source: DomainSource | null = dictionary === null ? null : { dictionary, ranks: readCodes(rankWidth, count, 2 ** 32, reader) };
  return { dtype, domain, codes, source };
}

function readState(description: Description, groups: number, reader: ArrayReader): StateColumn {
  const { kind } = description;
  if (typeof kind !== "string" || !isStateKind(kind)) throw new TypeError("a state is unknown");
  return definitionOf(kind).read(description, groups, reader);
}
