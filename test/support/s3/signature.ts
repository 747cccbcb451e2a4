/**
 * Signatures of AWS, version 4, as the S3 server checks them: in the header Authorization, or in the query of an address.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { refuse } from "./refuse.js";

/** Who may ask. */
export interface Identity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Whether what it has by now is no longer accepted. */
  readonly isExpired?: boolean;
}

/** What a request is checked against. */
export interface Verifier {
  readonly identities: readonly Identity[];
  readonly region: string;
  nowMs(): number;
}

/** A checked signature: how the body was signed, and what chunks of it are signed with. */
export interface Signed {
  /** The header x-amz-content-sha256. */
  readonly payload: string;
  readonly signature: string;
  /** The signature of a chunk, whose text follows date and scope. */
  signChunk(algorithm: string, text: string): string;
}

const skewMs = 15 * 60_000;
const algorithm = "AWS4-HMAC-SHA256";

interface Claim {
  readonly accessKeyId: string;
  /** date/region/service/aws4_request */
  readonly scope: string;
  readonly date: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly token: string | undefined;
  readonly payload: string;
  readonly expiresMs: number;
  readonly isQuery: boolean;
}

/** Checks the signature of a request. Refuses as S3 does. */
export function verifyRequest(request: IncomingMessage, verifier: Verifier): Signed {
  const [path = "", query = ""] = splitOnce(request.url ?? "", "?");
  const parameters = query === "" ? [] : query.split("&").map((pair) => splitOnce(pair, "=").map((text) => decode(text)) as [string, string]);
  const claim = readClaim(request, new Map(parameters));
  const identity = verifier.identities.find(({ accessKeyId }) => accessKeyId === claim.accessKeyId) ?? refuse("InvalidAccessKeyId", "no such key", { AWSAccessKeyId: claim.accessKeyId });
  checkTimes(claim, verifier);
  const [day, region, service, end] = claim.scope.split("/");
  if (region !== verifier.region) refuse("AuthorizationHeaderMalformed", `the region '${region}' is wrong; expecting '${verifier.region}'`, { Region: verifier.region });
  if (service !== "s3" || end !== "aws4_request" || day !== claim.date.slice(0, 8)) refuse("AuthorizationHeaderMalformed", "the scope is wrong");
  checkHeaders(request, claim);
  const canonical = [
    request.method, encodePath(decode(path)), canonicalQuery(parameters), ...claim.signedHeaders.map((name) => `${name}:${headerOf(request, name)}`), "",
    claim.signedHeaders.join(";"), claim.payload,
  ].join("\n");
  const key = ["s3", "aws4_request"].reduce((secret, text) => hmac(secret, text), hmac(hmac(`AWS4${identity.secretAccessKey}`, day), region));
  const sign = (kind: string, text: string): string => hmac(key, `${kind}\n${claim.date}\n${claim.scope}\n${text}`).toString("hex");
  if (!isEqual(sign(algorithm, sha256(canonical)), claim.signature)) refuse("SignatureDoesNotMatch", "the signature is another", { CanonicalRequest: canonical });
  checkToken(identity, claim);
  return { payload: claim.payload, signature: claim.signature, signChunk: sign };
}

function readClaim(request: IncomingMessage, query: ReadonlyMap<string, string>): Claim {
  const credentialOf = (text: string): { accessKeyId: string; scope: string } => {
    const [accessKeyId = "", scope = ""] = splitOnce(text, "/");
    return { accessKeyId, scope };
  };
  if (query.has("X-Amz-Algorithm")) {
    const { "X-Amz-Credential": credential = "", "X-Amz-Date": date = "", "X-Amz-SignedHeaders": headers = "", "X-Amz-Signature": signature = "", "X-Amz-Expires": expires = "" } = Object.fromEntries(query);
    if (query.get("X-Amz-Algorithm") !== algorithm || !/^\d{1,6}$/.test(expires) || Number(expires) > 604_800) refuse("AuthorizationQueryParametersError");
    const payload = headerOf(request, "x-amz-content-sha256");
    return {
      ...credentialOf(credential), date, signedHeaders: headers.split(";"), signature, token: query.get("X-Amz-Security-Token"),
      payload: payload === "" ? "UNSIGNED-PAYLOAD" : payload, expiresMs: Number(expires) * 1_000, isQuery: true,
    };
  }
  const header = request.headers.authorization ?? refuse("AccessDenied", "nothing is signed");
  const [, credential, headers, signature] = /^AWS4-HMAC-SHA256 Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/.exec(header) ?? refuse("AuthorizationHeaderMalformed");
  return {
    ...credentialOf(credential!), date: headerOf(request, "x-amz-date"), signedHeaders: headers!.split(";"), signature: signature!,
    token: request.headers["x-amz-security-token"]?.toString(), payload: headerOf(request, "x-amz-content-sha256"), expiresMs: skewMs, isQuery: false,
  };
}

function checkTimes({ date, expiresMs, isQuery }: Claim, { nowMs }: Verifier): void {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? refuse("AccessDenied", "a date is missing");
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number);
  const aheadMs = Date.UTC(year!, month! - 1, day, hour, minute, second) - nowMs();
  if (aheadMs > skewMs) refuse("RequestTimeTooSkewed");
  if (-aheadMs > expiresMs) refuse(isQuery ? "AccessDenied" : "RequestTimeTooSkewed", isQuery ? "Request has expired" : "the clock is wrong");
}

/** What would change the meaning of a request has to be signed. */
function checkHeaders(request: IncomingMessage, { signedHeaders, payload, isQuery }: Claim): void {
  const unsigned = Object.keys(request.headers).filter((name) => (name === "host" || name.startsWith("x-amz-")) && !signedHeaders.includes(name));
  if (unsigned.length > 0) refuse("AccessDenied", `there are headers which were not signed: ${unsigned.join(", ")}`);
  if (!isQuery && !/^([0-9a-f]{64}|UNSIGNED-PAYLOAD|STREAMING-[A-Z0-9-]+)$/.test(payload)) refuse("InvalidRequest", "x-amz-content-sha256 is missing");
}

function checkToken({ sessionToken, isExpired }: Identity, { token }: Claim): void {
  if (isExpired === true) refuse("ExpiredToken", "the provided token has expired", { "Token-0": token ?? "" });
  if (sessionToken !== token) refuse("InvalidToken", "the provided token is malformed or otherwise invalid", { "Token-0": token ?? "" });
}

function canonicalQuery(parameters: readonly (readonly [string, string])[]): string {
  const pairs = parameters.filter(([name]) => name !== "X-Amz-Signature").map(([name, value]) => [encode(name), encode(value)] as const);
  return pairs.sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1)).map((pair) => pair.join("=")).join("&");
}

function headerOf(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return (typeof value === "object" ? value.join(",") : value ?? "").trim().replace(/ +/g, " ");
}

/** The two sides of the first separator; the second is empty without one. */
function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return refuse("InvalidURI");
  }
}

/** As RFC 3986, all but unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

function encodePath(path: string): string {
  return path.split("/").map(encode).join("/");
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** The SHA-256 of a text, in hexadecimal digits. */
export function sha256(text: string | Uint8Array): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Compares signatures. */
export function isEqual(left: string, right: string): boolean {
  return left.length === right.length && timingSafeEqual(Buffer.from(left), Buffer.from(right));
}
