/** How S3 is talked to: what the configuration says, and limits that it does not. */
import type { Config } from "../../base/config.js";

/** The configuration of S3. Credentials are no part of it: the client finds them as all tools of AWS do. */
export type S3Settings = Pick<Config, "s3Endpoint" | "s3Region" | "s3PathStyle" | "s3Sse" | "s3KmsKeyId" | "s3Profile">;

/** Limits of S3 itself and of us; tests lower them. */
export interface S3Limits {
  /** Bytes of a part, and of an object that is sent in one piece; for very large objects it grows up to `partBytesMax`. */
  readonly partBytes: number;
  readonly partBytesMax: number;
  readonly partsMax: number;
  /** Parts of one object that are in memory and on their way at a time. */
  readonly partsAtOnce: number;
  /** Parts and whole objects that one store has in memory at a time; others wait. */
  readonly bodiesAtOnce: number;
  /** How long nothing comes of an unfinished upload that is taken for abandoned. */
  readonly abandonedMs: number;
  readonly connectMs: number;
  /** How long nothing may come or go on a connection. */
  readonly silenceMs: number;
  /** Attempts at one request in all, reading on where the answer broke off included, and the longest pause before the second and before the last. */
  readonly attemptsMax: number;
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
}

/** The limits in force. */
export const s3Limits: S3Limits = {
  partBytes: 8 * 2 ** 20,
  partBytesMax: 16 * 2 ** 20,
  partsMax: 10_000,
  partsAtOnce: 3,
  bodiesAtOnce: 3,
  abandonedMs: 24 * 60 * 60 * 1_000,
  connectMs: 5_000,
  silenceMs: 30_000,
  attemptsMax: 7,
  firstPauseMs: 200,
  longestPauseMs: 10_000,
};
