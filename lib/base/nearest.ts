/** Suggests what a mistyped name was meant to be. */

/** The candidate nearest to `name` by edit distance, when near enough to be a likely typing error. */
export function findNearest(name: string, candidates: Iterable<string>): string | undefined {
  const folded = name.toLowerCase();
  let best: string | undefined;
  // Of two or three letters two are most of the name: 'sum' is no typing error for 'day'.
  let bestDistance = (name.length <= 3 ? 1 : Math.max(2, Math.floor(name.length / 3))) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(folded, candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** The words that offer the nearest candidate: `; did you mean 'x'?`, or the given advice where nothing is near. */
export function suggestion(name: string, candidates: Iterable<string>, otherwise: string): string {
  const nearest = findNearest(name, candidates);
  return nearest === undefined ? `; ${otherwise}` : `; did you mean '${nearest}'?`;
}

/** Levenshtein distance of two short names; any value at or past `limit` may be returned as `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}
