import { expect } from "chai";
import { createHash } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { decodeManifest, encodeManifest, manifestKey, type Manifest } from "../../lib/transfer/manifest.js";
import { uploadTables, type UploadProgress } from "../../lib/transfer/send/upload.js";
import { readBcolzDirectory } from "../../lib/columns/bcolz/directory.js";
import { timeOfCopyMs } from "../../lib/columns/bcolz/files.js";
import { openTable } from "../../lib/columns/read/open.js";
import { writeRawBcolz } from "../support/bcolz-directory.js";
import { failureOf } from "../support/failure.js";
import { createMemoryObjects, passing, type MemoryObjects } from "../support/memory-objects.js";
import { writeTable } from "../support/write-table.js";

const column = (values: readonly bigint[]): Buffer => Buffer.from(BigInt64Array.from(values).buffer);

describe("uploading tables", () => {
  let folder = "";
  let path = "";
  let memory: MemoryObjects;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    path = join(folder, "taxi.bcolz");
    memory = createMemoryObjects();
  });
  afterEach(() => rm(folder, { recursive: true }));

  const write = (other: bigint): Promise<string> => writeTable(path, [
    { name: "a", dtype: "int64", values: [1n, 5n, 3n] },
    { name: "b", dtype: "int64", values: [other, 9n, 7n] },
    { name: "s", dtype: "string", values: ["x", null, "y"] },
  ], { replace: true });
  const written = (): string[] => memory.calls.filter((call) => call.startsWith("write "));

  function requireContent(): void {
    for (const [key, bytes] of memory.objects) {
      if (!key.endsWith(".manifest.json")) expect(key).to.equal(`taxi.bcolz/${createHash("sha256").update(bytes).digest("hex")}`);
    }
  }

  it("stores every file under its content's name and the manifest last, and lets go of the table", async () => {
    const generation = await write(2n);
    const [sent] = await uploadTables(memory.store, [path]);
    expect(sent).to.include({ table: "taxi.bcolz", generation, rows: 3, manifestKey: `taxi.bcolz/${generation}.manifest.json` });
    requireContent();
    expect(written().slice(-2)).to.deep.equal([`write taxi.bcolz/${generation}.manifest.json`, "write taxi.bcolz/CURRENT.manifest.json"]);
    const manifest = decodeManifest(memory.objects.get(sent!.manifestKey)!, "taxi.bcolz");
    expect(manifest.files).to.have.length(memory.objects.size - 2);
    expect(manifest.files.every(({ sha256, bytes }) => memory.objects.get(`taxi.bcolz/${sha256}`)?.length === bytes)).to.equal(true);
    expect((await readdir(path)).filter((name) => name.startsWith("PIN."))).to.deep.equal([]);
  });

  it("sends only what is not there, told by one listing, and again what has a wrong length", async () => {
    await write(2n);
    await uploadTables(memory.store, [path]);
    const { data } = openTable(path).footer.columns[0]!.segments[0]!;
    memory.objects.set(`taxi.bcolz/${data.slice(0, 64)}`, Buffer.from("cut"));
    const generation = await write(4n);
    memory.calls.length = 0;
    const seen: UploadProgress[] = [];
    const [sent] = await uploadTables(memory.store, [path], { onProgress: (progress) => seen.push(progress) });
    expect(memory.calls.filter((call) => /^(?:list|head|read)/.test(call))).to.deep.equal(["list taxi.bcolz/"]);
    // One column's data and index, the footer, two manifests, and the one that was cut.
    expect(written().length).to.be.within(5, 6);
    expect(memory.objects.get(`taxi.bcolz/${data.slice(0, 64)}`)).to.deep.equal(await readFile(join(path, data)));
    requireContent();
    expect(memory.objects.has(manifestKey("taxi.bcolz", generation))).to.equal(true);
    expect(seen[0]).to.include({ bytesDone: sent!.bytes - sent!.bytesSent, bytesTotal: sent!.bytes });
    expect(seen.at(-1)).to.include({ bytesDone: sent!.bytes, filesDone: seen[0]!.filesTotal });
  });

  it("leaves no manifest when it is cut off, and goes on where it was", async () => {
    await write(2n);
    let left = 3;
    memory.onWrite = () => { if (left-- === 0) throw passing("it is away"); };
    expect((await failureOf(() => uploadTables(memory.store, [path]))).code).to.equal("OBJECT_STORE");
    expect([...memory.objects.keys()].some((key) => key.endsWith(".manifest.json"))).to.equal(false);
    const before = memory.objects.size;
    memory.onWrite = undefined;
    memory.calls.length = 0;
    await uploadTables(memory.store, [path]);
    expect(written()).to.have.length(memory.objects.size - before);
    expect((await readdir(path)).filter((name) => name.startsWith("PIN."))).to.deep.equal([]);
  });

  it("is CANCELLED by its signal", async () => {
    await write(2n);
    const stop = new AbortController();
    memory.onWrite = () => { stop.abort(); };
    expect((await failureOf(() => uploadTables(memory.store, [path], { signal: stop.signal }))).code).to.equal("CANCELLED");
    expect((await failureOf(() => uploadTables(memory.store, [path], { signal: stop.signal }))).code).to.equal("CANCELLED");
    expect([...memory.objects.keys()].some((key) => key.endsWith(".manifest.json"))).to.equal(false);
  });

  it("sends nothing of a file that is damaged, or that changes while it is sent", async () => {
    await write(2n);
    const name = (await readdir(path)).find((entry) => entry.endsWith(".col"))!;
    const good = await readFile(join(path, name));
    await writeFile(join(path, name), Buffer.concat([good.subarray(0, -1), Buffer.of(good.at(-1)! ^ 1)]));
    expect((await failureOf(() => uploadTables(memory.store, [path]))).code).to.equal("CORRUPT_CHUNK");
    await writeFile(join(path, name), good);
    for (const bytes of [Buffer.alloc(good.length), good.subarray(1), Buffer.concat([good, good])]) {
      memory.onWrite = (key) => key.endsWith(name.slice(0, 64)) ? writeFile(join(path, name), bytes) : undefined;
      // What lies behind the end that it had is no part of it.
      if (bytes.length <= good.length) expect((await failureOf(() => uploadTables(memory.store, [path]))).code).to.equal("CORRUPT_CHUNK");
      else await uploadTables(memory.store, [path]);
    }
    requireContent();
  });

  it("sends a table of bcolz with the times that its generation goes by, and nothing else that lies there", async () => {
    writeRawBcolz(path, [{ name: "v", dtype: "int64", bytes: column([1n, 2n, 3n]), itemBytes: 8, chunklen: 2 }, { name: "o", dtype: "object", bytes: column([4n, 5n, 6n]), itemBytes: 8 }]);
    await writeFile(join(path, "v", "data", "__9.blp"), "left by a trim");
    await writeFile(join(path, "notes.txt"), "mine");
    const [sent] = await uploadTables(memory.store, [path]);
    const manifest = decodeManifest(memory.objects.get(sent!.manifestKey)!, "taxi.bcolz");
    expect(manifest).to.include({ kind: "bcolz", rows: 3, generation: readBcolzDirectory(path).generation });
    expect(manifest.files.map(({ name }) => name)).to.have.members([
      "__attrs__", "__rootdirs__", "o/__attrs__", "o/data/__0.blp", "o/meta/sizes", "o/meta/storage",
      "v/__attrs__", "v/data/__0.blp", "v/data/__1.blp", "v/meta/sizes", "v/meta/storage",
    ]);
    // A copy that is given those times is of the same generation.
    const copy = join(folder, "copy", "taxi.bcolz");
    await cp(path, copy, { recursive: true });
    for (const { name, modified_ms: ms } of manifest.files) await utimes(join(copy, name), timeOfCopyMs(ms!) / 1000, timeOfCopyMs(ms!) / 1000);
    expect(readBcolzDirectory(copy).generation).to.equal(sent!.generation);
    const blob = join(path, "v", "data", "__0.blp");
    const { length } = await readFile(blob);
    memory.onWrite = () => writeFile(blob, Buffer.alloc(length));
    memory.objects.clear();
    expect((await failureOf(() => uploadTables(memory.store, [path], { filesAtOnce: 1 }))).code).to.equal("BUSY");
    expect(memory.objects.has(sent!.manifestKey)).to.equal(false);
  });

  it("refuses two tables of one name, and what is no table", async () => {
    await write(2n);
    expect((await failureOf(() => uploadTables(memory.store, [path, `${path}/`]))).code).to.equal("BAD_INPUT");
    expect((await failureOf(() => uploadTables(memory.store, [join(folder, "none.bcolz")]))).code).to.equal("NOT_FOUND");
    expect((await failureOf(() => uploadTables(memory.store, [folder]))).code).to.equal("BAD_INPUT");
  });
});

