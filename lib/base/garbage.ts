/**
 * Collecting garbage that keeps memory outside the heap. V8 counts what arrays take, but collects when more is asked for:
 * what a task leaves would stay as long as its thread is idle, and add to what the next one takes.
 */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes of arrays that tasks may leave uncollected in a thread. */
export const taskGarbageBytesMax = 16 * 2 ** 20;

/** Bytes in the heap that a thread which has nothing to do may leave uncollected. */
export const idleGarbageBytesMax = 16 * 2 ** 20;

/** Collects the garbage of this thread if more than a number of bytes have been taken since the last time; tells whether it did. */
export type Collect = () => boolean;

type Gc = (options?: { readonly type: "minor" }) => void;

/** A collector for more than `spareBytes` outside the heap of the thread that calls it; what is there by now is taken to stay. */
export function createCollector(spareBytes: number): Collect {
  const gc = findGc();
  let limitBytes = outsideBytes() + spareBytes;

  function collectYoung(): void {
    gc({ type: "minor" });
    // The bytes that a collection frees are counted when the next one begins.
    gc({ type: "minor" });
  }

  return () => {
    if (outsideBytes() <= limitBytes) return false;
    collectYoung();
    if (outsideBytes() > limitBytes) {
      gc();
      collectYoung();
    }
    limitBytes = outsideBytes() + spareBytes;
    return true;
  };
}

/**
 * A collector for more than `spareBytes` in the heap of the thread that calls it, to be called when nothing else is to be
 * done: a large message leaves many times its bytes there, and a thread that is idle from then on would keep them.
 */
export function createHeapCollector(spareBytes: number): Collect {
  const gc = findGc();
  let limitBytes = heapBytes() + spareBytes;
  return () => {
    if (heapBytes() <= limitBytes) return false;
    gc();
    limitBytes = heapBytes() + spareBytes;
    return true;
  };
}

/**
 * Lets the heaps of this process keep the room for young objects that they began with: by default it doubles up to 48 MB a
 * thread, to save time that a thread which passes messages on does not need.
 */
export function keepYoungSmall(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}

function outsideBytes(): number {
  return getHeapStatistics().external_memory;
}

function heapBytes(): number {
  return getHeapStatistics().used_heap_size;
}

/** V8 offers this to contexts that are made while the flag is set. */
function findGc(): Gc {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as Gc;
  setFlagsFromString("--no-expose-gc");
  return gc;
}
