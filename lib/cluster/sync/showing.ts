/** How downloaders and movers let controllers see them, which have no other part in their work. */

/** What controllers are told, and what they may ask for. */
export interface Showing {
  readonly role: "downloader" | "mover";
  /** What it does now, in short: `taxi-3.bcolzs 41 %`; null when nothing. */
  readonly describeDoing: () => string | null;
  /** Somebody wants it to end. */
  readonly onShutdown: (reason: string) => void;
}

/** A process that controllers see. */
export interface Shown {
  readonly id: string;
  isConnected(): boolean;
  close(reason: string): Promise<void>;
}

/** Makes a process seen; one that is seen by nobody does its work all the same. */
export type Show = (showing: Showing) => Promise<Shown>;
