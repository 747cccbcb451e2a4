/** Refusals of the S3 server: S3's code and HTTP status. */

/** What the server answers with an error document. */
export class S3Refusal extends Error {
  readonly code: string;
  readonly status: number;
  /** More elements of the error document. */
  readonly facts: Readonly<Record<string, string>>;

  constructor(code: string, message: string, facts: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.status = statuses[code] ?? 400;
    this.facts = facts;
  }
}

/** Codes whose status is not 400. */
const statuses: Readonly<Record<string, number>> = {
  AccessDenied: 403, InvalidAccessKeyId: 403, SignatureDoesNotMatch: 403, RequestTimeTooSkewed: 403,
  NoSuchBucket: 404, NoSuchKey: 404, NoSuchUpload: 404,
  MethodNotAllowed: 405, BucketAlreadyOwnedByYou: 409, ConditionalRequestConflict: 409, PreconditionFailed: 412, InvalidRange: 416, MissingContentLength: 411,
  InternalError: 500, NotImplemented: 501, ServiceUnavailable: 503, SlowDown: 503,
};

/** Fails a request. */
export function refuse(code: string, message = code, facts: Readonly<Record<string, string>> = {}): never {
  throw new S3Refusal(code, message, facts);
}
