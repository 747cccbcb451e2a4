/** Plain strings against one literal, or a set of them, into masks. */
import { findText } from "./intern";
import { mixBytes } from "./mix";
import { orderOf } from "./texts";

export function maskTextCompare(offsets: usize, bytes: usize, n: u32, literal: usize, literalBytes: u32, accept: u32, mask: usize): void {
  for (let row: u32 = 0; row < n; row++) {
    const start = load<u32>(offsets + (row << 2));
    const order = orderOf(bytes + start, load<u32>(offsets + (row << 2), 4) - start, literal, literalBytes);
    store<u8>(mask + row, <u8>((accept >> order) & 1));
  }
}

export function maskTextSet(offsets: usize, bytes: usize, n: u32, table: usize, capacity: u32, poolOffsets: usize, poolBytes: usize, negate: u32, mask: usize): void {
  for (let row: u32 = 0; row < n; row++) {
    const text = bytes + load<u32>(offsets + (row << 2));
    const length = load<u32>(offsets + (row << 2), 4) - load<u32>(offsets + (row << 2));
    const found = findText(mixBytes(text, length), text, length, table, capacity, poolOffsets, poolBytes);
    store<u8>(mask + row, <u8>(<u32>(found != 0) ^ negate));
  }
}
