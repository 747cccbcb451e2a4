import { expect } from "chai";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterEach, beforeEach, describe, it } from "mocha";
import { fetchTable, type FetchRequest } from "../../lib/transfer/fetch/fetch.js";
import { readTogether } from "../../lib/transfer/fetch/table-source.js";
import { openZipSource } from "../../lib/transfer/fetch/zip-source.js";
import type { Manifest } from "../../lib/transfer/manifest.js";
import { readBcolzDirectory } from "../../lib/columns/bcolz/directory.js";
import { writeRawBcolz } from "../support/bcolz-directory.js";
import { failureOf } from "../support/failure.js";
import { createMemoryObjects, type MemoryObjects } from "../support/memory-objects.js";
import { transferTools } from "../support/transfers.js";
import { makeZip, type ZipEntry } from "../support/zip.js";
import { writeTable } from "../support/write-table.js";

const table = "taxi.bcolz";

/** By Python 3.11's zipfile onto a pipe, with its limits lowered so that two members of 80 bytes are of the kind zip64 in all places. */
const pythonZip = Buffer.from([
  "UEsDBC0ACAAIAAAAIVAAAAAA//////////8MABQAX19yb290ZGlyc19fAQAQAAAAAAAAAAAAAAAAAAAAAACrrq2mKgQAUEsHCJd4zZ0HAAAAAAAAAFAAAAAAAAAAUEsDBC0ACAAIAAAAIVAAAAAA//",
  "////////8LABQAdi9fX2F0dHJzX18BABAAAAAAAAAAAAAAAAAAAAAAAMsrzcnJoyIGAFBLBwh80bbgCQAAAAAAAABQAAAAAAAAAFBLAQItAy0ACAAIAAAAIVCXeM2d//////////8MABQAAAAAAAAA",
  "AACkgQAAAABfX3Jvb3RkaXJzX18BABAAUAAAAAAAAAAHAAAAAAAAAFBLAQItAy0ACAAIAAAAIVB80bbg//////////8LABwAAAAAAAAAAACkgf////92L19fYXR0cnNfXwEAGABQAAAAAAAAAAkAAA",
  "AAAAAAXQAAAAAAAABQSwYGLAAAAAAAAAAtAC0AAAAAAAAAAAACAAAAAAAAAAIAAAAAAAAAowAAAAAAAAC7AAAAAAAAAFBLBgcAAAAAXgEAAAAAAAABAAAAUEsFBgAAAAACAAIAowAAALsAAAAAAA==",
].join(""), "base64");

