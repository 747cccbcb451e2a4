/** What the calls of one line of a prompt end with: Ctrl-C cancels those of the line, and none of a later one. */

/** The calls of the line that is evaluated now. */
export interface LineCalls {
  /** A new line begins; what earlier ones began without waiting goes on. */
  begin(): void;
  /** Ends what the line asked. */
  cancel(): void;
  /** Aborts with the line; asked for by every call that it makes. */
  signal(): AbortSignal;
  /** The calls of the line so far. */
  readonly count: number;
}

/** The calls of no line yet. */
export function createLineCalls(): LineCalls {
  let line = new AbortController();
  let count = 0;
  return {
    begin() {
      line = new AbortController();
      count = 0;
    },
    cancel: () => { line.abort(); },
    signal() {
      count += 1;
      return line.signal;
    },
    get count() { return count; },
  };
}
