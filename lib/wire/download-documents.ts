/** What download() and downloads() answer. Names are those of JSON documents, times are seconds by the registry's clock. */
import { Type } from "../base/typebox.js";
import { isListing, requireDocument } from "./documents.js";

/** What stands before the id of a ticket where people see it. */
export const ticketPrefix = "bqueryd_download_ticket_";

/** A ticket that was made, or could be: the answer of download(). */
export interface TicketMade {
  /** 16 hexadecimal digits; null where it was only asked whether one could be made. */
  readonly ticket: string | null;
  readonly slots: number;
  /** Sentences about nodes of it that nothing will come to as they are. */
  readonly warnings: readonly string[];
}

/** A ticket: an element of the answer of downloads(). What is null is not known, or was not asked for. */
export interface DownloadInfo {
  /** 16 hexadecimal digits. */
  readonly ticket: string;
  readonly state: "active" | "committed" | "done" | "failed" | "cancelled";
  /** Why it failed, or what is left to do. */
  readonly reason: string | null;
  /** Slots, one for each table on each node; `done` are those prepared or switched. */
  readonly slots: number;
  readonly done: number;
  /** Since it was made, and since anything of it changed last. */
  readonly age: number;
  readonly idle: number;
  readonly bucket: string | null;
  readonly replicas: number | null;
  readonly tables: number | null;
  readonly bytes_done: number | null;
  readonly bytes_total: number | null;
  /** Bytes a second that come now. */
  readonly rate: number | null;
  /** Seconds that are left at that rate. */
  readonly eta: number | null;
  readonly nodes: readonly DownloadNode[];
  /** Every table on every node, of as many tickets as one answer holds. */
  readonly places: readonly DownloadPlace[];
  readonly warnings: readonly string[];
}

/** What a node has of a ticket. */
export interface DownloadNode {
  readonly node: string;
  readonly slots: number;
  readonly done: number;
  readonly bytes_done: number;
  readonly bytes_total: number | null;
  readonly rate: number;
  readonly eta: number | null;
}

/** One table on its way to one node. */
export interface DownloadPlace {
  readonly node: string;
  readonly table: string;
  readonly state: "queued" | "downloading" | "verified" | "prepared" | "switched" | "failed";
  readonly bytes_done: number;
  readonly bytes_total: number | null;
  readonly rate: number | null;
  readonly eta: number | null;
  /** The process that downloads it. */
  readonly owner: string | null;
  readonly reason: string | null;
}

const [text, count] = [Type.String(), Type.Number()];
const [maybeText, maybeCount] = [Type.Union([text, Type.Null()]), Type.Union([count, Type.Null()])];
const [states, placeStates] = [["active", "committed", "done", "failed", "cancelled"], ["queued", "downloading", "verified", "prepared", "switched", "failed"]] as const;

const madeSchema = Type.Object({ ticket: maybeText, slots: count, warnings: Type.Array(text) });
const downloadsSchema = Type.Array(Type.Object({
  ticket: text, state: Type.Union(states.map((state) => Type.Literal(state))), reason: maybeText, slots: count, done: count, age: count, idle: count,
  bucket: maybeText, replicas: maybeCount, tables: maybeCount, bytes_done: maybeCount, bytes_total: maybeCount, rate: maybeCount, eta: maybeCount,
  nodes: Type.Array(Type.Object({ node: text, slots: count, done: count, bytes_done: count, bytes_total: maybeCount, rate: count, eta: maybeCount })),
  places: Type.Array(Type.Object({
    node: text, table: text, state: Type.Union(placeStates.map((state) => Type.Literal(state))), bytes_done: count, bytes_total: maybeCount,
    rate: maybeCount, eta: maybeCount, owner: maybeText, reason: maybeText,
  })),
  warnings: Type.Array(text),
}));
const cancelledSchema = Type.Integer({ minimum: 0 });

/** Tells whether a value is what downloads() answers with `verbose`, and lists something. */
export function isDownloads(value: unknown): value is readonly DownloadInfo[] {
  return isListing(downloadsSchema, value);
}

/** The answer of downloads() as it travels. Throws BAD_MESSAGE for what is none. */
export function decodeDownloads(value: unknown): readonly DownloadInfo[] {
  return requireDocument("downloads", downloadsSchema, value);
}

/** The answer of download() as it travels. Throws BAD_MESSAGE for what is none. */
export function decodeTicketMade(value: unknown): TicketMade {
  return requireDocument("download", madeSchema, value);
}

/** The answer of delete_download(): slots that were cancelled. Throws BAD_MESSAGE for what is none. */
export function decodeCancelled(value: unknown): number {
  return requireDocument("delete_download", cancelledSchema, value);
}
