import { createServer } from "node:net";
import { once } from "node:events";
import { inspect } from "node:util";
import { expect } from "chai";
import { describe, it } from "mocha";
import type { ObjectStore } from "../../lib/objects/objects.js";
import { s3Limits } from "../../lib/objects/s3/settings.js";
import { openS3 } from "../../lib/objects/s3/store.js";
import { bytesSource } from "../../lib/objects/sources.js";
import { failureOf } from "../support/failure.js";
import { listAll, readAll, someBytes, testObjectStore } from "../support/object-suite.js";
import { checksumOf } from "../support/s3/checksums.js";
import { scripted, type Fault } from "../support/s3/faults.js";
import { testIdentity } from "../support/s3/server.js";
import { setStage, settingsOf, smallLimits, withIdentity, type Stage } from "../support/s3/stage.js";
import { until } from "../support/until.js";

async function withStage(options: Parameters<typeof setStage>[0], work: (stage: Stage) => Promise<void>): Promise<void> {
  const stage = await setStage(options);
  try {
    await work(stage);
    expect([...stage.server.buckets.get("shelf")!.uploads.keys()], "uploads left unfinished").to.deep.equal([]);
    await stage.store.close();
    await until("no socket is open", () => stage.server.openSockets() === 0);
  } finally {
    await stage.close();
  }
}

const passing: readonly Fault[] = [
  { kind: "refuse", code: "SlowDown", status: 503 }, { kind: "refuse", code: "InternalError", status: 500 }, { kind: "reset" }, { kind: "lost" }, { kind: "slow", ms: 20 },
];
const slowDown: Fault = { kind: "refuse", code: "SlowDown", status: 503 };

