/** Selecting one of many numbers by its place in their order, in kernel memory. */
import { createIdle } from "../../../kernels/idle.js";
import { loadKernels, type Kernels } from "../../../kernels/kernels.js";

/** The numbers that sorting would put at a place and behind it, the same one where the place is the last. */
export interface Neighbours {
  readonly low: number;
  readonly high: number;
}

/** Selects from one list after another. */
export interface Selector {
  /** The place of a list of so many numbers, to be filled by the caller; what was there is lost. */
  list(count: number): Float64Array;
  /** The neighbours at a place of the list, which is used up. It holds at least one number, and no NaN. */
  select(place: number): Neighbours;
  /** Lets its memory go; nothing else may be asked of it after. */
  close(): void;
}

/** Kernels with room for a list, and for what is selected of it. */
interface Room {
  readonly kernels: Kernels;
  readonly capacity: number;
}

const usualCapacity = 65_536;
/** Lists that two of fit in kernel memory; a longer one is sorted where it is. */
const capacityMax = 2 ** 27;
/** What the kernel finds, and its samples. */
const foundBytes = 256;
/** What the kernels have for themselves, and rounding up. */
const ownBytes = 1024 * 1024;

/** A room for longer lists is let go with its memory. */
const idleRoom = createIdle(() => createRoom(usualCapacity), ({ capacity }) => capacity === usualCapacity);

/** A selector; its `list` throws MEMORY_LIMIT for one that is longer than there is memory. */
export function openSelector(): Selector {
  let room = idleRoom.take();
  let list = new Float64Array(0);
  return {
    list(count) {
      if (count > capacityMax) list = new Float64Array(count);
      else {
        if (count > room.capacity) room = createRoom(2 ** Math.ceil(Math.log2(count)));
        list = new Float64Array(room.kernels.memory.buffer, listOf(room), count);
      }
      return list;
    },
    select(place) {
      if (list.length > capacityMax) {
        list.sort();
        return { low: list[place]!, high: list[Math.min(place + 1, list.length - 1)]! };
      }
      const { kernels, capacity } = room;
      const [found, at] = [foundOf(room), listOf(room)];
      kernels.selectNeighbours(at, list.length, place, at + capacity * 8, found);
      const [low, high] = new Float64Array(kernels.memory.buffer, found, 2);
      return { low: low!, high: high! };
    },
    close: () => { idleRoom.keep(room); },
  };
}

function createRoom(capacity: number): Room {
  return { kernels: loadKernels(2 * capacity * 8 + ownBytes), capacity };
}

function foundOf({ kernels }: Room): number {
  return (kernels.heapStart + 63) & ~63;
}

function listOf(room: Room): number {
  return foundOf(room) + foundBytes;
}
