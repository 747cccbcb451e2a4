/** What every object store does: the tests that run over S3 and over a directory. */
import { expect } from "chai";
import { it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { seededRandom } from "../../lib/base/clock.js";
import { compareBytes } from "../../lib/objects/keys.js";
import type { ObjectFacts, ObjectSource, ObjectStore, Reading } from "../../lib/objects/objects.js";
import { bytesSource } from "../../lib/objects/sources.js";
import { failureOf } from "./failure.js";

/** So many bytes that follow from a seed. */
export function someBytes(bytes: number, seed = 1): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length: bytes }, () => random() * 256);
}

/** All bytes of an object, or of a part of one. */
export async function readAll(store: ObjectStore, key: string, options?: Reading): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of store.read(key, options)) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}

/** Everything a list gives. */
export async function listAll(store: ObjectStore, prefix: string): Promise<ObjectFacts[]> {
  const found: ObjectFacts[] = [];
  for await (const facts of store.list(prefix)) found.push(facts);
  return found;
}

/** A source that gives fewer or more bytes than it says. */
function liar(says: number, gives: number): ObjectSource {
  return { bytes: says, async *open(start) { yield someBytes(gives).subarray(start); } };
}

/** Names that S3, XML, addresses and file systems have characters of their own for. */
const oddKeys = [
  "a b", "a+b", "a%20b", "a&b<c>", "ü/ß", "😀/\uFFFD", "\u{10000}", "\uFF5E", "'\"", "a?b=c&d", "#", "t\tb", "n\nl", "r\rl", "\u0001", "~!@$^*()=,;:[]{}|`\\", "../x".slice(3), "...", "a.b", "a/b", "a-", "a", "aé",
].map((name) => `odd/${name === "a" ? "alone" : name}`);

