/**
 * The address of a Redis server as the configuration has it: `redis://[[user]:password@]host[:port][/db]`, `rediss:` with
 * TLS. User and password are percent-encoded.
 */

/** Where a Redis server is, and who asks it. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  /** Number of the database. */
  readonly db: number;
  /** Undefined for the default user. */
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly isTls: boolean;
}

const defaultPort = 6379;
/** Servers have 16 databases unless they were told to have more. */
const dbMax = 9_999;

/** The address in a text; undefined when it holds none. */
export function parseRedisUrl(text: string): RedisAddress | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["redis:", "rediss:"].includes(url.protocol) || url.hostname === "" || url.search !== "" || url.hash !== "") return undefined;
  const db = /^\/?(\d{0,4})$/.exec(url.pathname)?.[1];
  const username = decode(url.username);
  const password = decode(url.password);
  const port = url.port === "" ? defaultPort : Number(url.port);
  if (db === undefined || Number(db) > dbMax || port === 0 || username === undefined || password === undefined) return undefined;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""), port, db: Number(db), isTls: url.protocol === "rediss:",
    username: username === "" ? undefined : username, password: password === "" ? undefined : password,
  };
}

/** The text without its password, for people; without anything when it holds no address. */
export function hideRedisPassword(text: string): string {
  const address = parseRedisUrl(text);
  if (address === undefined) return "";
  const url = new URL(text);
  if (address.password !== undefined) url.password = "***";
  return url.href;
}

/** Undefined for what is no percent-encoding. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
