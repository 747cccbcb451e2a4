/**
 * Baskets over borders: a row of pieces (the chunks of a shard, or the shards of a set) in each of which the baskets within
 * are settled. A basket that goes on in the next piece is selected in both as soon as it is in one.
 */

/** What is known of a piece. It is asked only where it matters: answers may cost reading the piece. */
export interface Piece {
  /** Whether a row of its first, of its last basket is selected. */
  readonly isFirstHit: boolean;
  readonly isLastHit: boolean;
  /** Whether it is one basket. */
  isSingle(): boolean;
  /** Whether its first basket is the last one of the piece before. */
  continues(): boolean;
}

/** Baskets of a row of pieces that are selected from outside: by a row of another piece. */
export interface Reached {
  /** Whether the first basket of a piece is reached from before it. */
  readonly first: readonly boolean[];
  /** Whether the last basket of a piece is reached from behind it. */
  readonly last: readonly boolean[];
}

/**
 * How far selected baskets reach. `outside` tells whether the first basket of the first piece and the last one of the last
 * are selected by rows beyond them.
 */
export function reachBaskets(pieces: readonly Piece[], outside: { readonly first: boolean; readonly last: boolean }): Reached {
  const first = pieces.map(() => false);
  const last = pieces.map(() => false);
  let isReached = outside.first;
  pieces.forEach((piece, at) => {
    first[at] = at === 0 ? isReached : isReached && piece.continues();
    isReached = piece.isLastHit || (first[at] === true && piece.isSingle());
  });
  isReached = outside.last;
  for (let at = pieces.length - 1; at >= 0; at--) {
    const piece = pieces[at]!;
    last[at] = isReached;
    const isFirstHit = piece.isFirstHit || (isReached && piece.isSingle());
    isReached = at > 0 && isFirstHit && piece.continues();
  }
  return { first, last };
}