describe("objects in S3", () => {
  testObjectStore((work: (store: ObjectStore) => Promise<void>) => withStage({}, ({ store }) => work(store)));

  it("keeps to its prefix", () => withStage({ prefix: "my prefix/" }, async ({ store, server }) => {
    await store.write("a/b", bytesSource(someBytes(9_000)));
    server.buckets.get("shelf")!.objects.set("my prefix", { ...server.buckets.get("shelf")!.objects.get("my prefix/a/b")!, key: "my prefix" });
    expect([...server.buckets.get("shelf")!.objects.keys()]).to.include("my prefix/a/b");
    expect((await listAll(store, "")).map(({ key }) => key)).to.deep.equal(["a/b"]);
    expect(await readAll(store, "a/b")).to.deep.equal(someBytes(9_000));
    expect(store.place).to.equal("s3://shelf/my prefix");
    await store.remove("a/b");
    expect(await store.head("a/b")).to.equal(undefined);
  }));

  for (const fault of passing) {
    it(`a request that ${fault.kind === "refuse" ? `is refused with ${fault.code}` : `meets '${fault.kind}'`} is sent again, whatever it asks`, () => withStage({}, async ({ store, server }) => {
      const struck = new Set<string>();
      server.play(({ operation }) => {
        if (struck.has(operation)) return undefined;
        struck.add(operation);
        return fault;
      });
      const content = someBytes(20_000);
      expect(await store.write("large", bytesSource(content), { onlyNew: true })).to.equal("written");
      expect(await store.write("small", bytesSource(someBytes(10)), { onlyNew: true })).to.equal("written");
      expect(await readAll(store, "large")).to.deep.equal(content);
      expect((await listAll(store, "")).map(({ key }) => key)).to.deep.equal(["large", "small"]);
      expect(await store.head("large")).to.include({ bytes: 20_000 });
      await store.remove("large");
      expect(await store.head("large")).to.equal(undefined);
      expect([...struck].sort()).to.deep.equal(["CompleteMultipartUpload", "CreateMultipartUpload", "DeleteObject", "GetObject", "HeadObject", "ListMultipartUploads", "ListObjectsV2", "PutObject", "UploadPart"]);
      // One that was begun and whose id was lost is for the bucket's rules to end.
      if (fault.kind === "lost") server.buckets.get("shelf")!.uploads.clear();
    }));
  }

  it("gives up after so many attempts, and says what S3 answered", () => withStage({}, async ({ store, server }) => {
    server.play(() => slowDown);
    const failure = await failureOf(() => store.write("t/x", bytesSource(someBytes(10))));
    expect(failure.code).to.equal("OBJECT_STORE");
    expect(failure.message).to.match(/^cannot store t\/x in s3:\/\/shelf: SlowDown, as scripted, HTTP status 503; /);
    expect(failure.details).to.deep.equal({ place: "s3://shelf", key: "t/x", reason: "SlowDown", status: 503 });
    expect(server.requests).to.have.length(smallLimits.attemptsMax);
  }));

  it("attempts are counted over all requests that one thing needs, so that they do not multiply", () => withStage({}, async ({ store, server }) => {
    await store.write("x", bytesSource(someBytes(4_000)));
    const count = async (work: () => Promise<unknown>): Promise<number> => {
      const before = server.requests.length;
      expect((await failureOf(work)).code).to.equal("OBJECT_STORE");
      return server.requests.length - before;
    };
    // A refused request and a body that breaks off, in turn.
    server.play(({ index }) => (index % 2 === 0 ? slowDown : { kind: "cut" }));
    expect(await count(() => readAll(store, "x"))).to.equal(smallLimits.attemptsMax);
    // A HEAD that is refused without a reason, into which a GET looks that is refused now and then.
    server.play(({ operation, index }) => (operation === "HeadObject" ? { kind: "refuse", code: "ExpiredToken", status: 400 } : index % 2 === 0 ? slowDown : undefined));
    expect(await count(() => store.head("x"))).to.be.within(smallLimits.attemptsMax, 2 * smallLimits.attemptsMax);
  }));

  it("the attempts at one request end within five minutes, whatever happens to them", () => {
    const { attemptsMax, connectMs, silenceMs, firstPauseMs, longestPauseMs } = s3Limits;
    const pausesMs = Array.from({ length: attemptsMax - 1 }, (_, failed) => Math.min(longestPauseMs, firstPauseMs * 2 ** failed));
    expect(attemptsMax * (connectMs + silenceMs) + pausesMs.reduce((sum, ms) => sum + ms)).to.be.below(300_000);
  });

  it("a body that is cut, or falls silent, is read on from there", () => withStage({ limits: { ...smallLimits, silenceMs: 300 } }, async ({ store, server }) => {
    const content = someBytes(100_000);
    await store.write("x", bytesSource(content));
    server.play(scripted([{ kind: "cut" }, { kind: "stall" }, { kind: "cut" }, { kind: "cut" }], ({ operation }) => operation === "GetObject"));
    expect(await readAll(store, "x")).to.deep.equal(content);
    const ranges = server.requests.filter(({ operation }) => operation === "GetObject").map(({ headers }) => headers["range"]);
    expect(ranges).to.deep.equal([undefined, "bytes=50000-99999", "bytes=75000-99999", "bytes=87500-99999", "bytes=93750-99999"]);
    server.play(scripted([{ kind: "cut" }]));
    expect(await readAll(store, "x", { start: 10, end: 90_000 })).to.deep.equal(content.slice(10, 90_000));
  }));

  it("a refusal whose text is cut is asked for again", () => withStage({}, async ({ store, server }) => {
    server.play(scripted([{ kind: "cut" }, { kind: "cut" }], ({ operation }) => operation === "GetObject"));
    expect(await store.head("x")).to.equal(undefined);
    server.play(scripted([{ kind: "cut" }], ({ operation }) => operation === "ListObjectsV2"));
    expect(await listAll(store, "")).to.deep.equal([]);
  }));

  it("a refusal of HEAD, which gives no reason, is looked into, and asked again when there is none any more", () => withStage({}, async ({ store, server }) => {
    await store.write("x", bytesSource(new Uint8Array()));
    server.play(scripted([{ kind: "refuse", code: "ExpiredToken", status: 400 }], ({ operation }) => operation === "HeadObject"));
    expect(await store.head("x")).to.include({ bytes: 0 });
  }));

  it("an object that is replaced while it is read on is never put together from both", () => withStage({}, async ({ store, server }) => {
    await store.write("x", bytesSource(someBytes(100_000, 1)));
    server.play(scripted([{ kind: "cut" }], ({ operation }) => operation === "GetObject"));
    const reading = store.read("x")[Symbol.asyncIterator]();
    await reading.next();
    await store.write("x", bytesSource(someBytes(100_000, 2)));
    const failure = await failureOf(async () => { while ((await reading.next()).done !== true); });
    expect(failure.code).to.equal("OBJECT_STORE");
    expect(failure.message).to.include("replaced");
  }));

  for (const kind of ["wrongBytes", "wrongLength", "wrongChecksum"] as const) {
    it(`an answer with ${kind} fails, also when it was read on`, () => withStage({}, async ({ store, server }) => {
      await store.write("x", bytesSource(someBytes(4_000)));
      server.play(scripted([{ kind }]));
      expect((await failureOf(() => readAll(store, "x"))).code).to.equal("OBJECT_STORE");
      if (kind === "wrongChecksum") return;
      server.play(scripted([{ kind: "cut" }, { kind }]));
      expect((await failureOf(() => readAll(store, "x"))).code).to.equal("OBJECT_STORE");
    }));
  }

  it("an object of another program is compared with the checksum it came with", () => withStage({}, async ({ store, server }) => {
    for (const name of ["crc64nvme", "crc32c", "sha256"]) {
      await store.write(name, bytesSource(someBytes(4_000)));
      const object = server.buckets.get("shelf")!.objects.get(name)!;
      server.buckets.get("shelf")!.objects.set(name, { ...object, checksums: new Map([[name, checksumOf(name, someBytes(4_000))]]) });
      expect(await readAll(store, name)).to.deep.equal(someBytes(4_000));
      server.play(scripted([{ kind: "wrongBytes" }]));
      const failure = await failureOf(() => readAll(store, name));
      expect(failure.message, name).to.include("checksum");
    }
  }));

  it("bytes that change on their way are refused by S3, and sent again", () => withStage({}, async ({ store, server }) => {
    server.play(scripted([{ kind: "spoil" }, { kind: "spoil" }], ({ operation }) => operation === "PutObject"));
    await store.write("small", bytesSource(someBytes(100)));
    server.play(scripted([{ kind: "spoil" }, { kind: "spoil" }], ({ operation }) => operation === "UploadPart"));
    await store.write("large", bytesSource(someBytes(20_000)));
    server.play(undefined);
    expect(await readAll(store, "small")).to.deep.equal(someBytes(100));
    expect(await readAll(store, "large")).to.deep.equal(someBytes(20_000));
  }));

  it("an upload that fails is taken back, and what was there stays", () => withStage({}, async ({ store, server }) => {
    await store.write("x", bytesSource(someBytes(9_000, 1)));
    for (const operation of ["UploadPart", "CompleteMultipartUpload"]) {
      server.play((request) => (request.operation === operation ? slowDown : undefined));
      expect((await failureOf(() => store.write("x", bytesSource(someBytes(20_000, 2))))).code).to.equal("OBJECT_STORE");
      expect(await readAll(store, "x")).to.deep.equal(someBytes(9_000, 1));
    }
  }));

  it("uploads of a key that nobody goes on with are taken back by the next, and no others", () => withStage({}, async ({ store, server }) => {
    const { uploads } = server.buckets.get("shelf")!;
    const dayMs = 24 * 3_600_000;
    const begin = (id: string, key: string, startedMs: number, partMs?: number): void => {
      const part = { path: `/nowhere/${id}`, bytes: 1, etag: '"e"', checksums: new Map(), modifiedMs: partMs ?? 0 };
      const headers = { contentType: "", metadata: new Map(), encryption: new Map() };
      uploads.set(id, { id, key, headers, startedMs, checksum: undefined, parts: new Map(partMs === undefined ? [] : [[1, part]]) });
    };
    const nowMs = Date.now();
    begin("old", "x", nowMs - 1.1 * dayMs);
    begin("young", "x", nowMs - 0.9 * dayMs);
    begin("slow", "x", nowMs - 9 * dayMs, nowMs - 0.5 * dayMs);
    begin("longer", "xx", nowMs - 9 * dayMs);
    begin("other", "y", nowMs - 9 * dayMs);
    await store.write("x", bytesSource(someBytes(20_000)));
    expect([...uploads.keys()]).to.deep.equal(["young", "slow", "longer", "other"]);
    // Who may not look at them stores all the same.
    server.play(({ operation }) => (operation === "ListMultipartUploads" ? { kind: "refuse", code: "AccessDenied", status: 403 } : undefined));
    await store.write("y", bytesSource(someBytes(20_000)));
    expect(await readAll(store, "y")).to.deep.equal(someBytes(20_000));
    uploads.clear();
  }));

  it("at most three parts are on their way, each with its checksum", () => withStage({}, async ({ store, server }) => {
    let [open, most] = [0, 0];
    const source = { bytes: 60_000, async *open(start: number, end: number) {
      most = Math.max(most, ++open);
      yield someBytes(60_000).subarray(start, end);
    } };
    await store.write("x", source, { onProgress: () => { open--; } });
    expect(most).to.equal(3);
    const parts = server.requests.filter(({ operation }) => operation === "UploadPart");
    expect(parts).to.have.length(15);
    for (const { headers } of parts) expect(headers["x-amz-checksum-crc32"]).to.match(/^[A-Za-z0-9+/]{6}==$/);
  }));

  it("parts of a very large object are larger, and one that is too large for all of them is refused", () => withStage({ limits: { ...smallLimits, partsMax: 4 } }, async ({ store, server }) => {
    await store.write("x", bytesSource(someBytes(30_000)));
    expect(server.requests.filter(({ operation }) => operation === "UploadPart")).to.have.length(4);
    expect((await failureOf(() => store.write("y", bytesSource(someBytes(40_000))))).code).to.equal("BAD_INPUT");
    expect(await readAll(store, "x")).to.deep.equal(someBytes(30_000));
  }));

  it("S3 is told how to encrypt", () => withStage({ settings: { s3Sse: "aws:kms", s3KmsKeyId: "my-key" } }, async ({ store, server }) => {
    for (const bytes of [10, 9_000]) await store.write(`x${bytes}`, bytesSource(someBytes(bytes)));
    for (const { encryption } of server.buckets.get("shelf")!.objects.values()) {
      expect([...encryption.values()]).to.deep.equal(["aws:kms", "my-key"]);
    }
  }));

  it("credentials with a session token are used", () => withStage({ identity: { ...testIdentity, sessionToken: "token/1" } }, async ({ store }) => {
    await store.write("x", bytesSource(someBytes(9_000)));
    expect(await readAll(store, "x")).to.deep.equal(someBytes(9_000));
  }));

  it("expired credentials are an error that says what to do, of every call, and repeats no secret", () => withStage({ identity: { ...testIdentity, sessionToken: "token/1", isExpired: true } }, async ({ store, server }) => {
    const calls = [
      () => store.head("x"), () => readAll(store, "x"), () => listAll(store, ""), () => store.remove("x"),
      () => store.write("x", bytesSource(someBytes(10))), () => store.write("x", bytesSource(someBytes(9_000))),
    ];
    for (const call of calls) {
      const failure = await failureOf(call);
      expect(failure.code).to.equal("CONFIG");
      expect(failure.message).to.include("expired").and.include("renew");
      expect(inspect(failure, { depth: 9, showHidden: true })).not.to.match(/token\/1|secret\/of/);
    }
    expect(server.requests).to.have.length.below(10);
  }));

  it("a wrong secret, an unknown key, a clock that is off and missing rights are errors that are not tried again", async () => {
    const cases = [
      { identity: { ...testIdentity, secretAccessKey: "another" }, says: /not accepted/ },
      { identity: { ...testIdentity, accessKeyId: "AKIDOTHER" }, says: /not accepted/ },
    ];
    for (const { identity, says } of cases) {
      await withStage({}, async ({ server }) => {
        const store = await withIdentity(identity, () => openS3({ bucket: "shelf", prefix: "" }, settingsOf(server), smallLimits));
        for (const call of [() => store.head("x"), () => listAll(store, ""), () => store.write("x", bytesSource(someBytes(1)))]) {
          const failure = await failureOf(call);
          expect(failure.code).to.equal("CONFIG");
          expect(failure.message).to.match(says);
        }
        await store.close();
      });
    }
    await withStage({}, async ({ store, server }) => {
      server.play(() => ({ kind: "refuse", code: "AccessDenied", status: 403 }));
      const failure = await failureOf(() => store.head("x"));
      expect([failure.code, failure.details["status"]]).to.deep.equal(["CONFIG", 403]);
      expect(failure.message).to.include("s3:GetObject");
    });
  });

  it("a clock that is off is corrected by what S3 answers", () => withStage({ nowMs: () => Date.now() - 3_600_000 }, async ({ store }) => {
    await store.write("x", bytesSource(someBytes(10)));
    expect(await readAll(store, "x")).to.deep.equal(someBytes(10));
  }));

  it("a bucket that is not there or is in another region is an error of the configuration, never an absent object", () => withStage({ region: "eu-north-1" }, async ({ server }) => {
    const nowhere = await withIdentity(server.identity, () => openS3({ bucket: "elsewhere", prefix: "" }, settingsOf(server), smallLimits));
    for (const call of [() => nowhere.head("x"), () => readAll(nowhere, "x"), () => listAll(nowhere, ""), () => nowhere.write("x", bytesSource(someBytes(1)))]) {
      const failure = await failureOf(call);
      expect(failure.code).to.equal("CONFIG");
      expect(failure.message).to.include("there is no such bucket");
    }
    await nowhere.close();
    const other = await withIdentity(server.identity, () => openS3({ bucket: "shelf", prefix: "" }, { ...settingsOf(server), s3Region: "us-west-2" }, smallLimits));
    for (const call of [() => other.head("x"), () => listAll(other, "")]) {
      const failure = await failureOf(call);
      expect(failure.code).to.equal("CONFIG");
      expect(failure.message).to.include("s3_region = eu-north-1");
    }
    await other.close();
  }));

  it("without credentials, or without a region, nothing is opened", async () => {
    const settings = settingsOf({ url: "http://127.0.0.1:1", region: "us-east-1" });
    const lonely = await failureOf(() => withIdentity(undefined, () => openS3({ bucket: "shelf", prefix: "" }, settings)));
    expect(lonely.code).to.equal("CONFIG");
    expect(lonely.message).to.include("AWS_ACCESS_KEY_ID");
    const placeless = await failureOf(() => withIdentity(testIdentity, () => openS3({ bucket: "shelf", prefix: "" }, { ...settings, s3Endpoint: undefined, s3Region: undefined })));
    expect(placeless.code).to.equal("CONFIG");
    expect(placeless.message).to.include("s3_region");
    const endpoint = await withIdentity(testIdentity, () => openS3({ bucket: "shelf", prefix: "" }, { ...settings, s3Region: undefined }));
    await endpoint.close();
  });

  it("a server that is not there, or never answers, is an error after a bounded time", async () => {
    const silent = createServer(() => {});
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const sockets: { destroy(): void }[] = [];
    silent.on("connection", (socket) => sockets.push(socket));
    const { port } = silent.address() as { port: number };
    const open = (url: string): Promise<ObjectStore> => withIdentity(testIdentity, () => openS3({ bucket: "shelf", prefix: "" }, settingsOf({ url, region: "us-east-1" }), { ...smallLimits, attemptsMax: 2, silenceMs: 50 }));
    for (const url of [`http://127.0.0.1:${port}`, "http://127.0.0.1:1"]) {
      const store = await open(url);
      const failure = await failureOf(() => store.head("x"));
      expect(failure.code, url).to.equal("OBJECT_STORE");
      await store.close();
    }
    silent.close();
    for (const socket of sockets) socket.destroy();
  });

  it("a signal ends a call that waits for S3 at once", () => withStage({ limits: { ...smallLimits, silenceMs: 60_000, firstPauseMs: 60_000, longestPauseMs: 60_000 } }, async ({ store, server }) => {
    await store.write("x", bytesSource(someBytes(4_000)));
    const faults: readonly Fault[] = [{ kind: "stall" }, slowDown];
    for (const fault of faults) {
      const enough = new AbortController();
      server.play((request) => {
        setTimeout(() => { enough.abort(new Error("enough")); }, 20);
        return request.operation === "GetObject" ? fault : undefined;
      });
      const outcome = await readAll(store, "x", { signal: enough.signal }).catch((cause: unknown) => cause);
      expect(outcome).to.equal(enough.signal.reason);
    }
  }));
});
