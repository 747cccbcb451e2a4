/** Pointers: which generation of a table is in use, and where it can be fetched from. */

/** Where a table can be fetched from at any later time. */
export interface TableSource {
  readonly bucket: string;
  /** How many nodes are to have the table; null: all. */
  readonly replicas: number | null;
  /** Whether every generation has a manifest of its own there; else there is only what the bucket holds now. */
  readonly hasManifest: boolean;
}

/** Which generation of a table is in use. */
export interface TablePointer {
  /** 64 hexadecimal digits; null when none is named any more: the table is read as if it had never had a pointer. */
  readonly generation: string | null;
  /** The epoch that set it. */
  readonly epoch: number;
  /** Set by the commit of a ticket and kept by every other change; null for a table that was only ever put there by hand. */
  readonly source: TableSource | null;
}

/** The pointers of a cluster at one moment. */
export interface Pointers {
  /** A whole number that is greater after every change, also of a registry that was emptied between; 0 before the first. */
  readonly epoch: number;
  /** By directory name: `taxi.bcolz`, `taxi-3.bcolzs`. Tables without an entry were never given one. */
  readonly tables: ReadonlyMap<string, TablePointer>;
}

/** A pointer to be set; null names none any more. */
export interface PointerChange {
  readonly table: string;
  readonly generation: string | null;
  /** Left out: the one that the table had. */
  readonly source?: TableSource;
}