describe("a zip of a table's content", () => {
  let folder = "";
  let source = "";
  let request: FetchRequest;
  let memory: MemoryObjects;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    source = join(folder, "source", table);
    memory = createMemoryObjects(500);
    request = { table, manifestKey: null, stage: join(folder, "stage", table), directory: join(folder, table) };
  });
  afterEach(() => rm(folder, { recursive: true }));

  function writeBcolz(): void {
    const values = BigInt64Array.from({ length: 900 }, (_, row) => BigInt(row * row));
    writeRawBcolz(source, [{ name: "v", dtype: "int64", bytes: Buffer.from(values.buffer), itemBytes: 8, chunklen: 300 }]);
  }

  /** The files of the source as members, in order of name. */
  async function entries(): Promise<ZipEntry[]> {
    const found = (await readdir(source, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const names = found.map((entry) => join(entry.parentPath, entry.name).slice(source.length + 1)).sort();
    return Promise.all(names.map(async (name) => ({ name, bytes: await readFile(join(source, name)) })));
  }

  async function fetch(zip: Buffer): Promise<Manifest> {
    memory.objects.set(table, zip);
    return fetchTable(transferTools(memory.store), request);
  }

  async function requireWhole(manifest: Manifest): Promise<void> {
    for (const { name } of manifest.files) expect((await readFile(join(request.stage, name))).equals(await readFile(join(source, name))), name).to.equal(true);
    expect(memory.open.now).to.equal(0);
  }

  it("is unpacked as it comes, deflated or stored, with folders and descriptors, and what no table has is left out", async () => {
    writeBcolz();
    const members = await entries();
    const more: ZipEntry[] = [{ name: "v/", bytes: Buffer.alloc(0), isStored: true }, { name: "notes.txt", bytes: Buffer.from("mine") }];
    const generations = new Set<string>();
    for (const change of [{}, { isStored: true }, { hasDescriptor: true }, { isLong: true }, { isLong: true, hasDescriptor: true }]) {
      const manifest = await fetch(makeZip([...more, ...members.map((member) => ({ ...member, ...change }))], { comment: "made by hand", ...("isLong" in change ? { longEnd: {} } : {}) }));
      expect(manifest).to.include({ kind: "bcolz", rows: 900 });
      expect(manifest.files.map(({ name }) => name)).to.have.members(members.map(({ name }) => name));
      await requireWhole(manifest);
      expect(readBcolzDirectory(request.stage).generation).to.equal(manifest.generation);
      generations.add(manifest.generation);
      await rm(join(folder, "stage"), { recursive: true });
    }
    expect(generations.size).to.equal(1);
  });

  it("may be of the kind zip64 in all places, as Python writes it", async () => {
    memory.objects.set(table, pythonZip);
    const archive = await openZipSource({ ...transferTools(memory.store), signal: new AbortController().signal }, table);
    expect([...archive.sizes]).to.deep.equal([["__rootdirs__", 80], ["v/__attrs__", 80]]);
    for (const [name, text] of [["__rootdirs__", "{}".repeat(40)], ["v/__attrs__", "null".repeat(20)]] as const) {
      expect(Buffer.from(await readTogether(archive.open(name, 0))).toString()).to.equal(text);
    }
  });

  it("may be that of a table of ours", async () => {
    const generation = await writeTable(source, [{ name: "v", dtype: "int64", values: Array.from({ length: 3_000 }, (_, row) => BigInt(row * 7 % 1_001)) }]);
    const manifest = await fetch(makeZip(await entries()));
    expect(manifest).to.include({ kind: "bqueryd", generation, rows: 3_000 });
    await requireWhole(manifest);
    expect(await readdir(request.stage)).to.not.include("CURRENT");
  });

  it("that is cut or damaged anywhere is never taken for whole", async function () {
    this.timeout(60_000);
    writeBcolz();
    const members = await entries();
    const good = makeZip(members);
    for (let at = 0; at < good.length; at += 97) {
      const bad = Buffer.from(good);
      bad[at]! ^= 0x55;
      // Some bytes, a version or a time, mean nothing: then what came is right.
      await fetch(bad).then(requireWhole, (cause: unknown) => { expect(cause).to.have.property("code").that.is.oneOf(["BAD_INPUT", "OBJECT_STORE", "CORRUPT_CHUNK"]); });
      await rm(join(folder, "stage"), { recursive: true, force: true });
    }
    for (const length of [0, 10, good.length >> 1, good.length - 1]) expect((await failureOf(() => fetch(good.subarray(0, length)))).code).to.equal("BAD_INPUT");
  });

  it("is refused by the name of what is doubtful, before anything is written", async () => {
    writeBcolz();
    const members = await entries();
    const chunk = members.find(({ name }) => name === "v/data/__0.blp")!;
    const rest = members.filter((member) => member !== chunk);
    const extra = (name: string | Buffer, more: Partial<ZipEntry> = {}): Buffer => makeZip([...members, { name, bytes: Buffer.from("x"), ...more }]);
    const evil: [string, Buffer, RegExp][] = [
      ["a path that leaves", extra("../../etc/passwd"), /"\.\.\/\.\.\/etc\/passwd" leaves/],
      ["an absolute path", extra("/etc/passwd"), /leaves/],
      ["a path with a dot", extra("./v/data/__7.blp"), /leaves/],
      ["a path with empty parts", extra("v//x"), /leaves/],
      ["a backslash", extra("..\\x"), /characters/],
      ["a drive", extra("C:x"), /characters/],
      ["a control character", extra("v\n"), /characters/],
      ["a name in no character set", extra(Buffer.from([0xff, 0xfe])), /character set/],
      ["a link", extra("v/x", { mode: 0o120777 }), /"v\/x" is no file, but a link/],
      ["a device", extra("v/x", { mode: 0o020644 }), /is no file/],
      ["an encrypted member", extra("v/x", { said: { flags: 1 } }), /is encrypted/],
      ["another method", extra("v/x", { said: { method: 12 } }), /method 12/],
      ["two of one name", makeZip([...members, chunk]), /two members "v\/data\/__0\.blp"/],
      ["a file that is a folder", extra("v"), /file and a folder/],
      ["a bomb by what it says", extra("v/x", { said: { bytes: 0xfffffff0 } }), /cannot have/],
      ["a bomb by all that it says", makeZip([...members, ...Array.from({ length: 40 }, (_, at): ZipEntry => ({ name: `v/data/__${at + 10}.blp`, bytes: Buffer.from("x"), data: Buffer.alloc(100_000), said: { bytes: 103_000_000 } }))]), /would become/],
      ["zip64 without its numbers", extra("v/x", { said: { bytes: 0xffffffff } }), /"v\/x" does not have the numbers of the kind zip64/],
      ["zip64 without its end", makeZip(members, { members: 0xffff }), /zip64 end is missing/],
      ["zip64 with numbers of no need", extra("v/x", { extra: Buffer.from("0100080001000000000000000", "hex") }), /zip64/],
      ["zip64 with numbers that are cut", extra("v/x", { isLong: true, extra: Buffer.from("010018000100", "hex") }), /"v\/x" has a field of the kind zip64 that is cut/],
      ["zip64 with bytes that nothing has", extra("v/x", { isLong: true, longSaid: { bytes: 2n ** 60n } }), /numbers that nothing has/],
      ["zip64 of a bomb", extra("v/x", { isLong: true, longSaid: { bytes: 2n ** 40n } }), /cannot have/],
      ["zip64 with more stored than there is", extra("v/x", { isLong: true, longSaid: { storedBytes: 2n ** 33n } }), /shares bytes/],
      ["zip64 with a place behind all", extra("v/x", { isLong: true, longSaid: { place: 2n ** 33n } }), /shares bytes|not where|followed/],
      ["zip64 with an end elsewhere", makeZip(members, { longEnd: { place: 7n } }), /zip64 end is not where/],
      ["zip64 with an end of another length", makeZip(members, { longEnd: { bytes: 52n } }), /zip64 end is not where it says, or of another length/],
      ["zip64 with another count", makeZip(members, { longEnd: { members: 2n ** 40n } }), /two ends differ/],
      ["zip64 with a directory of more bytes", makeZip(members, { longEnd: { directoryBytes: 2n ** 40n } }), /not where it says/],
      ["zip64 with a directory elsewhere", makeZip(members, { longEnd: { start: 1n } }), /not where it says/],
      ["a member that is not listed", makeZip([...rest.map((member, at) => (at === 2 ? { ...member, after: Buffer.from("PK\u0003\u0004 more") } : member)), chunk]), /followed by bytes/],
      ["one that is left out of the list", makeZip([...rest.slice(0, 2), { name: "v/y", bytes: Buffer.from("y"), isHidden: true }, ...rest.slice(2), chunk]), /followed by bytes|not where/],
      ["bytes before all", makeZip(members, { before: Buffer.from("#!/bin/sh\n") }), /begins with bytes/],
      ["bytes behind the list", makeZip(members, { between: Buffer.from("more") }), /not where it says/],
      ["more members than are listed", makeZip(members, { members: members.length + 1 }), /breaks off/],
      ["fewer", makeZip(members, { members: members.length - 1 }), /bytes of no member/],
      ["two that share bytes", makeZip([...members, { name: "v/x", bytes: chunk.bytes, place: 40 }]), /shares bytes|not where|followed/],
      ["another name in its own place", makeZip([...rest, { ...chunk, localName: "v/data/__9.blp" }]), /another name/],
      ["other sizes in its own place", makeZip([...rest, { ...chunk, localSaid: { bytes: 5 } }]), /other sizes/],
      ["no table", makeZip([{ name: "notes.txt", bytes: Buffer.from("x") }]), /holds no table/],
      ["nothing", makeZip([]), /holds no table/],
    ];
    for (const [what, zip, message] of evil) {
      const failure = await failureOf(() => fetch(zip));
      expect(failure.code, what).to.equal("BAD_INPUT");
      expect(failure.message, what).to.match(message);
      expect(memory.open.now, what).to.equal(0);
      await rm(join(folder, "stage"), { recursive: true });
    }
  });

  it("that unpacks to more, less or other than it says is found out, and no more of it is unpacked than was said", async () => {
    writeBcolz();
    const members = await entries();
    const chunk = members.find(({ name }) => name === "v/data/__0.blp")!;
    const others = members.filter((member) => member !== chunk);
    const bomb = deflateRawSync(Buffer.alloc(30_000_000));
    for (const wrong of [{ data: bomb, said: { bytes: 10_000 } }, { said: { bytes: chunk.bytes.length + 5 } }, { said: { crc: 7 } }, { data: Buffer.concat([deflateRawSync(chunk.bytes), Buffer.from("behind")]) }, { data: Buffer.from("no deflate at all") }]) {
      const failure = await failureOf(() => fetch(makeZip([...others, { ...chunk, ...wrong }])));
      expect(failure.code).to.equal("OBJECT_STORE");
      expect(failure.message).to.match(/v\/data\/__0\.blp of memory\/taxi\.bcolz comes damaged/);
      const left = await readdir(request.stage, { recursive: true });
      expect(left.filter((name) => name.startsWith("v/data/__0"))).to.deep.equal([]);
      expect(memory.open.now).to.equal(0);
    }
  });
});
