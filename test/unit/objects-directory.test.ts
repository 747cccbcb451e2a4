import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { describe, it } from "mocha";
import { openDirectory } from "../../lib/objects/directory/store.js";
import { temporaryName } from "../../lib/objects/keys.js";
import type { ObjectStore } from "../../lib/objects/objects.js";
import { openObjectStore, parseBucket } from "../../lib/objects/open.js";
import { bytesSource, fileSource } from "../../lib/objects/sources.js";
import { loadConfig } from "../../lib/base/config.js";
import { realFiles, type Files } from "../../lib/base/files.js";
import { failureOf } from "../support/failure.js";
import { listAll, readAll, someBytes, testObjectStore } from "../support/object-suite.js";

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-objects-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function withStore(work: (store: ObjectStore, folder: string) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const store = await openDirectory(folder);
    await work(store, folder);
    await store.close();
    const left = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".tmp"));
    expect(left, "files that were being written").to.deep.equal([]);
  });
}

const hourMs = 3_600_000;

describe("objects in a directory", () => {
  testObjectStore(withStore);

  it("no key and no prefix leads out of the directory by a link, and links are not listed", () => withFolder(async (folder) => {
    const [inside, outside] = [join(folder, "inside"), join(folder, "outside")];
    for (const path of [inside, outside, join(inside, "real")]) await mkdir(path);
    await writeFile(join(outside, "secret"), "secret");
    await symlink(outside, join(inside, "way"));
    await symlink(join(outside, "secret"), join(inside, "file"));
    const store = await openDirectory(inside);
    for (const key of ["way/secret", "file"]) {
      expect(await store.head(key), key).to.equal(undefined);
      expect((await failureOf(() => readAll(store, key))).code, key).to.equal("NOT_FOUND");
      await store.remove(key);
    }
    expect((await failureOf(() => store.write("way/new", bytesSource(someBytes(1))))).code).to.equal("IO");
    expect(await listAll(store, "")).to.deep.equal([]);
    expect(await listAll(store, "way/")).to.deep.equal([]);
    // The link itself is replaced, what it points at is not.
    expect(await store.write("file", bytesSource(someBytes(1)))).to.equal("written");
    expect(await readdir(outside)).to.deep.equal(["secret"]);
    expect(await readFile(join(outside, "secret"), "utf8")).to.equal("secret");
  }));

  it("what a killed writer left is not listed, and is removed after an hour, by who lists or writes there", () => withStore(async (store, folder) => {
    await mkdir(join(folder, "t"));
    const [fresh, first, second] = ["a", "b", "c"].map((digit) => join(folder, "t", temporaryName(digit.repeat(32))));
    for (const path of [fresh!, first!]) await writeFile(path, "half");
    await utimes(first!, new Date(), new Date(Date.now() - 2 * hourMs));
    expect(await listAll(store, "")).to.deep.equal([]);
    expect(await readdir(join(folder, "t"))).to.deep.equal([temporaryName("a".repeat(32))]);
    await writeFile(second!, "half");
    await utimes(second!, new Date(), new Date(Date.now() - 2 * hourMs));
    const other = await openDirectory(folder);
    await other.write("t/x", bytesSource(someBytes(1)));
    expect((await readdir(join(folder, "t"))).sort()).to.deep.equal([temporaryName("a".repeat(32)), "x"]);
    await rm(fresh!);
  }));

  it("a write that fails at any of its operations leaves what was there, and no other file", () => withFolder(async (folder) => {
    const [before, after] = [someBytes(5_000, 1), someBytes(5_000, 2)];
    await (await openDirectory(folder)).write("t/x", bytesSource(before));
    const names = ["create", "append", "sync", "rename", "find", "list", "makeDirectory"] as const;
    for (const name of names) {
      const failing: Files = { ...realFiles, [name]: async () => { throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC", syscall: name }); } };
      const failure = await failureOf(async () => (await openDirectory(folder, { files: failing })).write("t/x", bytesSource(after)));
      expect(failure.code, name).to.equal("DISK_FULL");
      expect(failure.message, name).to.include("t/x");
      expect(await readdir(join(folder, "t")), name).to.deep.equal(["x"]);
      expect(await readAll(await openDirectory(folder), "t/x"), name).to.deep.equal(before);
    }
  }));

  it("a file is synced before it appears, and its folders are after", () => withFolder(async (folder) => {
    const done: string[] = [];
    const recording: Files = {
      ...realFiles,
      sync: async (path) => { done.push("sync"); await realFiles.sync(path); },
      rename: async (from, to) => { done.push("rename"); await realFiles.rename(from, to); },
      link: async (from, to) => { done.push("link"); await realFiles.link(from, to); },
      syncDirectory: async (path) => { done.push(path.slice(folder.length)); await realFiles.syncDirectory(path); },
    };
    const store = await openDirectory(folder, { files: recording });
    await store.write("a/b/x", bytesSource(someBytes(1)));
    expect(done).to.deep.equal(["/a", "", "sync", "rename", "/a/b"]);
    await store.write("a/y", bytesSource(someBytes(1)), { onlyNew: true });
    expect(done.slice(5)).to.deep.equal(["sync", "link", "/a"]);
  }));

  it("a name that is a folder holds no object, and says so", () => withStore(async (store) => {
    await store.write("a/b", bytesSource(someBytes(1)));
    for (const onlyNew of [true, false]) {
      expect((await failureOf(() => store.write("a", bytesSource(someBytes(1)), { onlyNew }))).code).to.equal("IO");
    }
    expect((await failureOf(() => store.write("a/b/c", bytesSource(someBytes(1))))).message).to.include("a/b/c");
  }));

  it("an object that is changed in place while it is read is refused", () => withStore(async (store, folder) => {
    await store.write("x", bytesSource(someBytes(600_000)));
    const reading = store.read("x")[Symbol.asyncIterator]();
    await reading.next();
    await truncate(join(folder, "x"), 300_000);
    expect((await failureOf(async () => { while ((await reading.next()).done !== true); })).code).to.equal("OBJECT_STORE");
  }));

  it("an object that is replaced while it is read is given as it was", () => withStore(async (store) => {
    const before = someBytes(600_000, 1);
    await store.write("x", bytesSource(before));
    const pieces: Uint8Array[] = [];
    for await (const piece of store.read("x")) {
      if (pieces.length === 0) await store.write("x", bytesSource(someBytes(600_000, 2)));
      pieces.push(piece);
    }
    expect(new Uint8Array(Buffer.concat(pieces))).to.deep.equal(before);
  }));

  it("files are sources", () => withStore(async (store, folder) => {
    const content = someBytes(2_500_000);
    const path = join(folder, "source");
    await writeFile(path, content);
    await store.write("copy", await fileSource(path));
    expect(Buffer.compare(await readAll(store, "copy"), content)).to.equal(0);
    const source = await fileSource(path);
    await truncate(path, 1_000);
    expect((await failureOf(() => store.write("copy", source))).code).to.equal("BAD_INPUT");
  }));

  it("a bucket is a name in S3 with or without s3://, or the path of a directory", () => {
    expect(parseBucket("shelf")).to.deep.equal({ kind: "s3", bucket: "shelf", prefix: "" });
    expect(parseBucket("s3://my.shelf-1/a/b/")).to.deep.equal({ kind: "s3", bucket: "my.shelf-1", prefix: "a/b/" });
    expect(parseBucket("s3://shelf/")).to.deep.equal({ kind: "s3", bucket: "shelf", prefix: "" });
    expect(parseBucket("/srv/objects/")).to.deep.equal({ kind: "directory", path: "/srv/objects" });
    expect(parseBucket("file:///srv/my%20objects")).to.deep.equal({ kind: "directory", path: "/srv/my objects" });
  });

  it("what names no bucket, or no directory that is there, is refused", async () => {
    const config = loadConfig({ flags: {}, env: {}, machineFile: "/nonexistent" });
    for (const text of ["", "Shelf", "shelf/prefix", "a", "s3://", "s3:///x", "s3://a..b/x", "http://host/shelf", "file://host/x", "./shelf", "/nonexistent/shelf", "/dev/null"]) {
      expect((await failureOf(() => openObjectStore(text, config))).code, text).to.equal("CONFIG");
    }
    expect((await failureOf(() => openObjectStore("s3://shelf/a/../b", config))).code).to.equal("BAD_INPUT");
  });
});
