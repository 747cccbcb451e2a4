import { expect } from "chai";
import { describe, it } from "mocha";
import { Packr } from "msgpackr";
import { BquerydError } from "../../lib/base/errors.js";
import { limits } from "../../lib/base/limits.js";
import type { Channel, Direction } from "../../lib/wire/catalogue.js";
import { decodeFrames, encodeFrames, requireChannel } from "../../lib/wire/frames.js";
import type { ClientMessage, ClientReply, WorkerMessage, WorkerReply } from "../../lib/wire/messages.js";

const id = "0123456789abcdef".repeat(2);
const generation = "ab".repeat(32);
const bytesMax = 1_000_000;
const cost = { shards: 1, shardsPruned: 0, rowsScanned: 10, chunksDecoded: 1, chunksPruned: 0, chunksFromStatistics: 0, partialCacheHits: 0, cacheHits: 0, bytesDecoded: 80, scanMs: 0.5, mergeMs: 0 };
const shards = [{ ordinal: 0, name: "taxi-0.bcolzs", generation }];
const greeting = { controllerId: id, node: "n1", version: "0.1.0", heartbeatMs: 1_000, expiryMs: 5_000 };

const clientMessages: ClientMessage[] = [
  { type: "hello", clientId: id, version: "0.1.0" },
  { type: "hello", clientId: id, version: "0.1.0", credential: { key: generation, proof: generation } },
  { type: "call", id, verb: "groupby", tables: ["taxi"], columns: ["a", "b"], affinity: "me", remainingMs: 1_000.5 },
  { type: "call", id, verb: "ping", tables: [], columns: [], remainingMs: 0 },
  { type: "call", id, verb: "groupby", tables: ["taxi"], columns: ["a"], remainingMs: 1, rows: { slices: 24, rowsMax: null }, missing: "empty", partial: "allow", generations: [{ name: "taxi-0.bcolzs", generation }] },
  { type: "call", id, verb: "sleep", tables: [], columns: [], remainingMs: 1, errands: [{ kind: "sleep", seconds: 0.5 }, { kind: "sleep", seconds: 3_600 }], detached: true, worker: "ab12" },
  { type: "call", id, verb: "readfile", tables: [], columns: [], remainingMs: 1, errands: [{ kind: "readfile", path: "a/b.txt" }] },
  { type: "call", id, verb: "execute_code", tables: [], columns: [], remainingMs: 1, errands: [{ kind: "execute_code", function: "fs.readdirSync" }] },
  { type: "call", id, verb: "cancel", tables: [], columns: [], remainingMs: 1, query: "0", relayed: true },
  { type: "call", id, verb: "loglevel", tables: [], columns: [], remainingMs: 1, level: "debug" },
  { type: "cancel", id }, { type: "credit", id, attempt: 1, slices: 2 }, { type: "heartbeat" }, { type: "bye" },
];
const clientReplies: ClientReply[] = [
  { type: "welcome", ...greeting }, { type: "heartbeat", known: true },
  { type: "accepted", id, queryId: id, attempt: 1, shards },
  { type: "partial", id, attempt: 1, block: { start: 0, size: 1 } },
  { type: "result", id, value: { pid: 1, big: 2n ** 63n, absent: undefined, at: new Date(0), list: [null, 1.5, "é"] }, cost, queuedMs: 0, workers: 2, retries: 0 },
  { type: "slice", id, attempt: 1, ordinal: 3, from: 0, next: null, rows: 5 },
  { type: "leftOut", id, attempt: 1, ordinal: 3 }, { type: "answer", id, form: "json" },
  { type: "result", id, value: null, cost, queuedMs: 0, workers: 2, retries: 0, leftOut: [{ name: "taxi-0.bcolzs", code: "IO", message: "cannot read", rows: null }] },
  { type: "result", id, value: "pong", cost: null, queuedMs: 0, workers: 0, retries: 0 },
  { type: "error", id, code: "BUSY", message: "the queue is full", details: { queued: 9 }, origin: "n1" },
];
const workerMessages: WorkerMessage[] = [
  { type: "register", workerId: id, role: "worker", node: "n1", pid: 1, version: "0.1.0", dataDir: "/srv", uptimeMs: 5, holdings: [
    { name: "taxi-0.bcolzs", generation, rows: 10, bytes: 2 ** 40, set: { id: "s", index: 0, count: 1 }, columns: [{ name: "a", dtype: "int64" }], changedMs: 1.5 },
  ] },
  { type: "holdings", added: [], removed: ["taxi.bcolz"] },
  { type: "broken", tables: [{ name: "taxi.bcolz", code: "CORRUPT_FOOTER", message: "the footer is cut short" }] },
  { type: "ready", nonce: id, cached: [{ shard: "taxi-0.bcolzs", columns: ["a"] }] },
  { type: "heartbeat" }, { type: "heartbeat", doing: "taxi-3.bcolzs 41 %" },
  { type: "register", workerId: id, role: "downloader", node: "n1", pid: 1, version: "0.1.0", dataDir: "/srv", uptimeMs: 5, holdings: [] },
  { type: "register", workerId: id, role: "mover", node: "n1", pid: 1, version: "0.1.0", dataDir: "/srv", uptimeMs: 5, holdings: [] },
  { type: "partial", taskId: id, block: { start: 4, size: 4 } },
  { type: "slice", taskId: id, ordinal: 0, from: 10, next: 20, rows: 5 },
  { type: "done", taskId: id, cost }, { type: "answer", taskId: id, form: "bytes" },
  { type: "failed", taskId: id, code: "IO", message: "cannot read", details: {}, retry: "elsewhere", shard: null },
  { type: "declined", taskId: id, reason: "busy" }, { type: "bye", reason: "stopped" },
];
const workerReplies: WorkerReply[] = [
  { type: "welcome", ...greeting }, { type: "heartbeat", known: false },
  { type: "task", taskId: id, attempt: 1, kind: "groupby", queryId: id, nonce: id, shards, remainingMs: 1 },
  { type: "task", taskId: id, attempt: 1, kind: "groupby", queryId: id, nonce: id, shards, remainingMs: 1, rows: { slices: 8, rowsMax: 5, from: [0] }, absent: [{ name: "a", dtype: "int64" }], widened: [{ name: "b", dtype: "float64" }, { name: "c", dtype: null }] },
  { type: "cancelTask", taskId: id }, { type: "shutdown", reason: "killall" }, { type: "refused", reason: "a worker needs the role node" }, { type: "setLogLevel", level: "warn" },
  { type: "errand", taskId: id, attempt: 1, queryId: id, nonce: id, errand: { kind: "sleep", seconds: 1 }, remainingMs: 1 },
];

