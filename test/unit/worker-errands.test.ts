import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { monotonicMs } from "../../lib/base/clock.js";
import { createErrands, type ErrandEvent, type Errands } from "../../lib/cluster/worker/errands/errands.js";
import { parseFunctionName } from "../../lib/cluster/worker/errands/code.js";
import { readFileBelow } from "../../lib/cluster/worker/errands/files-below.js";
import type { Errand } from "../../lib/wire/messages.js";
import { failureOf } from "../support/failure.js";
import { until } from "../support/until.js";

describe("errands of a worker", function () {
  this.timeout(60_000);
  let folder = "";
  let dataDir = "";
  let errands: Errands;
  let events: ErrandEvent[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-errands-"));
    dataDir = join(folder, "data");
    await mkdir(join(dataDir, "notes"), { recursive: true });
    await writeFile(join(dataDir, "notes", "one.txt"), "one");
    await writeFile(join(folder, "secret.txt"), "secret");
    events = [];
    errands = createErrands({ dataDir, codeModules: ["fs", "path", "process", "child_process", "timers/promises", "mine"], answerBytesMax: 10_000, onEvent: (event) => { events.push(event); } });
  });
  afterEach(async () => {
    await errands.close();
    await rm(folder, { recursive: true });
  });

  let count = 0;
  function begin(errand: Errand, { args = [], remainingMs = 20_000 }: { args?: unknown[]; remainingMs?: number } = {}): string {
    const taskId = `task ${count++}`;
    errands.run({ taskId, errand, body: [new TextEncoder().encode(JSON.stringify(args))], deadlineMs: monotonicMs() + remainingMs });
    return taskId;
  }

  async function endOf(taskId: string): Promise<ErrandEvent> {
    await until(`${taskId} ends`, () => events.some((event) => event.taskId === taskId));
    return events.find((event) => event.taskId === taskId)!;
  }

  /** What a function answers: its value, its bytes, or `CODE message`. */
  async function call(name: string, ...args: unknown[]): Promise<unknown> {
    const end = await endOf(begin({ kind: "execute_code", function: name }, { args }));
    if (end.kind === "taskFailed") return `${end.failure.code} ${end.failure.message}`;
    return end.answer.form === "json" ? JSON.parse(Buffer.from(end.answer.bytes).toString()) : end.answer.bytes;
  }

  async function read(path: string): Promise<string> {
    return Buffer.from(await readFileBelow(dataDir, path, { bytesMax: 100, signal: new AbortController().signal })).toString();
  }

  it("sleep, and wake to an answer or at once when they are cancelled or late", async () => {
    expect(await endOf(begin({ kind: "sleep", seconds: 0.01 }))).to.deep.include({ kind: "errandDone", answer: { form: "json", bytes: new TextEncoder().encode('"z..."') } });
    const startMs = monotonicMs();
    const taskId = begin({ kind: "sleep", seconds: 60 });
    errands.cancel("another");
    errands.cancel(taskId);
    expect(await endOf(taskId)).to.have.nested.property("failure.code", "CANCELLED");
    expect(await endOf(begin({ kind: "sleep", seconds: 60 }, { remainingMs: 10 }))).to.have.nested.property("failure.code", "DEADLINE");
    expect(monotonicMs() - startMs).to.be.below(30_000);
  });

  it("readfile gives the bytes of a file below data_dir, where a link stays below it too", async () => {
    expect(await read("notes/one.txt")).to.equal("one");
    await symlink(join(dataDir, "notes", "one.txt"), join(dataDir, "link.txt"));
    expect(await read("link.txt")).to.equal("one");
    expect(await read("./notes//one.txt")).to.equal("one");
    await writeFile(join(dataDir, "empty"), "");
    expect(await read("empty")).to.equal("");
  });

  it("15: readfile reads no file outside data_dir, whether by name or by link", async () => {
    await symlink(join(folder, "secret.txt"), join(dataDir, "out.txt"));
    await symlink(folder, join(dataDir, "up"));
    await symlink("/", join(dataDir, "root"));
    const paths = ["../secret.txt", "notes/../../secret.txt", join(folder, "secret.txt"), "/etc/passwd", "out.txt", "up/secret.txt", "root/etc/passwd", "notes/one.txt\0.png", "..", ".", "notes", "up"];
    for (const path of paths) {
      const failure = await failureOf(() => read(path));
      expect(failure.code, path).to.equal("FORBIDDEN");
      expect(failure.message, path).to.not.include("secret\n");
    }
  });

  it("readfile says which file is not there, is no file or is too large, and waits for none", async () => {
    for (const path of ["nothing.txt", "notes/one.txt/two", "nothing/one.txt"]) {
      const failure = await failureOf(() => read(path));
      expect(failure.code, path).to.equal("NOT_FOUND");
      expect(failure.message).to.include(`'${path}'`).and.not.include(folder);
    }
    await truncate(join(dataDir, "notes", "one.txt"), 101);
    expect((await failureOf(() => read("notes/one.txt"))).message).to.equal("'notes/one.txt' has 101 B, more than the 100 B that readfile sends; copy it another way");
    execFileSync("mkfifo", [join(dataDir, "pipe")]);
    expect(await failureOf(() => read("pipe"))).to.include({ code: "FORBIDDEN", message: "'pipe' is no regular file; name a file" });
  });

  it("execute_code calls a function in data_dir, and gives what JSON can hold, or bytes", async () => {
    expect(await call("fs.readdirSync", ".")).to.deep.equal(["notes"]);
    expect(await call("node:path.posix.join", "a", "b")).to.equal("a/b");
    expect(Buffer.from(await call("fs.readFileSync", "notes/one.txt") as Uint8Array).toString()).to.equal("one");
    expect(await call("fs.mkdirSync", "new")).to.equal(null);
    expect(await call("fs.readdirSync", ".", { withFileTypes: false })).to.deep.equal(["new", "notes"]);
    expect(await call("timers/promises.setTimeout", 1, { a: [1, null] })).to.deep.equal({ a: [1, null] });
    expect(await call("process.cwd")).to.equal(dataDir);
  });

  it("execute_code finds packages as Node does from data_dir, and gives functions no environment", async () => {
    await mkdir(join(dataDir, "node_modules", "mine"), { recursive: true });
    await writeFile(join(dataDir, "node_modules", "mine", "index.mjs"), "export const environment = () => Object.keys(process.env);\nexport const big = () => 'x'.repeat(20_000);\nexport const huge = () => new Uint8Array(3e9);\nexport const whole = () => 5n;\nexport const end = () => process.exit(3);\nexport const spin = () => { for (;;); };\n");
    await writeFile(join(dataDir, "node_modules", "mine", "package.json"), JSON.stringify({ name: "mine", main: "index.mjs" }));
    expect(await call("mine.environment")).to.deep.equal([]);
    expect(await call("mine.big")).to.match(/^MEMORY_LIMIT mine\.big answered 20002 bytes, more than 10000; /);
    expect(await call("mine.huge")).to.match(/^MEMORY_LIMIT mine\.huge answered 3000000000 bytes, more than 10000; /);
    expect(await call("mine.whole")).to.match(/^BAD_INPUT mine\.whole failed: TypeError: /);
    expect(await call("mine.end")).to.match(/^BAD_INPUT mine\.end ended /);
    const taskId = begin({ kind: "execute_code", function: "mine.spin" }, { remainingMs: 500 });
    expect(await endOf(taskId)).to.have.nested.property("failure.code", "DEADLINE");
  });

  it("execute_code takes nothing but the answer of a function for it: packages send messages of their own", async () => {
    await mkdir(join(dataDir, "node_modules", "mine"), { recursive: true });
    const says = (name: string, message: string): string => `export const ${name} = () => { parentPort.postMessage(${message}); return "answer"; };\n`;
    await writeFile(join(dataDir, "node_modules", "mine", "package.json"), JSON.stringify({ name: "mine", main: "index.mjs" }));
    await writeFile(join(dataDir, "node_modules", "mine", "index.mjs"), `import { parentPort } from "node:worker_threads";\n${[
      says("text", "'ready'"), says("nothing", "null"), says("form", "{kind: 'answer', form: 'zip', bytes: new Uint8Array(1)}"), says("bytes", "{kind: 'answer', form: 'json', bytes: 'no bytes'}"),
      says("large", "{kind: 'answer', form: 'bytes', bytes: new Uint8Array(10_001)}"), says("code", "{kind: 'failed', code: 'constructor', message: 'm'}"), says("sentence", "{kind: 'failed', code: 'BAD_INPUT', message: 5}"),
    ].join("")}`);
    for (const name of ["text", "nothing", "form", "bytes", "large", "code", "sentence"]) expect(await call(`mine.${name}`), name).to.equal("answer");
  });

  it("5: what a function throws comes back as an error that names it, and never as an answer", async () => {
    expect(await call("fs.readdirSync", "nothing")).to.match(/^BAD_INPUT fs\.readdirSync failed: Error: ENOENT: .*; correct its arguments$/);
    expect(await call("fs.nothing")).to.match(/^NOT_FOUND there is no function fs\.nothing; /);
    expect(await call("fs.constants")).to.match(/^NOT_FOUND /);
    expect(await call("fs.readdirSync.call", null, ".")).to.match(/^NOT_FOUND /);
    expect(await call("mine.nothing")).to.match(/^NOT_FOUND the module of mine\.nothing cannot be loaded: /);
  });

  it("execute_code lives through arguments that are none, too many or too deep", async () => {
    const bodies = ["", "5", "{}", "[1", "\u00ff\u00fe", `${"[".repeat(1e6)}${"]".repeat(1e6)}`].map((text) => [Buffer.from(text, "latin1")]);
    for (const body of [...bodies, [], [Buffer.from("[]"), Buffer.from("[]")], [Buffer.alloc(2 ** 24 + 1, " ")]]) {
      const taskId = `task ${count++}`;
      errands.run({ taskId, errand: { kind: "execute_code", function: "path.join" }, body, deadlineMs: monotonicMs() + 20_000 });
      expect(await endOf(taskId)).to.have.nested.property("failure.code").which.is.oneOf(["BAD_INPUT", "BAD_MESSAGE"]);
    }
    expect(await call("path.join", "a", "b")).to.equal("a/b");
  });

  it("execute_code says when its process cannot be started, as where data_dir is gone", async () => {
    await rm(dataDir, { recursive: true });
    expect(await call("path.join", "a")).to.match(/^BAD_INPUT the process of path\.join cannot be started in data_dir of the worker \(.*ENOENT\); /);
  });

  it("execute_code refuses modules that are not allowed, and names that are none", () => {
    expect(() => parseFunctionName("fs.readdirSync", [])).to.throw("execute_code is off; set code_modules").with.property("code", "DISABLED");
    for (const name of ["os.cpus", "fs/promises.readFile", "fs", "constructor", "__proto__.x", "fs/../x.y", "../fs.x", "/etc/x.y", "FS.readdirSync"]) {
      expect(() => parseFunctionName(name, ["fs"]), name).to.throw().with.property("code", "DISABLED");
    }
    for (const name of ["fs.", "fs.a b", "fs.constructor", "fs.x.__proto__", "fs.prototype.x", "fs.a.b.c.d.e", "fs.readdirSync()", "fs..x", "fs.x/../y"]) {
      expect(() => parseFunctionName(name, ["fs"]), name).to.throw().with.property("code", "USAGE");
    }
    expect(parseFunctionName("node:fs/promises.readFile", ["fs", "fs/promises"])).to.deep.equal({ module: "fs/promises", members: ["readFile"] });
  });

  it("execute_code ends what it has begun when it is cancelled, other processes as well", async () => {
    const taskId = begin({ kind: "execute_code", function: "child_process.execSync" }, { args: ["sleep 1000 & echo $$ > pid; sleep 1000"] });
    await until("it has begun", async () => /\d/.test(await read("pid").catch(() => "")));
    const shell = Number(await read("pid"));
    errands.cancel(taskId);
    expect(await endOf(taskId)).to.have.nested.property("failure.code", "CANCELLED");
    await until("its shell is gone", () => !isAlive(shell));
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
