/** How a peer with keys says who it is: its first message carries its public key, and a proof that it owns it. */
import { BquerydError } from "../base/errors.js";
import { shortAddress, splitAddress } from "./addresses.js";
import { createProver, type KeyPair, type Prover } from "./keys.js";
import type { ClientMessage, WorkerMessage } from "./messages.js";

/** The messages that begin a session. */
export type FirstMessage = Extract<ClientMessage, { type: "hello" }> | Extract<WorkerMessage, { type: "register" }>;

/** What one end of a connection between owners of keys needs. */
export interface Introduction {
  readonly keys: KeyPair;
  readonly serverKey: string;
  /** The header, with the proof where it is a first message. */
  introduce<H extends ClientMessage | WorkerMessage>(header: H): H;
}

/** For an address and the keys of this process; undefined when neither has a key. Throws CONFIG when only the address has one. */
export function createIntroduction(address: string, keys: KeyPair | undefined): Introduction | undefined {
  const { publicKey } = splitAddress(address);
  if (keys === undefined) {
    if (publicKey === undefined) return undefined;
    throw new BquerydError("CONFIG", `the controller ${shortAddress(address)} takes only those who have a key, and this process has none; set key_file`, { details: { key: "key_file" } });
  }
  // The nodes of a cluster may all have one key.
  const serverKey = publicKey ?? keys.publicKey;
  const prover = createProver(keys, serverKey);
  if (prover === undefined) throw new BquerydError("CONFIG", `the key in the address of ${shortAddress(address)} is the key of nobody; compare it with the controller's`);
  return {
    keys, serverKey,
    introduce: (header) => (header.type === "hello" || header.type === "register" ? { ...header, credential: { key: keys.publicKey, proof: prover.prove(textOf(header)) } } : header),
  };
}

/** Tells whether the sender of a first message owns the key that it names. */
export function isProved(header: FirstMessage, prover: Prover): boolean {
  return header.credential !== undefined && prover.isProof(textOf(header), header.credential.proof);
}

/** What is proved: that this peer begins a session on this channel under this id. */
function textOf(header: FirstMessage): string {
  return header.type === "hello" ? `client ${header.clientId}` : `worker ${header.workerId}`;
}
