/** What keeps objects by key, whatever keeps them: an S3 bucket, or a directory. */

/** What may be asked of any call. */
export interface Asking {
  /** Aborting it ends the call, which fails with the reason. */
  readonly signal?: AbortSignal;
}

/** Facts of an object. `etag` differs whenever the content does, and means nothing else. */
export interface ObjectFacts {
  readonly key: string;
  readonly bytes: number;
  readonly etag: string;
}

/** What is to be stored. It is read once, from its beginning to its end, in parts that follow each other. */
export interface ObjectSource {
  readonly bytes: number;
  /** The bytes of [start, end); each piece is good until the next is asked for. */
  open(start: number, end: number): AsyncIterable<Uint8Array>;
  /** Called when all was read, and before anyone can see the object: what it throws is the failure, and nothing is stored. */
  confirm?(): void;
}

/** What of an object is read: [start, end), all of it by default; `etag` is what it has to be. */
export interface Reading extends Asking {
  readonly start?: number;
  readonly end?: number;
  readonly etag?: string;
}

/** How an object is stored. */
export interface Writing extends Asking {
  /** Leaves an object that is there as it is. */
  readonly onlyNew?: boolean;
  /** Told of the bytes stored so far, rising to all of them. */
  readonly onProgress?: (bytes: number) => void;
}

/**
 * A place that keeps objects by key. Keys are checked with `checkKey`. Calls are tried again where that can help, and fail
 * with OBJECT_STORE when it did not (asking later may), CONFIG for what a person has to change (credentials, rights, names,
 * the region), NOT_FOUND, or what the disk says. No error holds a secret.
 */
export interface ObjectStore {
  /** For people and errors, without secrets: `s3://bucket/prefix`, `/srv/objects`. */
  readonly place: string;
  /** Facts of an object, or undefined where there is none. */
  head(key: string, options?: Asking): Promise<ObjectFacts | undefined>;
  /** Objects whose key begins with a prefix, in the order of the bytes of their keys, page by page. */
  list(prefix: string, options?: Asking): AsyncIterable<ObjectFacts>;
  /**
   * Bytes as they come, resumed where the connection breaks. Fails with NOT_FOUND, and with OBJECT_STORE where what came is
   * not whole, `end` lies behind the object's end, its checksum differs, or it is or becomes another than `etag`: what was
   * given by then is to be thrown away. Who calls need not try again: that is done here, a bounded number of times for every MiB. Parts of objects, and large ones, come without a checksum that this could compare:
   * who reads them compares a hash.
   */
  read(key: string, options?: Reading): AsyncIterable<Uint8Array>;
  /**
   * Stores an object whole or not at all, checksums end to end; in parts side by side where it is large. "exists" tells that
   * `onlyNew` met an object of that key.
   */
  write(key: string, source: ObjectSource, options?: Writing): Promise<"written" | "exists">;
  /** Removes an object; one that is not there counts as removed. */
  remove(key: string, options?: Asking): Promise<void>;
  /** Closes what is kept open; calls under way fail. */
  close(): Promise<void>;
}
