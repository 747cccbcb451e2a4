/** Addresses of controllers: `tcp://host:port`, and `tcp://host:port/KEY` where the public key of one with keys is known. */

/** The parts of an address. */
export interface AddressParts {
  /** `tcp://host:port` */
  readonly endpoint: string;
  readonly publicKey: string | undefined;
}

/** The parts of an address; what is no address is all endpoint. */
export function splitAddress(address: string): AddressParts {
  const [, endpoint = address, publicKey] = /^(.*)\/([0-9a-f]{64})$/.exec(address) ?? [];
  return { endpoint, publicKey };
}

/** The address for people, without a key. */
export function shortAddress(address: string): string {
  return splitAddress(address).endpoint;
}

/** `endpoint` with another host, where there is one, and a public key, where there is one. */
export function addressOf(endpoint: string, { host, publicKey }: { readonly host?: string | undefined; readonly publicKey?: string | undefined }): string {
  const port = endpoint.slice(endpoint.lastIndexOf(":") + 1);
  const shown = host?.includes(":") === true && !host.startsWith("[") ? `[${host}]` : host;
  return `${shown === undefined ? endpoint : `tcp://${shown}:${port}`}${publicKey === undefined ? "" : `/${publicKey}`}`;
}
