/** What random queries have made use of, counted: so that nothing is left out unseen. */

/** Counts by kind and name: `count("measure", "sum")`. */
export interface Coverage {
  count(kind: string, name: string): void;
  /** The counts of each kind, names in order. */
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Counts that begin at 0 for every name that has to occur. */
export function openCoverage(wanted: Readonly<Record<string, readonly string[]>>): Coverage {
  const counts: Record<string, Record<string, number>> = {};
  for (const [kind, names] of Object.entries(wanted)) counts[kind] = Object.fromEntries(names.map((name) => [name, 0]));
  return {
    counts,
    count(kind, name) {
      const ofKind = (counts[kind] ??= {});
      ofKind[name] = (ofKind[name] ?? 0) + 1;
    },
  };
}

/** The names that occurred less often than that, as `kind name: times`. */
export function rarerThan({ counts }: Coverage, times: number): string[] {
  return Object.entries(counts).flatMap(([kind, ofKind]) => Object.entries(ofKind).filter(([, found]) => found < times).map(([name, found]) => `${kind} ${name}: ${found}`));
}
