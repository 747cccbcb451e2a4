/** Doing many things with a bounded number under way. */

/**
 * The results of `work` over items, in their order, at most `atOnce` under way. When one fails no new one starts, and
 * the rejection comes only after those under way have ended, so that a clean-up meets no stragglers.
 */
export async function mapBounded<T, R>(items: readonly T[], atOnce: number, work: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array<R>(items.length);
  let next = 0;
  let hasFailed = false;
  async function run(): Promise<void> {
    while (next < items.length && !hasFailed) {
      const index = next++;
      try {
        results[index] = await work(items[index]!, index);
      } catch (cause) {
        hasFailed = true;
        throw cause;
      }
    }
  }
  const runs = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, run));
  for (const ended of runs) if (ended.status === "rejected") throw ended.reason;
  return results;
}
