/** Picks the selected rows of a chunk by their uint16 index, and translates codes. */

export function gather1(values: usize, index: usize, n: u32, target: usize): void {
  gather<u8>(values, index, n, target);
}

export function gather2(values: usize, index: usize, n: u32, target: usize): void {
  gather<u16>(values, index, n, target);
}

export function gather4(values: usize, index: usize, n: u32, target: usize): void {
  gather<u32>(values, index, n, target);
}

export function gather8(values: usize, index: usize, n: u32, target: usize): void {
  gather<u64>(values, index, n, target);
}

@inline
function gather<T>(values: usize, index: usize, n: u32, target: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const row = <u32>load<u16>(index + (i << 1));
    store<T>(target + i * sizeof<T>(), load<T>(values + row * sizeof<T>()));
  }
}

/** Gathers bits, eight to a byte; gives how many are set. */
export function gatherBits(bits: usize, index: usize, n: u32, target: usize): u32 {
  let count: u32 = 0;
  for (let from: u32 = 0; from < n; from += 8) {
    const rows = min<u32>(n - from, 8);
    let byte: u32 = 0;
    for (let i: u32 = 0; i < rows; i++) {
      const row = <u32>load<u16>(index + ((from + i) << 1));
      byte |= ((<u32>load<u8>(bits + (row >> 3)) >> (row & 7)) & 1) << i;
    }
    store<u8>(target + (from >> 3), <u8>byte);
    count += popcnt<u32>(byte);
  }
  return count;
}

export function translateU8(codes: usize, n: u32, table: usize, target: usize): void {
  translate<u8>(codes, n, table, target);
}

export function translateU16(codes: usize, n: u32, table: usize, target: usize): void {
  translate<u16>(codes, n, table, target);
}

export function translateU32(codes: usize, n: u32, table: usize, target: usize): void {
  translate<u32>(codes, n, table, target);
}

@inline
function translate<T>(codes: usize, n: u32, table: usize, target: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const code = <u32>load<T>(codes + i * sizeof<T>());
    store<u32>(target + (i << 2), load<u32>(table + (code << 2)));
  }
}
