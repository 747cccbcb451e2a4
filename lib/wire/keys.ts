/**
 * Keys of CURVE: pairs of Curve25519, and proofs that only the owner of one can make. Our texts of a key are 64
 * hexadecimal digits: Z85, as zeromq writes them, has characters that configuration files and shells take for theirs.
 */
import { createHmac, createPrivateKey, createPublicKey, diffieHellman, hkdfSync, timingSafeEqual, type KeyObject } from "node:crypto";
import { randomSecret } from "../base/clock.js";

/** The keys of a process. */
export interface KeyPair {
  /** 64 hexadecimal digits. */
  readonly publicKey: string;
  /** The 32 secret bytes: a call, so that what prints a pair does not print them. */
  secret(): Uint8Array;
}

/** Makes and checks proofs between the owners of two keys. */
export interface Prover {
  /** 64 hexadecimal digits that prove to the owner of one key that the owner of the other said `text`. */
  prove(text: string): string;
  isProof(text: string, proof: string): boolean;
}

const keyBytes = 32;
// RFC 8410: what stands before the 32 bytes of an X25519 key.
const privateKeyPrefix = Buffer.from("302e020100300506032b656e04220420", "hex");
const publicKeyPrefix = Buffer.from("302a300506032b656e032100", "hex");
/** Keeps what is derived here apart from everything else that is ever derived from these keys, CURVE's own included. */
const purpose = "bqueryd: proof of a key, version 1";
const z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/** A new pair. */
export function makeKeyPair(): KeyPair {
  return keyPairOf(randomSecret());
}

/** The pair of a secret of 32 bytes, which it copies. */
export function keyPairOf(secret: Uint8Array): KeyPair {
  if (secret.length !== keyBytes) throw new Error(`a secret key has ${keyBytes} bytes`);
  const kept = secret.slice();
  const spki = createPublicKey(privateKeyOf(kept)).export({ format: "der", type: "spki" });
  return { publicKey: spki.subarray(publicKeyPrefix.length).toString("hex"), secret: () => kept.slice() };
}

/** Tells whether a text is a public key as we write them. */
export function isPublicKey(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/**
 * Proofs between the owner of `own` and that of `otherPublicKey`: either can make them and nobody else can, because they
 * need one of the two secrets. Undefined for a public key that nobody owns (a point of low order).
 */
export function createProver(own: KeyPair, otherPublicKey: string): Prover | undefined {
  const shared = sharedSecretOf(own, otherPublicKey);
  if (shared === undefined) return undefined;
  const macKey = Buffer.from(hkdfSync("sha256", shared, Buffer.alloc(0), purpose, keyBytes));
  const mac = (text: string): Buffer => createHmac("sha256", macKey).update(text, "utf8").digest();
  return {
    prove: (text) => mac(text).toString("hex"),
    isProof: (text, proof) => isPublicKey(proof) && timingSafeEqual(mac(text), Buffer.from(proof, "hex")),
  };
}

/** A key of 32 bytes as zeromq takes it: 40 characters of Z85 (ZeroMQ RFC 32). */
export function encodeZ85(key: Uint8Array): string {
  const view = new DataView(key.buffer, key.byteOffset, key.length);
  let text = "";
  for (let offset = 0; offset < key.length; offset += 4) {
    const word = view.getUint32(offset);
    for (let power = 85 ** 4; power >= 1; power /= 85) text += z85[Math.floor(word / power) % 85] ?? "";
  }
  return text;
}

function sharedSecretOf(own: KeyPair, otherPublicKey: string): Buffer | undefined {
  try {
    return diffieHellman({ privateKey: privateKeyOf(own.secret()), publicKey: publicKeyOf(otherPublicKey) });
  } catch {
    return undefined;
  }
}

function privateKeyOf(secret: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([privateKeyPrefix, secret]), format: "der", type: "pkcs8" });
}

function publicKeyOf(text: string): KeyObject {
  return createPublicKey({ key: Buffer.concat([publicKeyPrefix, Buffer.from(text, "hex")]), format: "der", type: "spki" });
}