function failureOf(work: () => unknown): BquerydError {
  try {
    work();
  } catch (failure) {
    if (failure instanceof BquerydError) return failure;
    throw failure;
  }
  throw new Error("nothing failed");
}

/** What decoding says to a header, sent as it is. */
function refusalOf(channel: Channel, direction: Direction, header: unknown): BquerydError {
  const [tag] = encodeFrames(channel, "message", { type: "heartbeat" }, [], bytesMax);
  return failureOf(() => decodeFrames(channel, direction, [tag!, new Packr({ useRecords: false }).pack(header)], bytesMax));
}

describe("frames", () => {
  it("of a header that receivers refuse for its size are not made", () => {
    const value = "x".repeat(limits.headerBytesMax);
    const failure = failureOf(() => encodeFrames("client", "reply", { type: "result", id, value, cost: null, queuedMs: 0, workers: 0, retries: 0 }, [], 2 * limits.headerBytesMax));
    expect(failure.code).to.equal("MEMORY_LIMIT");
    expect(failure.message).to.match(/^the header of a message of type 'result' has \d+ bytes, more than 67108864; /);
  });

  it("of a header with more names than receivers take are not made", () => {
    const result = (count: number) => ({ type: "result" as const, id, value: Object.fromEntries(Array.from({ length: count }, (_, k) => [`n${k}`, k])), cost: null, queuedMs: 0, workers: 0, retries: 0 });
    const failure = failureOf(() => encodeFrames("client", "reply", result(limits.headerNamesMax), [], limits.headerBytesMax));
    expect(failure.code).to.equal("BAD_MESSAGE");
    expect(failure.message).to.contain("maps of more than 100000 names");
    const frames = encodeFrames("client", "reply", result(90_000), [], limits.headerBytesMax);
    expect(decodeFrames("client", "reply", frames, limits.headerBytesMax).header).to.have.property("type", "result");
  });

  const body = [new Uint8Array(0), Uint8Array.of(1, 2, 3)];
  const cases = [
    ...clientMessages.map((header) => ["client", "message", header] as const),
    ...clientReplies.map((header) => ["client", "reply", header] as const),
    ...workerMessages.map((header) => ["worker", "message", header] as const),
    ...workerReplies.map((header) => ["worker", "reply", header] as const),
  ];
  for (const [channel, direction, header] of cases) {
    it(`bring back the ${channel} ${direction} '${header.type}'`, () => {
      const frames = encodeFrames(channel, direction, header as never, body, bytesMax);
      expect(requireChannel(frames)).to.equal(channel);
      const decoded = decodeFrames(channel, direction, frames, bytesMax);
      expect(decoded.header).to.deep.equal(header);
      expect(decoded.body).to.deep.equal(body);
    });
  }

  it("begin with the tag of the channel and the version", () => {
    expect(Buffer.from(encodeFrames("client", "message", { type: "bye" }, [], bytesMax)[0]!).toString("latin1")).to.equal("bqc\x01");
    expect(Buffer.from(encodeFrames("worker", "message", { type: "heartbeat" }, [], bytesMax)[0]!).toString("latin1")).to.equal("bqw\x01");
  });

  it("carry the body itself, not copies", () => {
    const frames = encodeFrames("client", "message", { type: "bye" }, body, bytesMax);
    expect(decodeFrames("client", "message", frames, bytesMax).body[1]).to.equal(body[1]);
  });

  it("of another version are refused by both numbers", () => {
    const frames = encodeFrames("worker", "message", { type: "heartbeat" }, [], bytesMax);
    const failure = failureOf(() => decodeFrames("worker", "message", [Uint8Array.of(...Buffer.from("bqw"), 2), ...frames.slice(1)], bytesMax));
    expect(failure.code).to.equal("PROTOCOL_VERSION");
    expect(failure.message).to.contain("version 2").and.contain("version 1");
  });

  it("without our tag are refused", () => {
    const [, header] = encodeFrames("client", "message", { type: "bye" }, [], bytesMax);
    const tags = [[], ["GET "], ["bq"], ["bqc\x01\x01"], ["bqx\x01"], [""]].map((texts) => texts.map((text) => new Uint8Array(Buffer.from(text, "latin1"))));
    for (const tag of tags) expect(failureOf(() => requireChannel([...tag, header!].slice(tag.length === 0 ? 1 : 0))).code).to.equal("BAD_MESSAGE");
  });

  it("without a header are refused", () => {
    const [tag] = encodeFrames("client", "message", { type: "bye" }, [], bytesMax);
    expect(failureOf(() => decodeFrames("client", "message", [tag!], bytesMax)).code).to.equal("BAD_MESSAGE");
  });

  it("of the other channel are refused", () => {
    const frames = encodeFrames("worker", "message", { type: "heartbeat" }, [], bytesMax);
    expect(failureOf(() => decodeFrames("client", "message", frames, bytesMax)).code).to.equal("BAD_MESSAGE");
  });

  it("of an unknown type are refused with the nearest known one", () => {
    expect(refusalOf("client", "message", { type: "cal", id }).message).to.contain("did you mean 'call'");
    expect(refusalOf("client", "reply", { type: "call", id }).code).to.equal("BAD_MESSAGE");
    expect(refusalOf("client", "message", { type: "constructor" }).code).to.equal("BAD_MESSAGE");
    for (const header of [null, 1, "call", [], {}, { type: 1 }]) expect(refusalOf("client", "message", header).code).to.equal("BAD_MESSAGE");
  });

  it("with a wrong field are refused by type, field and id", () => {
    const call = { type: "call", id, verb: "groupby", tables: ["a", 7], columns: [], remainingMs: 1 };
    const failure = refusalOf("client", "message", call);
    expect(failure.code).to.equal("BAD_MESSAGE");
    expect(failure.details).to.deep.equal({ type: "call", field: "tables/1", id });
    expect(failure.message).to.contain("'tables/1'").and.contain("'call'");
  });

  it("with a missing, extra or impossible field are refused", () => {
    const whole = { type: "task", taskId: id, attempt: 1, kind: "groupby", queryId: id, nonce: id, shards, remainingMs: 1 };
    for (const wrong of [
      { ...whole, nonce: undefined }, { ...whole, extra: 1 }, { ...whole, attempt: 0 }, { ...whole, attempt: 1.5 }, { ...whole, taskId: id.toUpperCase() },
      { ...whole, remainingMs: Infinity }, { ...whole, remainingMs: NaN }, { ...whole, remainingMs: -1 }, { ...whole, shards: {} },
      { ...whole, shards: [{ ordinal: 0, name: "", generation }] }, { ...whole, attempt: 1n },
      { ...whole, rows: { slices: 0, rowsMax: null, from: [0] } }, { ...whole, rows: { slices: 1, rowsMax: -1, from: [0] } }, { ...whole, rows: { slices: 1, rowsMax: null, from: [-1] } },
      { ...whole, absent: [{ name: "a" }] }, { ...whole, widened: [{ name: "a" }] }, { ...whole, widened: [{ name: "a", dtype: 1 }] },
    ]) expect(refusalOf("worker", "reply", wrong).code).to.equal("BAD_MESSAGE");
    const call = { type: "call", id, verb: "groupby", tables: ["taxi"], columns: [], remainingMs: 1 };
    for (const wrong of [
      { ...call, rows: { slices: limits.sliceCreditMax + 1, rowsMax: null } }, { ...call, rows: { slices: 1.5, rowsMax: null } }, { ...call, rows: true },
      { ...call, missing: "error" }, { ...call, partial: true }, { ...call, generations: [{ name: "taxi.bcolz", generation: "latest" }] }, { ...call, generations: { "taxi.bcolz": generation } },
      { type: "credit", id, attempt: 0, slices: 1 }, { type: "credit", id, attempt: 1, slices: limits.sliceCreditMax + 1 }, { type: "credit", id, attempt: 1, slices: -1 },
    ]) expect(refusalOf("client", "message", wrong).code).to.equal("BAD_MESSAGE");
  });

  it("larger than allowed are refused at both ends", () => {
    const large = [new Uint8Array(bytesMax)];
    expect(failureOf(() => encodeFrames("client", "message", { type: "bye" }, large, bytesMax)).code).to.equal("MEMORY_LIMIT");
    const frames = encodeFrames("client", "message", { type: "bye" }, large, 2 * bytesMax);
    expect(failureOf(() => decodeFrames("client", "message", frames, bytesMax)).code).to.equal("BAD_MESSAGE");
  });

  it("too many of them are refused at both ends", () => {
    const many = Array.from({ length: limits.framesMax }, () => new Uint8Array(0));
    expect(failureOf(() => encodeFrames("client", "message", { type: "bye" }, many, bytesMax)).code).to.equal("MEMORY_LIMIT");
    const [tag, header] = encodeFrames("client", "message", { type: "bye" }, [], bytesMax);
    expect(failureOf(() => decodeFrames("client", "message", [tag!, header!, ...many], bytesMax)).code).to.equal("BAD_MESSAGE");
  });

  it("shorten the sentence of a failure rather than lose the failure", () => {
    const frames = encodeFrames("client", "reply", { type: "error", id, code: "BAD_QUERY", message: "x".repeat(10_000), details: {}, origin: "" }, [], bytesMax);
    expect(decodeFrames("client", "reply", frames, bytesMax).header).to.have.property("message").with.lengthOf(4_096);
  });

  it("keep names from data out of prototypes", () => {
    const header = Buffer.from(new Packr({ useRecords: false }).pack({ type: "error", id, code: "IO", message: "", details: { XXproto__: { polluted: 1 } }, origin: "" }));
    header.write("__proto__", header.indexOf("XXproto__"));
    const [tag] = encodeFrames("client", "message", { type: "bye" }, [], bytesMax);
    const decoded = decodeFrames("client", "reply", [tag!, header], bytesMax);
    expect(decoded.header).to.have.property("details").that.does.not.have.property("polluted");
  });
});