describe("a manifest", () => {
  const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
  const generation = hash("footer");
  const own: Manifest = {
    format: "bqueryd-manifest", version: 1, kind: "bqueryd", table: "t.bcolz", generation, rows: 3,
    files: [{ name: `${hash("a")}.col`, bytes: 10, sha256: hash("a") }, { name: `${generation}.json`, bytes: 6, sha256: generation }],
  };
  const bcolz: Manifest = {
    ...own, kind: "bcolz",
    files: [{ name: "__rootdirs__", bytes: 1, sha256: hash("r"), modified_ms: 5 }, { name: "v/data/__0.blp", bytes: 10, sha256: hash("a"), modified_ms: 5 }],
  };

  it("comes back as it was", () => {
    for (const manifest of [own, bcolz]) expect(decodeManifest(encodeManifest(manifest), "t.bcolz")).to.deep.equal(manifest);
  });

  it("that lies is refused: names, sizes, hashes, the generation, the table", async () => {
    const named = (name: string, more = {}): Manifest => ({ ...own, files: [...own.files, { name, bytes: 1, sha256: hash("b"), ...more }] });
    const inBcolz = (name: string, more = {}): Manifest => ({ ...bcolz, files: [...bcolz.files, { name, bytes: 1, sha256: hash("b"), modified_ms: 1, ...more }] });
    const bad: unknown[] = [
      named("../x"), named("/etc/passwd"), named("CURRENT"), named(`${hash("c")}.col`), named(`${hash("b")}.exe`), named(`${hash("b")}.col\n`), named(`${hash("b")}.json`),
      named(`${hash("b")}.col`, { bytes: -1 }), named(`${hash("b")}.col`, { bytes: 1.5 }), named(`${hash("b")}.col`, { bytes: 2 ** 60 }), named(`${hash("b")}.col`, { sha256: hash("B").toUpperCase() }), named(`${hash("b")}.col`, { modified_ms: 1 }),
      named(`${hash("a")}.col`, { sha256: hash("a") }), { ...own, files: own.files.slice(0, 1) }, { ...own, files: [] }, { ...own, generation: hash("another") }, { ...own, table: "u.bcolz" }, { ...own, rows: -1 }, { ...own, kind: "zip" },
      inBcolz("../v/data/__1.blp"), inBcolz("./data/__1.blp"), inBcolz("v/../__1.blp"), inBcolz("v/data/x/__1.blp"), inBcolz("v/data/__01.blp"), inBcolz("/v/data/__1.blp"), inBcolz("__rootdirs__/meta/sizes"), inBcolz("v/data/__0.blp"), inBcolz("LOCK"),
      inBcolz("v/data/__1.blp", { modified_ms: undefined }), { ...bcolz, files: bcolz.files.slice(1) }, null, [], "x", {},
    ];
    for (const one of bad) expect((await failureOf(() => decodeManifest(Buffer.from(JSON.stringify(one)), "t.bcolz"))).code, JSON.stringify(one)).to.equal("BAD_INPUT");
    expect((await failureOf(() => decodeManifest(Buffer.from("{"), "t.bcolz"))).code).to.equal("BAD_INPUT");
    expect((await failureOf(() => decodeManifest(Buffer.from(JSON.stringify({ ...own, version: 2 })), "t.bcolz"))).code).to.equal("UNSUPPORTED_FORMAT");
  });
});
