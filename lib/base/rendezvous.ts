/** Rendezvous hashing: every process picks the same holder for a shard, and a holder that leaves moves only its own. */

/** The candidate with the highest score for a key; undefined without candidates. The order of candidates is irrelevant. */
export function choosePreferred(key: string, candidates: Iterable<string>): string | undefined {
  const keyHash = hashText(key);
  let preferred: string | undefined;
  let bestScore = -1;
  for (const candidate of candidates) {
    const score = mix(keyHash ^ hashText(candidate));
    if (score > bestScore || (score === bestScore && preferred !== undefined && candidate > preferred)) {
      preferred = candidate;
      bestScore = score;
    }
  }
  return preferred;
}

/** The `count` candidates with the highest scores for a key, best first; all when there are no more. */
export function choosePreferredFew(key: string, candidates: Iterable<string>, count: number): string[] {
  const left = new Set(candidates);
  const chosen: string[] = [];
  while (chosen.length < count) {
    const best = choosePreferred(key, left);
    if (best === undefined) break;
    left.delete(best);
    chosen.push(best);
  }
  return chosen;
}

/** FNV-1a over UTF-16 code units. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

/** The finalizer of MurmurHash3: every bit in changes every bit out. */
function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
