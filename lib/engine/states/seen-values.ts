/** A value for every group that has one: what min, max, first and last hold. */
import { biasOf, type Dtype } from "../../columns/dtypes.js";
import { blankValues, isWholes, pick, type Text, type Values, type Wholes } from "../values.js";
import { widenValues } from "../widening.js";
import { requireDtype, requireFlags, type ArrayReader, type Description, type StateWriter } from "./bytes.js";
import type { MergePlan } from "./state.js";

/** `values` has an entry a group, which means something where `seen` is 1. */
export interface SeenValues {
  readonly seen: Uint8Array;
  readonly values: Values;
}

/** The values of two runs along a merge plan; where both have one, `takesLeft` chooses. */
export function mergeSeen(a: SeenValues, b: SeenValues, plan: MergePlan, takesLeft: (left: number, right: number) => boolean): SeenValues {
  const groups = plan.left.length;
  const seen = new Uint8Array(groups);
  const sources = new Int32Array(groups);
  for (let k = 0; k < groups; k++) {
    const left = plan.left[k]!;
    const right = plan.right[k]!;
    const hasLeft = left >= 0 && a.seen[left] === 1;
    const hasRight = right >= 0 && b.seen[right] === 1;
    const isLeft = hasLeft ? !hasRight || takesLeft(left, right) : !hasRight && left >= 0;
    sources[k] = isLeft ? left : ~right;
    seen[k] = hasLeft || hasRight ? 1 : 0;
  }
  return { seen, values: pick(a.values, b.values, sources) };
}

/** No value for any group. */
export function unseenValues(dtype: Dtype, groups: number): SeenValues {
  return { seen: new Uint8Array(groups), values: blankValues(dtype, groups) };
}

/** The texts of the groups that have one, by their codes; the others hold empty text. */
export function seenTexts(seen: Uint8Array, codeOf: (k: number) => number, textOf: (codes: Uint32Array) => Text): SeenValues {
  const codes: number[] = [];
  seen.forEach((flag, k) => {
    if (flag === 1) codes.push(codeOf(k));
  });
  const packed = textOf(Uint32Array.from(codes));
  const offsets = new Uint32Array(seen.length + 1);
  let at = 0;
  seen.forEach((flag, k) => {
    if (flag === 1) at += 1;
    offsets[k + 1] = packed.offsets[at]!;
  });
  return { seen, values: { ...packed, offsets } };
}

/** The same values in a wider dtype. */
export function widenSeen({ seen, values }: SeenValues, dtype: Dtype): SeenValues {
  return { seen, values: widenValues(isWholes(values) ? zeroUnseen(seen, values) : values, dtype) };
}

/** What unseen entries hold may be exact in no wider dtype. */
function zeroUnseen(seen: Uint8Array, { dtype, array }: Wholes): Wholes {
  const zero = -biasOf(dtype);
  return { dtype, array: array.map((value, group) => (seen[group] === 1 ? value : zero)) };
}

/** Writes flags and values. */
export function writeSeen({ seen, values }: SeenValues, writer: StateWriter): Description {
  writer.array(seen);
  writer.values(values);
  return { dtype: values.dtype };
}

/** Reads what writeSeen wrote; throws on what is none. */
export function readSeen({ dtype }: Description, groups: number, reader: ArrayReader): SeenValues {
  return { seen: requireFlags(reader.uint8(groups)), values: reader.values(requireDtype(dtype), groups) };
}
