/** Counts malformed messages, and says when to log them: once per peer and minute, however many come. */

/** What is remembered of malformed messages. Updated in place by `countMalformed`. */
export interface MalformedCounts {
  /** All since the start. */
  total: number;
  /** By peer, in the order of their last log line. */
  readonly peers: Map<string, { loggedMs: number; unlogged: number }>;
}

const quietMs = 60_000;
/** Peers remembered; when full, the one logged longest ago is forgotten. */
const peersMax = 1_024;

/** Counts of nothing yet. */
export function createMalformedCounts(): MalformedCounts {
  return { total: 0, peers: new Map() };
}

/**
 * Counts one malformed message of `peer` at `nowMs` (steady clock), and gives the number to log, itself included, or 0
 * while that peer's last line is less than a minute old.
 */
export function countMalformed(counts: MalformedCounts, peer: string, nowMs: number): number {
  counts.total += 1;
  const known = counts.peers.get(peer);
  if (known !== undefined && nowMs - known.loggedMs < quietMs) {
    known.unlogged += 1;
    return 0;
  }
  counts.peers.delete(peer);
  counts.peers.set(peer, { loggedMs: nowMs, unlogged: 0 });
  forgetOldest(counts);
  return (known?.unlogged ?? 0) + 1;
}

function forgetOldest(counts: MalformedCounts): void {
  if (counts.peers.size <= peersMax) return;
  const [oldest] = counts.peers.keys();
  if (oldest !== undefined) counts.peers.delete(oldest);
}