/** Adds the tests for the stores that `open` gives, each empty; `withStore` ends what belongs to one. */
export function testObjectStore(withStore: (work: (store: ObjectStore) => Promise<void>) => Promise<void>): void {
  it("gives back what was stored, in one piece and in parts, and facts of it", () => withStore(async (store) => {
    for (const bytes of [0, 1, 4_095, 4_096, 4_097, 40_000]) {
      const content = someBytes(bytes, bytes);
      expect(await store.write(`t/${bytes}`, bytesSource(content))).to.equal("written");
      expect(await readAll(store, `t/${bytes}`), String(bytes)).to.deep.equal(content);
      const facts = await store.head(`t/${bytes}`);
      expect(facts).to.include({ key: `t/${bytes}`, bytes });
      expect(await listAll(store, `t/${bytes}`)).to.deep.include(facts);
    }
  }));

  it("gives any range of an object, and nothing of one that is empty", () => withStore(async (store) => {
    const content = someBytes(10_000);
    await store.write("x", bytesSource(content));
    await store.write("empty", bytesSource(new Uint8Array()));
    for (const [start, end] of [[0, 1], [0, 10_000], [9_999, 10_000], [5_000, 5_000], [10_000, 10_000], [4_000, 9_000], [0, 0]] as const) {
      expect(await readAll(store, "x", { start, end }), `${start} to ${end}`).to.deep.equal(content.slice(start, end));
    }
    expect(await readAll(store, "x", { start: 9_000 })).to.deep.equal(content.slice(9_000));
    expect(await readAll(store, "x", { start: 10_000 })).to.deep.equal(new Uint8Array());
    expect(await readAll(store, "empty")).to.deep.equal(new Uint8Array());
    expect(await readAll(store, "empty", { start: 0, end: 0 })).to.deep.equal(new Uint8Array());
    for (const range of [{ start: 0, end: 10_001 }, { start: 10_001 }, { start: 20_000, end: 20_001 }, { start: 5, end: 4 }]) {
      expect((await failureOf(() => readAll(store, "x", range))).code, JSON.stringify(range)).to.equal("OBJECT_STORE");
    }
  }));

  it("says of what is not there that it is not", () => withStore(async (store) => {
    await store.write("a/b", bytesSource(someBytes(3)));
    for (const key of ["nothing", "a", "a/b/c", "a/bb"]) {
      expect(await store.head(key), key).to.equal(undefined);
      expect((await failureOf(() => readAll(store, key))).code, key).to.equal("NOT_FOUND");
      expect((await failureOf(() => readAll(store, key, { start: 0, end: 0 }))).code, key).to.equal("NOT_FOUND");
      await store.remove(key);
    }
    expect((await listAll(store, "")).map(({ key }) => key)).to.deep.equal(["a/b"]);
    expect(await listAll(store, "nothing/")).to.deep.equal([]);
  }));

  it("removes an object, which is then gone for all", () => withStore(async (store) => {
    await store.write("a/b", bytesSource(someBytes(3)));
    await store.remove("a/b");
    expect(await store.head("a/b")).to.equal(undefined);
    expect(await listAll(store, "")).to.deep.equal([]);
    await store.write("a/b", bytesSource(someBytes(4)));
    expect(await store.head("a/b")).to.include({ bytes: 4 });
  }));

  it("replaces an object whole, with another etag, unless only new ones may be stored", () => withStore(async (store) => {
    for (const bytes of [100, 9_000]) {
      const [before, after] = [someBytes(bytes, 1), someBytes(bytes, 2)];
      const key = `k${bytes}`;
      expect(await store.write(key, bytesSource(before), { onlyNew: true })).to.equal("written");
      const first = await store.head(key);
      expect(await store.write(key, bytesSource(after), { onlyNew: true })).to.equal("exists");
      expect(await store.head(key)).to.deep.equal(first);
      expect(await readAll(store, key, { etag: first!.etag })).to.deep.equal(before);
      expect(await store.write(key, bytesSource(after))).to.equal("written");
      expect((await store.head(key))!.etag).not.to.equal(first!.etag);
      expect((await failureOf(() => readAll(store, key, { etag: first!.etag }))).code).to.equal("OBJECT_STORE");
      expect(await readAll(store, key)).to.deep.equal(after);
    }
  }));

  it("of several that store a new object of one key side by side one does, and the others are told", () => withStore(async (store) => {
    const outcomes = await Promise.all([1, 2, 3, 4].map((seed) => store.write("one", bytesSource(someBytes(9_000, seed)), { onlyNew: true })));
    expect([...outcomes].sort()).to.deep.equal(["exists", "exists", "exists", "written"]);
    expect(await readAll(store, "one")).to.deep.equal(someBytes(9_000, outcomes.indexOf("written") + 1));
  }));

  it("keeps keys of any characters apart, and lists them in the order of their bytes", () => withStore(async (store) => {
    for (const [index, key] of oddKeys.entries()) await store.write(key, bytesSource(someBytes(index, index)));
    for (const [index, key] of oddKeys.entries()) expect(await readAll(store, key), key).to.deep.equal(someBytes(index, index));
    const listed = (await listAll(store, "odd/")).map(({ key }) => key);
    expect(listed).to.deep.equal([...oddKeys].sort(compareBytes));
    expect((await listAll(store, "odd/a")).map(({ key }) => key)).to.deep.equal(listed.filter((key) => key.startsWith("odd/a")));
    for (const key of oddKeys) await store.remove(key);
    expect(await listAll(store, "")).to.deep.equal([]);
  }));

  it("lists more than a page, folders in their place among names", () => withStore(async (store) => {
    const keys = Array.from({ length: 23 }, (_, index) => `t${["", "/", ".", "0"][index % 4]}${index}`);
    for (const key of keys) await store.write(key, bytesSource(someBytes(1)));
    expect((await listAll(store, "")).map(({ key }) => key)).to.deep.equal([...keys].sort(compareBytes));
    expect((await listAll(store, "t/")).map(({ key }) => key)).to.deep.equal(keys.filter((key) => key.startsWith("t/")).sort(compareBytes));
    for await (const { key } of store.list("t")) {
      expect(key).to.equal([...keys].sort(compareBytes)[0]);
      break;
    }
  }));

  it("refuses keys that not every store could keep", () => withStore(async (store) => {
    for (const key of ["", "/a", "a/", "a//b", "..", "../a", "a/../b", ".", "a/./b", "a\0b", "\uD800", "x".repeat(256), `${"x/".repeat(512)}x`, `a/.bqueryd-${"0".repeat(32)}.tmp`]) {
      expect((await failureOf(() => store.head(key))).code, key).to.equal("BAD_INPUT");
      expect((await failureOf(() => readAll(store, key))).code, key).to.equal("BAD_INPUT");
      expect((await failureOf(() => store.write(key, bytesSource(someBytes(1))))).code, key).to.equal("BAD_INPUT");
      expect((await failureOf(() => store.remove(key))).code, key).to.equal("BAD_INPUT");
    }
    for (const prefix of ["..", "../", "a//", "/", "../../etc/"]) expect(await listAll(store, prefix), prefix).to.deep.equal([]);
  }));

  it("stores nothing of a source that fails, or gives fewer or more bytes than it said", () => withStore(async (store) => {
    for (const bytes of [100, 9_000]) {
      const failing: ObjectSource = { bytes, async *open() { yield someBytes(10); throw new BquerydError("IO", "the disk is gone"); } };
      expect((await failureOf(() => store.write("x", failing))).code).to.equal("IO");
      expect((await failureOf(() => store.write("x", liar(bytes, bytes - 1)))).code).to.equal("BAD_INPUT");
      expect((await failureOf(() => store.write("x", liar(bytes, 20_000)))).code).to.equal("BAD_INPUT");
      expect(await listAll(store, "")).to.deep.equal([]);
    }
  }));

  it("tells of progress up to all bytes, never back", () => withStore(async (store) => {
    const told: number[] = [];
    await store.write("x", bytesSource(someBytes(40_000)), { onProgress: (bytes) => told.push(bytes) });
    expect(told.at(-1)).to.equal(40_000);
    expect(told).to.deep.equal([...told].sort((left, right) => left - right));
  }));

  it("ends with the reason of a signal, and stores nothing then", () => withStore(async (store) => {
    await store.write("there", bytesSource(someBytes(10)));
    const reason = new BquerydError("CANCELLED", "it was enough");
    const aborted = AbortSignal.abort(reason);
    const calls = [
      () => store.head("there", { signal: aborted }), () => readAll(store, "there", { signal: aborted }), () => store.write("x", bytesSource(someBytes(10)), { signal: aborted }),
      () => store.remove("there", { signal: aborted }), async () => { for await (const facts of store.list("", { signal: aborted })) expect(facts).to.equal(undefined); },
    ];
    for (const call of calls) expect(await failureOf(call)).to.equal(reason);
    const late = new AbortController();
    const source: ObjectSource = { bytes: 40_000, async *open(start, end) { if (start > 8_000 || end === 40_000) late.abort(reason); yield someBytes(40_000).subarray(start, end); } };
    expect(await failureOf(() => store.write("x", source, { signal: late.signal }))).to.equal(reason);
    expect((await listAll(store, "")).map(({ key }) => key)).to.deep.equal(["there"]);
  }));
}
