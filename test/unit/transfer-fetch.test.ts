import { expect } from "chai";
import { link, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { createBuffers } from "../../lib/transfer/fetch/buffers.js";
import { fetchTable, type FetchProgress, type FetchRequest } from "../../lib/transfer/fetch/fetch.js";
import { manifestKey, type Manifest } from "../../lib/transfer/manifest.js";
import { createBandwidth } from "../../lib/transfer/fetch/pace.js";
import { uploadTables } from "../../lib/transfer/send/upload.js";
import { readBcolzDirectory } from "../../lib/columns/bcolz/directory.js";
import { openTable } from "../../lib/columns/read/open.js";
import { writeRawBcolz } from "../support/bcolz-directory.js";
import { failureOf } from "../support/failure.js";
import { createMemoryObjects, passing, type MemoryObjects } from "../support/memory-objects.js";
import { createPowerCut } from "../support/power-cut.js";
import { transferTools } from "../support/transfers.js";
import { unsyncedFiles, writeTable } from "../support/write-table.js";

const table = "taxi.bcolz";
const longs = (values: readonly bigint[]): Buffer => Buffer.from(BigInt64Array.from(values).buffer);

describe("fetching a table", () => {
  let folder = "";
  let source = "";
  let request: FetchRequest;
  let memory: MemoryObjects;
  let generation = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    source = join(folder, "source", table);
    memory = createMemoryObjects(300);
    request = { table, manifestKey: manifestKey(table), stage: join(folder, "data", ".incoming", "ticket", table), directory: join(folder, "data", table) };
  });
  afterEach(() => rm(folder, { recursive: true }));

  const values = (seed: number): bigint[] => Array.from({ length: 3_000 }, (_, row) => BigInt((row * row * seed) % 100_003));

  async function upload(seed = 1): Promise<void> {
    generation = await writeTable(source, [{ name: "a", dtype: "int64", values: values(7) }, { name: "b", dtype: "int64", values: values(seed) }], { replace: true });
    await uploadTables(memory.store, [source]);
    memory.calls.length = 0;
  }

  const reads = (): string[] => memory.calls.filter((call) => call.startsWith("read "));

  /** The stage holds the files of the manifest, equal to those of the source, and nothing else. */
  async function requireWhole(manifest: Manifest, from = source): Promise<void> {
    const names = (await readdir(request.stage, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(request.stage.length + 1));
    expect(names).to.have.members(manifest.files.map(({ name }) => name));
    for (const name of names) expect((await readFile(join(request.stage, name))).equals(await readFile(join(from, name))), name).to.equal(true);
    expect(memory.open.now).to.equal(0);
  }

  it("brings every file into the stage, in ranges side by side, and says how far it is", async () => {
    await upload();
    const seen: FetchProgress[] = [];
    const manifest = await fetchTable(transferTools(memory.store, { bufferBytes: 300 }), { ...request, onProgress: (progress) => seen.push(progress) });
    expect(manifest).to.include({ kind: "bqueryd", generation, rows: 3_000 });
    await requireWhole(manifest);
    expect(memory.open.most, "as many as there are buffers").to.be.within(2, 4);
    expect(reads().length).to.be.greaterThan(manifest.files.length + 4);
    expect(seen.at(-1)!.bytesDone).to.equal(seen[0]!.bytesTotal);
    expect(seen.every(({ bytesDone }, at) => bytesDone >= (seen[at - 1]?.bytesDone ?? 0))).to.equal(true);
    memory.calls.length = 0;
    expect(await fetchTable(transferTools(memory.store), request)).to.deep.equal(manifest);
    expect(memory.calls).to.deep.equal([]);
  });

  it("brings tables side by side into stages of one folder, which is not there yet", async () => {
    await upload();
    const fetched = await Promise.all(Array.from({ length: 16 }, (_, at) => fetchTable(transferTools(memory.store), { ...request, stage: join(folder, "new", String(at), table) })));
    expect(new Set(fetched.map((manifest) => manifest.generation))).to.deep.equal(new Set([generation]));
  });

  it("takes over from the table's directory what is there whole, and fetches what is damaged there", async () => {
    await upload();
    await fetchTable(transferTools(memory.store), request);
    await mkdir(dirname(request.directory), { recursive: true });
    await mkdir(request.directory);
    for (const name of await readdir(request.stage)) await link(join(request.stage, name), join(request.directory, name));
    await upload(3);
    const next = { ...request, stage: join(folder, "data", ".incoming", "next", table) };
    request = next;
    const manifest = await fetchTable(transferTools(memory.store), request);
    await requireWhole(manifest);
    const shared = manifest.files.filter(({ name }) => memory.calls.every((call) => !call.includes(name.slice(0, 64))));
    expect(shared.length).to.equal(2);
    const column = shared.find(({ name }) => name.endsWith(".col"))!.name;
    expect((await stat(join(request.stage, column))).ino).to.equal((await stat(join(request.directory, column))).ino);
    await rm(dirname(request.stage), { recursive: true });
    const good = await readFile(join(request.directory, column));
    await unlink(join(request.directory, column));
    await writeFile(join(request.directory, column), Buffer.concat([Buffer.of(good[0]! ^ 1), good.subarray(1)]));
    memory.calls.length = 0;
    await requireWhole(await fetchTable(transferTools(memory.store), request));
    expect(reads().some((call) => call.includes(column.slice(0, 64)))).to.equal(true);
  });

  it("goes on behind what came before it was cut off", async () => {
    await upload();
    const { data } = openTable(source).footer.columns[0]!.segments[0]!;
    const key = `${table}/${data.slice(0, 64)}`;
    memory.readFault = ({ key: asked, start }) => asked === key && start >= 3_000 ? new Error("the wire is cut") : undefined;
    await failureOf(() => fetchTable(transferTools(memory.store), request));
    const { size } = await stat(join(request.stage, `${data}.part`));
    expect(size).to.be.within(1_000, 3_000);
    memory.readFault = undefined;
    memory.calls.length = 0;
    await requireWhole(await fetchTable(transferTools(memory.store), request));
    expect(reads().filter((call) => call.includes(key))[0]).to.equal(`read ${key} ${size}-${size + 3_000}`);
  });

  it("leaves trying again to the store: what that gives up fails the table, asked for once", async () => {
    await upload();
    const asked: string[] = [];
    memory.readFault = ({ key, start }) => {
      asked.push(`${key} ${start}`);
      return key.endsWith(".manifest.json") ? undefined : passing("slow down");
    };
    expect((await failureOf(() => fetchTable(transferTools(memory.store), request))).code).to.equal("OBJECT_STORE");
    expect(asked.length).to.equal(new Set(asked).size).and.above(1);
    memory.readFault = (_, bytes) => bytes.subarray(1);
    expect((await failureOf(() => fetchTable(transferTools(memory.store), request))).code).to.equal("OBJECT_STORE");
  });

  it("finds every byte that comes as another, fetches the file again, and never lets it land", async function () {
    this.timeout(60_000);
    await upload();
    const lengths = new Map([...memory.objects].map(([key, bytes]) => [key, bytes.length]));
    for (const [key, length] of lengths) {
      if (key.endsWith(".manifest.json")) continue;
      for (let at = 0; at < length; at += Math.ceil(length / 3)) {
        let isFirst = true;
        memory.readFault = ({ key: asked, start, end }, bytes) => {
          if (asked !== key || at < start || at >= end || !isFirst) return undefined;
          isFirst = false;
          bytes[at - start]! ^= 0x10;
          return bytes;
        };
        await requireWhole(await fetchTable(transferTools(memory.store), request));
        await rm(join(folder, "data"), { recursive: true });
      }
      memory.readFault = ({ key: asked }, bytes) => (asked === key ? bytes.fill(1) : undefined);
      expect((await failureOf(() => fetchTable(transferTools(memory.store), request))).code).to.equal("OBJECT_STORE");
      expect(await readdir(request.stage)).to.not.include.members([`${key.slice(table.length + 1)}.col`]);
      await rm(join(folder, "data"), { recursive: true });
    }
  });

  it("fetches nothing for a manifest that lies, or that names what is not there", async () => {
    await upload();
    const key = manifestKey(table);
    const manifest = JSON.parse(memory.objects.get(key)!.toString()) as { rows: number; files: { name: string; bytes: number }[] };
    const lies = [{ ...manifest, rows: 7 }, { ...manifest, files: manifest.files.slice(1) }];
    for (const lie of lies) {
      memory.objects.set(key, Buffer.from(JSON.stringify(lie)));
      memory.calls.length = 0;
      expect((await failureOf(() => fetchTable(transferTools(memory.store), request))).code).to.equal("BAD_INPUT");
      expect(reads().filter((call) => !call.includes(".manifest.json") && !call.includes(generation))).to.deep.equal([]);
    }
    memory.objects.set(key, Buffer.from(JSON.stringify({ ...manifest, files: manifest.files.map((file, at) => (at === 0 ? { ...file, bytes: file.bytes + 1 } : file)) })));
    expect((await failureOf(() => fetchTable(transferTools(memory.store), request))).code).to.equal("NOT_FOUND");
    expect((await failureOf(() => fetchTable(transferTools(memory.store), { ...request, manifestKey: "taxi.bcolz/none.manifest.json" }))).code).to.equal("NOT_FOUND");
  });

  it("is DISK_FULL with numbers before a byte is fetched, and when the disk fills on the way", async () => {
    await upload();
    const refused = await failureOf(() => fetchTable(transferTools(memory.store), { ...request, freeBytesOf: async () => 1_000 }));
    expect(refused.code).to.equal("DISK_FULL");
    expect(refused.message).to.match(/taxi\.bcolz needs [0-9.]+ k?B more in .*, where 1\.00 kB are free/);
    expect(reads().filter((call) => !call.includes(".manifest.json"))).to.deep.equal([]);
    let appended = 0;
    const append = async (path: string, bytes: Uint8Array): Promise<void> => {
      if (++appended > 5) throw Object.assign(new Error("no space left"), { code: "ENOSPC", syscall: "write" });
      await unsyncedFiles.append(path, bytes);
    };
    const full = await failureOf(() => fetchTable(transferTools(memory.store, { files: { ...unsyncedFiles, append } }), request));
    expect(full.code).to.equal("DISK_FULL");
    expect(full.details).to.include({ table }).and.to.have.property("freeBytes");
    await requireWhole(await fetchTable(transferTools(memory.store), request));
  });

  it("is CANCELLED by its signal and leaves no reading open", async () => {
    await upload();
    const stop = new AbortController();
    memory.readFault = ({ key }) => {
      if (!key.includes("manifest")) stop.abort();
      return undefined;
    };
    const failure = await failureOf(() => fetchTable(transferTools(memory.store, { signal: stop.signal }), request));
    expect(failure.code).to.equal("CANCELLED");
    expect(memory.open.now).to.equal(0);
  });

  it("makes what it needs of a plain copy of a table's directory, whatever else lies there", async () => {
    await upload();
    await upload(5);
    memory.objects.clear();
    for (const name of await readdir(source)) memory.objects.set(`${table}/${name}`, await readFile(join(source, name)));
    memory.objects.set(`${table}/notes.txt`, Buffer.from("mine"));
    const manifest = await fetchTable(transferTools(memory.store), { ...request, manifestKey: null });
    expect(manifest).to.include({ kind: "bqueryd", generation });
    await requireWhole(manifest);
    await rm(join(folder, "data"), { recursive: true });
    memory.objects.delete(`${table}/${manifest.files[0]!.name}`);
    expect((await failureOf(() => fetchTable(transferTools(memory.store), { ...request, manifestKey: null }))).code).to.equal("NOT_FOUND");
    expect((await failureOf(() => fetchTable(transferTools(memory.store), { ...request, table: "no.bcolz", stage: join(folder, "no.bcolz"), manifestKey: null }))).code).to.equal("NOT_FOUND");
  });

  it("gives a table of bcolz the generation that was sent, and one without a manifest the same on every node", async () => {
    writeRawBcolz(source, [{ name: "v", dtype: "int64", bytes: longs(values(3)), itemBytes: 8, chunklen: 1_000 }, { name: "o", dtype: "object", bytes: longs([4n]), itemBytes: 8, shape: [3_000] }]);
    await uploadTables(memory.store, [source]);
    const manifest = await fetchTable(transferTools(memory.store), request);
    await requireWhole(manifest);
    expect(manifest).to.include({ kind: "bcolz", rows: 3_000, generation: readBcolzDirectory(source).generation });
    expect(readBcolzDirectory(request.stage).generation).to.equal(manifest.generation);
    memory.objects.clear();
    for (const { name } of manifest.files) memory.objects.set(`${table}/${name}`, await readFile(join(source, name)));
    const plain = async (node: string): Promise<string> => {
      request = { ...request, manifestKey: null, stage: join(folder, node, table) };
      const made = await fetchTable(transferTools(memory.store), request);
      await requireWhole(made);
      expect(readBcolzDirectory(request.stage).generation).to.equal(made.generation);
      return made.generation;
    };
    const first = await plain("one");
    expect(await plain("two")).to.equal(first);
    const changed = memory.objects.get(`${table}/v/data/__0.blp`)!;
    changed[changed.length - 1]! ^= 1;
    await writeFile(join(source, "v", "data", "__0.blp"), changed);
    expect(await plain("three")).to.not.equal(first);
    memory.objects.set(`${table}/v/data/__0.blp`, changed.fill(0xff, 16, 32));
    const unreadable = await failureOf(() => plain("four"));
    expect(unreadable.code).to.equal("CORRUPT_CHUNK");
  });

  it("goes on after a power cut at any operation", async function () {
    this.timeout(60_000);
    await upload();
    for (let operations = 0; ; operations += 3) {
      const root = join(folder, `run-${operations}`);
      await mkdir(root);
      const cut = await createPowerCut(root, operations);
      const isDone = await fetchTable(transferTools(memory.store, { files: cut.files, bufferBytes: 4_000 }), { ...request, stage: join(root, "in", table) }).then(() => true, () => false);
      const recovered = join(folder, `recovered-${operations}`);
      await cut.recover(recovered, seededRandom(operations));
      request = { ...request, stage: join(recovered, "in", table) };
      if (isDone) memory.calls.length = 0;
      await requireWhole(await fetchTable(transferTools(memory.store, { bufferBytes: 4_000 }), request));
      if (!isDone) continue;
      expect(memory.calls, "what was told to be there").to.deep.equal([]);
      break;
    }
  });

  it("mends a file of the stage that was damaged while nobody looked", async () => {
    await upload();
    const manifest = await fetchTable(transferTools(memory.store), request);
    await unlink(`${request.stage}.manifest.json`);
    await truncate(join(request.stage, manifest.files[0]!.name), 10);
    await requireWhole(await fetchTable(transferTools(memory.store), request));
  });
});

describe("the pace of transfers", () => {
  it("is shared: those who wait get their bytes in turn, and what was unused is not saved up", async () => {
    let nowMs = 1_000;
    const waits: number[] = [];
    const bandwidth = createBandwidth(1_000, { nowMs: () => nowMs, sleep: async (ms) => { waits.push(ms); } });
    const { signal } = new AbortController();
    await bandwidth.take(250, signal);
    await bandwidth.take(500, signal);
    await bandwidth.take(500, signal);
    expect(waits).to.deep.equal([500, 1_000]);
    nowMs = 100_000;
    await bandwidth.take(1_250, signal);
    expect(waits.slice(2)).to.deep.equal([1_000]);
  });

  it("has as many buffers as it may, and hands them out in the order of asking", async () => {
    const buffers = createBuffers(2, 8);
    const [first, second] = [await buffers.take(), await buffers.take()];
    const order: string[] = [];
    const third = buffers.take().then((buffer) => { order.push("third"); return buffer; });
    const fourth = buffers.take().then((buffer) => { order.push("fourth"); return buffer; });
    buffers.give(second);
    expect(await third).to.equal(second);
    buffers.give(first);
    expect(await fourth).to.equal(first);
    expect(order).to.deep.equal(["third", "fourth"]);
  });
});
