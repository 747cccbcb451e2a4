/** Sets of (slot, code) pairs as bitmaps. */

/** Sets bit slot * stride + code of each row. */
export function markCells(slots: usize, codes: usize, n: u32, stride: u32, bits: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const cell = load<u32>(slots + (i << 2)) * stride + load<u32>(codes + (i << 2));
    const at = bits + (cell >> 3);
    store<u8>(at, <u8>(<u32>load<u8>(at) | (<u32>1 << (cell & 7))));
  }
}
