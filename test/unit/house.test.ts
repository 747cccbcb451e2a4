import { readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { describe, it } from "mocha";
import * as api from "../../lib/index.js";
import { createProgram } from "../../lib/cli/main.js";
import { sampleConfig, withTables } from "../../misc/reference.js";

const root = new URL("../../../", import.meta.url);

function read(name: string): string {
  return readFileSync(new URL(name, root), "utf8");
}

describe("house", () => {
  it("the public API is the locked list of names", () => {
    expect(Object.keys(api).sort()).to.deep.equal(["BquerydError", "Table", "connect", "errorCodes"]);
  });

  it("README.md and misc/bqueryd.cfg say what the tables in the code say", () => {
    expect(read("README.md"), "run npm run reference").to.equal(withTables(read("README.md")));
    expect(read("misc/bqueryd.cfg"), "run npm run reference").to.equal(sampleConfig());
  });

  it("README.md lists every command", async () => {
    const listed = [...read("README.md").matchAll(/^\| `bqueryd ([a-z]+)/gm)].map(([, name]) => name);
    expect(listed).to.have.members((await createProgram()).commands.map((command) => command.name()));
  });

  it("a hook of a test file runs for its own tests alone, as what is outside every group runs for those of all files", () => {
    const tests = readdirSync(new URL("test/", root), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".test.ts"));
    expect(tests.length).to.be.greaterThan(50);
    expect(tests.filter((name) => /^(before|after)(Each)?\(/m.test(read(`test/${name}`)))).to.deep.equal([]);
  });

  it("every version of a dependency is pinned, and runs on the Node versions we promise", () => {
    const facts: Record<string, Record<string, string>> = JSON.parse(read("package.json"));
    for (const [name, version] of Object.entries({ ...facts["dependencies"], ...facts["devDependencies"] })) {
      expect(version, name).to.match(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    }
    expect(facts["engines"]).to.deep.equal({ node: "^20.19.0 || >=22.13.0" });
  });

  it("lint lets a folder import only from folders above it", async () => {
    const { findViolation }: { findViolation: (file: string, request: string) => string | undefined } = await import(new URL("misc/lint-house.js", root).href);
    const allowed = [
      ["lib/engine/scan.ts", "../columns/open.js"], ["lib/engine/states/sum.ts", "../query.js"], ["lib/index.ts", "./client/connect.js"],
      ["lib/cluster/worker/node.ts", "../../wire/messages.js"], ["lib/wire/sockets.ts", "zeromq"], ["bin/bqueryd.ts", "../lib/cli/main.js"],
      ["test/unit/x.test.ts", "../../lib/engine/scan.js"], ["lib/base/log.ts", "pino"], ["lib/cli/up.ts", "node:fs"], ["lib/objects/s3/store.ts", "@aws-sdk/client-s3"],
    ] as const;
    for (const [file, request] of allowed) expect(findViolation(file, request), `${file} ${request}`).to.equal(undefined);
    const refused = [
      ["lib/columns/open.ts", "../engine/scan.js"], ["lib/base/log.ts", "../wire/frames.js"], ["lib/cluster/worker/node.ts", "../../formats/import.js"],
      ["lib/cluster/controller/node.ts", "../../client/connect.js"], ["lib/registry/open.ts", "../columns/names.js"], ["lib/wire/frames.ts", "../engine/query.js"],
      ["lib/client/link.ts", "zeromq"], ["lib/engine/scan.ts", "pino"], ["lib/cli/up.ts", "../../misc/build.js"], ["lib/engine/scan.ts", "../index.js"],
      ["lib/objects/directory.ts", "../registry/open.js"], ["lib/cluster/worker/node.ts", "@aws-sdk/client-s3"],
    ] as const;
    for (const [file, request] of refused) expect(findViolation(file, request), `${file} ${request}`).to.be.a("string");
  });

  it("lint finds circles of imports, also of types, and names the shortest through a file", async () => {
    type ImportsOf = (file: string) => readonly string[];
    const { findCircle, listImports }: { findCircle: (file: string, importsOf: ImportsOf) => string[] | undefined; listImports: (file: string, text: string) => string[] } =
      await import(new URL("misc/lint-house.js", root).href);
    const source = [
      'import { existsSync } from "node:fs";', 'import type { Call } from "../wire/call.js";', 'import { a, type B } from "./a.js";',
      'export { c } from "./c.js";', 'export * from "./c.js";', 'const d = await import("./deep/d.js");', '// import "./comment.js"', 'const text = "./text.js";',
    ].join("\n");
    expect(listImports("lib/client/x.ts", source)).to.have.members(["lib/wire/call.ts", "lib/client/a.ts", "lib/client/c.ts", "lib/client/deep/d.ts"]);
    const graph: Record<string, string[]> = { main: ["a", "tree"], a: ["b", "c"], b: ["c"], c: ["a", "d"], d: ["b"], tree: ["leaf"], own: ["leaf", "own"], leaf: [] };
    const importsOf: ImportsOf = (file) => graph[file]!;
    expect(Object.keys(graph).map((file) => findCircle(file, importsOf)?.join(" "))).to.deep.equal([
      undefined, "a c a", "b c a b", "c a c", "d b c d", undefined, "own own", undefined,
    ]);
  });

  it("the lockfile tool finds optional packages that a mirror lacked, and what platform they are for", async () => {
    type Entries = Record<string, Record<string, unknown>>;
    const { findMissing }: { findMissing: (packages: Entries) => Map<string, unknown> } = await import(new URL("misc/complete-lockfile.mjs", root).href);
    const packages = {
      "": {},
      "node_modules/a": { dev: true, optionalDependencies: { "@a/a-linux-x64-musl": "1.0.0", "@a/a-darwin-arm64": "1.0.0" } },
      "node_modules/@a/a-darwin-arm64": { version: "1.0.0" },
      "node_modules/b": { optionalDependencies: { "@b/b-win32-x64": "2.0.0", "@b/b-linux-arm": "2.0.0" } },
      "node_modules/b/node_modules/@b/b-linux-arm": { version: "2.0.0" },
    };
    expect([...findMissing(packages)]).to.deep.equal([
      ["node_modules/@a/a-linux-x64-musl", { version: "1.0.0", dev: true, optional: true, cpu: ["x64"], libc: ["musl"], os: ["linux"] }],
      ["node_modules/@b/b-win32-x64", { version: "2.0.0", optional: true, cpu: ["x64"], os: ["win32"] }],
    ]);
  });
});
