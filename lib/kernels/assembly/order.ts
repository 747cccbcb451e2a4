/** Radix sort, least significant byte first. */

const digits: u32 = 8;
/** Rows of each value of each byte, then the place where the next of them goes: 8 x 256 uint32. */
const counts = memory.data(8192, 16);

export function radixSort(keys: usize, payload: usize, keysTemporary: usize, payloadTemporary: usize, n: u32): void {
  if (n < 2) return;
  countDigits(keys, n);
  let fromKeys = keys, fromPayload = payload, toKeys = keysTemporary, toPayload = payloadTemporary;
  for (let digit: u32 = 0; digit < digits; digit++) {
    const places = counts + (digit << 10);
    const first = <u32>load<u8>(fromKeys + digit);
    if (load<u32>(places + (first << 2)) == n) continue;
    countsToPlaces(places);
    scatter(digit, places, fromKeys, fromPayload, toKeys, toPayload, n);
    const keysBefore = fromKeys, payloadBefore = fromPayload;
    fromKeys = toKeys;
    fromPayload = toPayload;
    toKeys = keysBefore;
    toPayload = payloadBefore;
  }
  if (fromKeys == keys) return;
  memory.copy(keys, fromKeys, n << 3);
  memory.copy(payload, fromPayload, n << 2);
}

function countDigits(keys: usize, n: u32): void {
  memory.fill(counts, 0, 8192);
  for (let i: u32 = 0; i < n; i++) {
    let key = load<u64>(keys + (i << 3));
    for (let digit: u32 = 0; digit < digits; digit++, key >>= 8) {
      const at = counts + (digit << 10) + ((<u32>key & 255) << 2);
      store<u32>(at, load<u32>(at) + 1);
    }
  }
}

function countsToPlaces(places: usize): void {
  let before: u32 = 0;
  for (let at: u32 = 0; at < 1024; at += 4) {
    const count = load<u32>(places + at);
    store<u32>(places + at, before);
    before += count;
  }
}

function scatter(digit: u32, places: usize, fromKeys: usize, fromPayload: usize, toKeys: usize, toPayload: usize, n: u32): void {
  const shift = digit << 3;
  for (let i: u32 = 0; i < n; i++) {
    const key = load<u64>(fromKeys + (i << 3));
    const at = places + ((<u32>(key >> shift) & 255) << 2);
    const place = load<u32>(at);
    store<u32>(at, place + 1);
    store<u64>(toKeys + (place << 3), key);
    store<u32>(toPayload + (place << 2), load<u32>(fromPayload + (i << 2)));
  }
}
