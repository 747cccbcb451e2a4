/** What a mover knows of pointers: read from the registry, put back where that lost some, and kept on the node's disk. */
import { monotonicMs } from "../../../base/clock.js";
import type { Config } from "../../../base/config.js";
import type { Files } from "../../../base/files.js";
import type { Log } from "../../../base/log.js";
import { joinPointers } from "../../../registry/entries.js";
import type { Pointers } from "../../../registry/pointers.js";
import type { Registry } from "../../../registry/registry.js";
import { openPointersFile, type PointersFile } from "../pointers-file.js";
import { createProblem, type Problem } from "../registry-watch.js";
import { followPointers } from "./tend.js";

/** What it takes. */
export interface KnowledgeParts {
  readonly registry: Registry;
  readonly files: Files;
  readonly log: Log;
  readonly config: Pick<Config, "dataDir" | "cluster">;
}

/** For so long pointers that were read are taken for those of now. */
const freshMs = 200;

/** A mover's pointers. The file is its own while it is open: the mover at work in data_dir opens it, others do not. */
export class Knowledge {
  readonly #parts: KnowledgeParts;
  readonly #problem: Problem;
  #file: PointersFile | undefined;
  #pointers: Pointers = { epoch: 0, tables: new Map() };
  #isDue = true;
  #followedMs = -Infinity;
  #isKept = true;

  constructor(parts: KnowledgeParts) {
    this.#parts = parts;
    this.#problem = createProblem(parts.log, "pointers.unkept");
  }

  /** As they were read last, and of the disk before that. Another object whenever they were read. */
  get pointers(): Pointers {
    return this.#pointers;
  }

  /** Whether something is still to be written. */
  get isKept(): boolean {
    return this.#isKept;
  }

  /** They may have changed. */
  noteChanged(): void {
    this.#isDue = true;
  }

  /** Reads the disk, and the registry where it may have changed; writes what is not on the disk yet. Throws IO, REGISTRY_UNAVAILABLE. */
  async look(): Promise<void> {
    if (this.#file === undefined) {
      this.#file = await openPointersFile({ ...this.#parts.config, files: this.#parts.files, log: this.#parts.log });
      this.#pointers = joinPointers(this.#pointers, this.#file.known());
      this.#isDue = true;
    }
    if (this.#isDue) await this.follow();
    else if (!this.#isKept) await this.#keep(monotonicMs());
  }

  /** The pointers as the registry has them now, after what it has lost was put back. Throws REGISTRY_UNAVAILABLE. */
  async follow(): Promise<Pointers> {
    this.#isDue = false;
    const askedMs = monotonicMs();
    try {
      this.#pointers = await followPointers(this.#parts.registry, this.#pointers);
    } catch (cause) {
      this.#isDue = true;
      throw cause;
    }
    this.#followedMs = askedMs;
    await this.#keep(monotonicMs());
    return this.#pointers;
  }

  /**
   * The generation that the table's pointer names now, for steps that drop some, which come many after one another: what was read a moment
   * ago is good unless a change was told of. What is dropped on a pointer that moves meanwhile is listed again (catch-up.ts). Throws REGISTRY_UNAVAILABLE.
   */
  async named(table: string): Promise<readonly string[]> {
    const isFresh = !this.#isDue && monotonicMs() - this.#followedMs < freshMs;
    const generation = (isFresh ? this.#pointers : await this.follow()).tables.get(table)?.generation ?? null;
    return generation === null ? [] : [generation];
  }

  /** When the pointer of a table was set, as it was read last, if it names that generation; ms since 1970 by the registry's clock. */
  pointedMs(table: string, generation: string): number | undefined {
    const pointer = this.#pointers.tables.get(table);
    return pointer?.generation === generation ? pointer.epoch : undefined;
  }

  /** Writes what is left to be written, and leaves the file to others. */
  async close(): Promise<void> {
    await this.#keep(Infinity);
    this.#file = undefined;
  }

  /** A disk that takes nothing does not keep a mover from its work. */
  async #keep(nowMs: number): Promise<void> {
    try {
      this.#isKept = await this.#file?.keep(this.#pointers, nowMs) ?? true;
      this.#problem.noteNone();
    } catch (cause) {
      this.#isKept = false;
      this.#problem.note(cause);
    }
  }
}
