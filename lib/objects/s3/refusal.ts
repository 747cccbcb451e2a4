/** What a failure of the S3 client means: whether it may pass, and what to tell people. Never with a secret. */
import { BquerydError } from "../../base/errors.js";

/** The facts of a failure. S3's answers may repeat a session token: nothing else of them is kept. */
export interface Refusal {
  /** Undefined when there was no answer. */
  readonly status: number | undefined;
  /** S3's code, or the name of the system's error. */
  readonly reason: string;
  readonly message: string;
  /** The region that the bucket is in, when S3 tells it. */
  readonly region: string | undefined;
}

/** What was being done when it failed. */
export interface Doing {
  readonly place: string;
  /** `list`, `read`, ... */
  readonly verb: string;
  readonly key: string;
}

const passing = new Set([
  "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests", "RequestLimitExceeded", "InternalError", "ServiceUnavailable",
  // The client corrects its clock by the first refusal.
  "RequestTimeTooSkewed",
  "RequestTimeout", "IncompleteBody", "OperationAborted", "ConditionalRequestConflict",
  // Another attempt may be completing it, and a whole write begins another upload.
  "NoSuchUpload",
  // Bytes that were altered on their way.
  "BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch",
]);
/** Our name for an answer that broke off, or is none of S3. */
const spoiltAnswer = "SpoiltAnswer";
const passingStatuses = new Set([408, 429, 500, 502, 503, 504]);
const expired = new Set(["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired", "InvalidToken"]);
const unknownIdentity = new Set(["InvalidAccessKeyId", "SignatureDoesNotMatch", "MissingSecurityHeader", "MissingAuthenticationToken"]);
const otherRegion = new Set(["PermanentRedirect", "TemporaryRedirect", "Redirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"]);
const credentialErrors = new Set(["CredentialsProviderError", "TokenProviderError"]);

/** The facts of whatever the client threw. */
export function readRefusal(cause: unknown): Refusal {
  const status = memberOf(memberOf(cause, "$metadata"), "httpStatusCode");
  const region = memberOf(cause, "Region") ?? memberOf(memberOf(memberOf(cause, "$response"), "headers"), "x-amz-bucket-region");
  const code = memberOf(cause, "code");
  const name = cause instanceof Error ? cause.name : "unknown";
  const message = cause instanceof Error ? cause.message : String(cause);
  // The client adds to it how to look at the answer.
  const [firstLine = "", ...more] = message.split("\n");
  const isSpoilt = more.some((line) => line.includes("Deserialization error"));
  return {
    status: typeof status === "number" ? status : undefined,
    reason: isSpoilt ? spoiltAnswer : typeof code === "string" && typeof status !== "number" && !credentialErrors.has(name) ? code : name,
    message: firstLine,
    region: typeof region === "string" ? region : undefined,
  };
}

/** Tells whether asking again may help. */
export function canPass({ status, reason }: Refusal): boolean {
  if (credentialErrors.has(reason)) return false;
  // No answer, or one whose body broke off.
  if (status === undefined || status < 300) return true;
  return passingStatuses.has(status) || passing.has(reason) || reason === spoiltAnswer;
}

/** Tells whether S3 says that there is no such object. */
export function isAbsent({ status, reason }: Refusal): boolean {
  return status === 404 && (reason === "NoSuchKey" || reason === "NotFound");
}

/** The error of a refusal that is final. */
export function failureOf(refusal: Refusal, doing: Doing): BquerydError {
  const { place, verb, key } = doing;
  const { status, reason, message } = refusal;
  const details = { place, key, reason, ...(status === undefined ? {} : { status }) };
  const what = key === "" ? `cannot ${verb} ${place}` : `cannot ${verb} ${key} in ${place}`;
  const answer = status === undefined ? `${reason}, ${message}` : `${reason}${message === "" || message === reason ? "" : `, ${message}`}, HTTP status ${status}`;
  if (isAbsent(refusal)) return new BquerydError("NOT_FOUND", `${what}: there is no such object; check its name`, { details });
  const lasting = adviceOf(refusal, place);
  if (lasting !== undefined) return new BquerydError("CONFIG", `${what}: ${lasting.why} (${answer}); ${lasting.advice}`, { details });
  return new BquerydError("OBJECT_STORE", `${what}: ${answer.replace(/\.$/, "")}; try again later`, { details });
}

/** Why asking again is of no use, and what a person has to do; undefined for what may pass. */
function adviceOf(refusal: Refusal, place: string): { readonly why: string; readonly advice: string } | undefined {
  const { reason, status, region } = refusal;
  if (credentialErrors.has(reason)) {
    return { why: "there are no credentials", advice: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws with s3_profile, or give the machine a role" };
  }
  if (expired.has(reason)) return { why: "the credentials have expired", advice: "renew them, with AWS_SESSION_TOKEN where they have one, and start this process again" };
  if (unknownIdentity.has(reason)) return { why: "the credentials are not accepted", advice: "correct the access key and its secret, and see that they belong to s3_endpoint" };
  if (reason === "NoSuchBucket") return { why: "there is no such bucket", advice: "create it, or correct its name and s3_endpoint" };
  if (otherRegion.has(reason) || status === 301) {
    return { why: "the bucket is in another region", advice: region === undefined ? "set s3_region to that of the bucket" : `set s3_region = ${region}` };
  }
  if (reason === "RequestTimeTooSkewed") return { why: "the clock of this machine is more than 15 minutes off", advice: "set it, by NTP for instance" };
  if (status === 403) return { why: "the credentials do not have the right to", advice: "allow s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload there, and the key of KMS if it has one" };
  // That the object is another one by now may be asked about again.
  if (status === 412 || canPass(refusal)) return undefined;
  return { why: "it is refused", advice: `see whether ${place} supports what is asked and the s3_ keys of the configuration fit it` };
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && name in value ? Reflect.get(value, name) : undefined;
}
