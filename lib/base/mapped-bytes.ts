/**
 * Bytes that go back to the system as soon as they are garbage. What `new Uint8Array(n)` takes comes from malloc, which maps
 * what is large apart, but takes the size of whatever was freed last for what counts as large: one message of 10 MB freed,
 * and from then on all that is smaller shares heaps with what is small and stays, of which no more than the end goes back,
 * and that only when it is twice as long.
 */

/** From so many bytes on, mapping costs less than filling. */
const mappedBytesMin = 256 * 1_024;

/** V8 maps the memory of a buffer that may be resized itself. */
const MappedBuffer: new (bytes: number, options: { readonly maxByteLength: number }) => ArrayBuffer = ArrayBuffer;

/**
 * Zeroed bytes that fill their buffer, mapped apart from others where they are many: for what is large, short-lived and
 * handed over. Compiled loops over them run slower than over others; `set` does not. Throws a RangeError where there is no
 * such memory.
 */
export function createMappedBytes(length: number): Uint8Array<ArrayBuffer> {
  return length < mappedBytesMin ? new Uint8Array(length) : new Uint8Array(new MappedBuffer(length, { maxByteLength: length }), 0, length);
}
