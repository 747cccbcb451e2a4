/** An S3 server with an object store over it, for tests. */
import { openS3 } from "../../../lib/objects/s3/store.js";
import { s3Limits, type S3Limits, type S3Settings } from "../../../lib/objects/s3/settings.js";
import type { ObjectStore } from "../../../lib/objects/objects.js";
import { startS3, type S3Server, type S3ServerOptions } from "./server.js";
import type { Identity } from "./signature.js";

/** Limits that let small objects have parts, and failures come soon. */
export const smallLimits: S3Limits = { ...s3Limits, partBytes: 4_096, partBytesMax: 8_192, partsMax: 100, silenceMs: 5_000, firstPauseMs: 1, longestPauseMs: 4 };

/** The settings that ask a server. */
export function settingsOf({ url, region }: Pick<S3Server, "url" | "region">): S3Settings {
  return { s3Endpoint: url, s3Region: region, s3PathStyle: undefined, s3Sse: "none", s3KmsKeyId: undefined, s3Profile: undefined };
}

/** A server, and a store over its bucket `shelf`. */
export interface Stage {
  readonly server: S3Server;
  readonly store: ObjectStore;
  /** Closes both. Throws when the server failed itself. */
  close(): Promise<void>;
}

/** Starts a server that takes parts of a byte and lists 7 entries a page, and opens a store. */
export async function setStage({ prefix = "", settings = {}, limits = smallLimits, identity, ...options }: Partial<S3ServerOptions> & { prefix?: string; settings?: Partial<S3Settings>; limits?: S3Limits; identity?: Identity } = {}): Promise<Stage> {
  const server = await startS3({ buckets: ["shelf"], partBytesMin: 1, pageKeysMax: 7, ...(identity === undefined ? {} : { identities: [identity] }), ...options });
  try {
    const store = await withIdentity(server.identity, () => openS3({ bucket: "shelf", prefix }, { ...settingsOf(server), ...settings }, limits));
    return {
      server, store,
      async close() {
        await store.close();
        await server.close();
        if (server.failures.length > 0) throw new AggregateError(server.failures, `the S3 server failed: ${server.failures.map(String).join("; ")}`);
      },
    };
  } catch (cause) {
    await server.close();
    throw cause;
  }
}

/** The result of work during which the environment holds credentials, as the client finds them, and nothing else of AWS. */
export async function withIdentity<T>(identity: Identity | undefined, work: () => Promise<T>): Promise<T> {
  const variables: Readonly<Record<string, string | undefined>> = {
    AWS_ACCESS_KEY_ID: identity?.accessKeyId, AWS_SECRET_ACCESS_KEY: identity?.secretAccessKey, AWS_SESSION_TOKEN: identity?.sessionToken,
    AWS_REGION: undefined, AWS_DEFAULT_REGION: undefined, AWS_PROFILE: undefined, AWS_EC2_METADATA_DISABLED: "true",
    AWS_CONFIG_FILE: "/dev/null", AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  };
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  setVariables(Object.entries(variables));
  try {
    return await work();
  } finally {
    setVariables(before);
  }
}

function setVariables(variables: readonly (readonly [string, string | undefined])[]): void {
  for (const [name, value] of variables) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}
