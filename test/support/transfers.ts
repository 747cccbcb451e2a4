/** What transfers work with, in tests: a store, real files that are not made durable. */
import type { Files } from "../../lib/base/files.js";
import type { ObjectStore } from "../../lib/objects/objects.js";
import { createBuffers } from "../../lib/transfer/fetch/buffers.js";
import type { FetchTools } from "../../lib/transfer/fetch/fetch.js";
import { createBandwidth } from "../../lib/transfer/fetch/pace.js";
import { createWriteBack } from "../../lib/transfer/fetch/write-back.js";
import { unsyncedFiles } from "./write-table.js";

/** Tools of a transfer; buffers are small, so that small tables take several, and are written back on the way. */
export function transferTools(store: ObjectStore, { files = unsyncedFiles, bufferBytes = 1_000, ...more }: Partial<FetchTools> & { files?: Files; bufferBytes?: number } = {}): FetchTools {
  return { store, files, buffers: createBuffers(4, bufferBytes), bandwidth: createBandwidth(undefined), writeBack: createWriteBack(1_000), ...more };
}
