/** Drawing from a seeded source: every choice of a random test goes through here, so that its seed replays it. */
import type { Random } from "../../../lib/base/clock.js";

/** A whole number in [low, high]. */
export function whole(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

/** One of the given things. */
export function oneOf<T>(random: Random, things: readonly T[]): T {
  return things[whole(random, 0, things.length - 1)]!;
}

/** True with the given probability. */
export function chance(random: Random, probability: number): boolean {
  return random() < probability;
}

/** Any int64, all bits drawn. */
export function anyInt64(random: Random): bigint {
  return BigInt.asIntN(64, (BigInt(whole(random, 0, 0xffff_ffff)) << 32n) | BigInt(whole(random, 0, 0xffff_ffff)));
}

/** Some of the given things, each at most once, in a drawn order. */
export function someOf<T>(random: Random, things: readonly T[], count: number): T[] {
  const left = [...things];
  const taken: T[] = [];
  while (taken.length < count && left.length > 0) taken.push(...left.splice(whole(random, 0, left.length - 1), 1));
  return taken;
}
