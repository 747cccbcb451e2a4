/**
 * Answers to the questions that zeromq asks of every connection to a socket with keys (ZAP, ZeroMQ RFC 27).
 *
 *   question    version "1.0" · request id · domain · address · routing id · mechanism · credentials: the public key
 *   answer      version · request id · status: 200 or 400 · text · user id · metadata
 */

/** Where zeromq looks for who answers, within one context. */
export const zapEndpoint = "inproc://zeromq.zap.01";
/** The domain of our sockets: zeromq is told to refuse everybody when nobody answers for it. */
export const zapDomain = "bqueryd";

/** Tells whether a public key (64 hexadecimal digits) may connect from an address, which is an IP without port. */
export type Admit = (publicKey: string, address: string) => boolean;

const version = "1.0";
const publicKeyBytes = 32;

/** The frames that answer a question. Whatever is not the question of a CURVE key is refused. */
export function answerZap(question: readonly Uint8Array[], admit: Admit): Uint8Array[] {
  const [asked, requestId, , address, , mechanism, credentials, ...rest] = question;
  const isSound = textOf(asked) === version && textOf(mechanism) === "CURVE" && credentials?.length === publicKeyBytes && rest.length === 0;
  const isAdmitted = isSound && admit(Buffer.from(credentials).toString("hex"), textOf(address));
  const [status, text] = isAdmitted ? ["200", "OK"] : ["400", "unknown key"];
  return [Buffer.from(version), requestId ?? new Uint8Array(), Buffer.from(status), Buffer.from(text), new Uint8Array(), new Uint8Array()];
}

function textOf(frame: Uint8Array | undefined): string {
  return frame === undefined ? "" : Buffer.from(frame).toString("latin1");
}
