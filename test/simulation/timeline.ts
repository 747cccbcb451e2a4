/** Virtual time: what is to happen, in order, with no clock behind it. */

/** A queue of happenings. Those of the same time happen in the order they were asked for. */
export interface Timeline {
  readonly nowMs: number;
  /** Happenings so far. */
  readonly steps: number;
  at(atMs: number, happen: () => void): void;
  after(delayMs: number, happen: () => void): void;
  /** Lets everything happen that is due up to `endMs`, and whatever follows from it. */
  runUntil(endMs: number): void;
}

interface Happening {
  readonly atMs: number;
  readonly turn: number;
  readonly happen: () => void;
}

/** A timeline at 0 ms with nothing on it. */
export function createTimeline(): Timeline {
  const heap: Happening[] = [];
  let nowMs = 0;
  let turns = 0;
  let steps = 0;
  function at(atMs: number, happen: () => void): void {
    push(heap, { atMs: Math.max(atMs, nowMs), turn: turns++, happen });
  }
  return {
    get nowMs() { return nowMs; },
    get steps() { return steps; },
    at,
    after: (delayMs, happen) => { at(nowMs + delayMs, happen); },
    runUntil(endMs) {
      while (heap.length > 0 && heap[0]!.atMs <= endMs) {
        const next = pop(heap);
        nowMs = next.atMs;
        steps += 1;
        next.happen();
      }
      nowMs = endMs;
    },
  };
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn);
}

function push(heap: Happening[], item: Happening): void {
  let index = heap.length;
  heap.push(item);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (isBefore(heap[parent]!, item)) break;
    heap[index] = heap[parent]!;
    index = parent;
  }
  heap[index] = item;
}

function pop(heap: Happening[]): Happening {
  const first = heap[0]!;
  const last = heap.pop()!;
  if (heap.length === 0) return first;
  let index = 0;
  for (let child = 1; child < heap.length; child = 2 * index + 1) {
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
    if (isBefore(last, heap[child]!)) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = last;
  return first;
}
