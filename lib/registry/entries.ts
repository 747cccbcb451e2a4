/**
 * What every registry keeps as text, and what is checked of it, alike.
 *
 *   a pointer:   EPOCH GENERATION, or EPOCH - for none; then, of a table that can be fetched, a space and its source as JSON
 *   the epoch:   a whole number, as text
 */
import { Type, TypeCompiler } from "../base/typebox.js";
import { BquerydError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import type { PointerChange, Pointers, TablePointer, TableSource } from "./pointers.js";
import type { ControllerRecord, NodeRecord } from "./registry.js";

/** What a node can be called in a ticket. */
export const nodePattern = "^[^\\s\\x00-\\x1f]{1,255}$";

/** The schema of a controller as it is kept. */
export const RecordSchema = Type.Object({
  id: Type.String({ maxLength: 64 }), address: Type.String({ maxLength: 1_024 }), node: Type.String({ maxLength: 1_024 }),
  pid: Type.Integer(), startedMs: Type.Number(),
});
const recordCheck = TypeCompiler.Compile(RecordSchema);

/** The schema of a node as it is kept. */
export const NodeSchema = Type.Object({ id: Type.String({ maxLength: 64 }), node: Type.String({ pattern: nodePattern }), pid: Type.Integer() });
const nodeCheck = TypeCompiler.Compile(NodeSchema);

/** The schema of where a table can be fetched from. */
export const SourceSchema = Type.Object({
  bucket: Type.String({ minLength: 1, maxLength: limits.objectKeyMax }), replicas: Type.Union([Type.Null(), Type.Integer({ minimum: 1 })]), hasManifest: Type.Boolean(),
}, { additionalProperties: false });
const sourceCheck = TypeCompiler.Compile(SourceSchema);

/** Throws CONFIG for a name of a cluster that could be taken for part of a key. */
export function requireClusterName(cluster: string): void {
  if (/^[A-Za-z0-9_.-]{1,64}$/.test(cluster)) return;
  throw new BquerydError("CONFIG", `'${cluster}' cannot name a cluster; use up to 64 letters, digits and _ . -`, { details: { cluster } });
}

/** The record in a text; throws REGISTRY_UNAVAILABLE naming `key`. */
export function decodeRecord(key: string, text: string): ControllerRecord {
  const record = parseJson(text);
  if (recordCheck.Check(record)) return record;
  throw foreign(key);
}

/** The node in a text; throws REGISTRY_UNAVAILABLE naming `key`. */
export function decodeNode(key: string, text: string): NodeRecord {
  const record = parseJson(text);
  if (nodeCheck.Check(record)) return record;
  throw foreign(key);
}

/** Throws USAGE for a node that no ticket could name. */
export function requireNode(record: NodeRecord): void {
  if (!nodeCheck.Check(record)) throw new BquerydError("USAGE", `'${record.node}' cannot name a node; use up to 255 characters without spaces`, { details: { node: record.node } });
}

/** The names of nodes, in order, each once: a process that follows another is listed beside it for a while. */
export function namesOfNodes(records: readonly NodeRecord[]): string[] {
  return [...new Set(records.map(({ node }) => node))].sort();
}

/** Which of two comes first in the list of controllers: the one that started first. */
export function compareRecords(a: ControllerRecord, b: ControllerRecord): number {
  return a.startedMs - b.startedMs || (a.id < b.id ? -1 : 1);
}

/** The text of a pointer. */
export function encodePointer({ generation, epoch, source }: TablePointer): string {
  return `${epoch} ${generation ?? "-"}${source === null ? "" : ` ${encodeSource(source)}`}`;
}

/** The text of a source. */
export function encodeSource({ bucket, replicas, hasManifest }: TableSource): string {
  return JSON.stringify({ bucket, replicas, hasManifest });
}

/** The pointer that comes of a change at an epoch, given the one before. */
export function changedPointer(before: TablePointer | undefined, { generation, source }: PointerChange, epoch: number): TablePointer {
  return { generation, epoch, source: source ?? before?.source ?? null };
}

/** The pointer in a text; throws REGISTRY_UNAVAILABLE naming `key`. */
export function decodePointer(key: string, text: string): TablePointer {
  const [, epoch, generation, sourceText] = /^(\d+) ([0-9a-f]{64}|-)(?: (\{.*\}))?$/s.exec(text) ?? [];
  if (epoch === undefined || generation === undefined) throw foreign(key);
  const source = sourceText === undefined ? null : parseJson(sourceText);
  if (source !== null && !sourceCheck.Check(source)) throw foreign(key);
  return { epoch: decodeEpoch(key, epoch), generation: generation === "-" ? null : generation, source };
}

/** The epoch in a text, 0 where there is none; throws REGISTRY_UNAVAILABLE naming `key`. */
export function decodeEpoch(key: string, text: string | undefined): number {
  const epoch = Number(text ?? 0);
  if (!/^\d+$/.test(text ?? "0") || !Number.isSafeInteger(epoch)) throw foreign(key);
  return epoch;
}

/** REGISTRY_UNAVAILABLE: what stands there was written by something else. */
export function foreign(key: string): BquerydError {
  return new BquerydError("REGISTRY_UNAVAILABLE", `the registry's entry ${key} is not one of this release; run the same release everywhere, and give other programs other keys`, { details: { key } });
}

/** The epoch of a change: above the one before, and, by the clock, above those of a registry that was emptied since. */
export function nextEpoch(epoch: number, nowMs: number): number {
  return Math.max(epoch + 1, nowMs);
}

/** Both together: of each table the pointer of the greater epoch, and the greater epoch. */
export function joinPointers(a: Pointers, b: Pointers): Pointers {
  const tables = new Map(a.tables);
  for (const [table, pointer] of b.tables) if (pointer.epoch > (tables.get(table)?.epoch ?? -1)) tables.set(table, pointer);
  return { epoch: Math.max(a.epoch, b.epoch), tables };
}

/** Tells whether `pointers` lacks something that is known. */
export function lacks(pointers: Pointers, known: Pointers): boolean {
  return pointers.epoch < known.epoch || [...known.tables].some(([table, { epoch }]) => epoch > (pointers.tables.get(table)?.epoch ?? -1));
}

/** Throws USAGE unless the changes can be made together. */
export function requireChanges(changes: readonly PointerChange[]): void {
  const names = new Set(changes.map(({ table }) => table));
  if (changes.length === 0 || names.size !== changes.length || changes.length > limits.shardsMax) {
    throw new BquerydError("USAGE", `${changes.length} changes of pointers name ${names.size} tables; give from 1 to ${limits.shardsMax}, each table once`);
  }
  const wrong = changes.find(({ table, generation, source }) => !isTable(table) || (generation !== null && !isGeneration(generation)) || (source !== undefined && !sourceCheck.Check(source)));
  if (wrong !== undefined) throw new BquerydError("USAGE", `'${wrong.table}' at '${wrong.generation ?? "-"}' is no table and its generation; give a directory name, 64 hexadecimal digits, and a source that names a bucket`);
}

/** STALE: somebody has moved pointers meanwhile. */
export function epochMoved(expectedEpoch: number, epoch: number): BquerydError {
  return new BquerydError("STALE", `the pointers of the cluster are at epoch ${epoch}, not at ${expectedEpoch}; read them again and decide anew`, { details: { expectedEpoch, epoch } });
}

/** Tells whether a text can be the directory name of a table. */
export function isTable(name: string): boolean {
  return name.length <= limits.tableNameMax && /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name);
}

/** Tells whether a text can name a generation. */
export function isGeneration(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** What a text is as JSON; undefined for what is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
