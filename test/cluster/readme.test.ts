import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { until } from "../support/until.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));

interface Block {
  /** What stands after the three backticks: `sh`, `sh serve`, `sh clone`, `js`, `text`. */
  readonly kind: string;
  readonly text: string;
}

interface Served {
  readonly child: ChildProcess;
  readonly output: () => string;
}

describe("README", function () {
  this.timeout(300_000);
  const blocks = blocksOf(readFileSync(join(root, "README.md"), "utf8"));
  const served: Served[] = [];
  let folder: string;
  let env: NodeJS.ProcessEnv;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-readme-"));
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(root, join(folder, "node_modules", "bqueryd"));
    symlinkSync(join(root, "node_modules", "vega-datasets"), join(folder, "node_modules", "vega-datasets"));
    const shim = `#!/bin/sh\nexec '${process.execPath}' '${join(root, "dist/bin/bqueryd.js")}' "$@"\n`;
    writeFileSync(join(folder, "bqueryd"), shim, { mode: 0o755 });
    env = { ...process.env, PATH: [folder, process.env["PATH"]].join(delimiter), XDG_STATE_HOME: join(folder, "state"), NO_COLOR: "1" };
  });

  after(async () => {
    try {
      await endServed();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("its guide runs as it is written, and prints what it shows", async () => {
    for (const [index, { kind, text }] of blocks.entries()) {
      const next = blocks[index + 1];
      if (kind === "sh") {
        const stdout = run("sh", ["-e", "-c", text]);
        if (next?.kind === "text") expect(trimLines(stdout)).to.equal(next.text.trim());
      }
      if (kind === "js") {
        writeFileSync(join(folder, "example.mjs"), text);
        const stdout = run(process.execPath, ["example.mjs"]);
        if (next?.kind === "text") expect(trimLines(stdout)).to.equal(next.text.trim());
      }
      if (kind === "sh serve") await serve(text);
    }
    expect(served.length).to.be.above(0);
    // Its last word was killall.
    for (const { child } of served) await until("a process has ended by killall", () => child.exitCode === 0);
  });

  it("its commands for a clone are scripts of package.json", () => {
    const { scripts }: { scripts: Record<string, string> } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const contributing = blocksOf(readFileSync(join(root, "CONTRIBUTING.md"), "utf8"));
    const commands = [...blocks, ...contributing].filter(({ kind }) => kind === "sh clone").flatMap(({ text }) => text.trim().split(/\n| && /));
    expect(commands).to.include.members(["npm ci", "npm run demo", "npm test"]);
    for (const command of commands) {
      const script = /^npm run (\S+)/.exec(command)?.[1] ?? (command === "npm test" ? "test" : undefined);
      if (script !== undefined) expect(Object.keys(scripts), command).to.include(script);
      else expect(command).to.be.oneOf(["npm ci", "npm link", ".ci/run"]);
    }
  });

  it("the files it and CONTRIBUTING name exist", () => {
    const texts = ["README.md", "CONTRIBUTING.md"].map((name) => readFileSync(join(root, name), "utf8")).join("\n");
    const named = [...texts.matchAll(/\]\(([^)]+)\)|`((?:misc|test|lib)\/[\w./-]+)`/g)].map(([, link, path]) => link ?? path!);
    expect(named.length).to.be.above(5);
    const headings = [...texts.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => `#${heading!.toLowerCase().replaceAll(" ", "-")}`);
    for (const path of named) expect(path.startsWith("#") ? headings.includes(path) : existsSync(join(root, path)), path).to.equal(true);
  });

  function run(command: string, args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, env, encoding: "utf8", timeout: 60_000 });
    expect(status, `${args.join(" ")}\n${stderr}`).to.equal(0);
    return stdout;
  }

  /** Every line in a terminal of its own, after Ctrl-C in the terminals before. */
  async function serve(text: string): Promise<void> {
    await endServed();
    for (const line of text.trim().split("\n")) {
      // One worker answers as two do, and one less has to start.
      const child = spawn("sh", ["-c", `exec ${line}`], { cwd: folder, env: { ...env, BQUERYD_WORKERS: "1" }, stdio: ["ignore", "pipe", "pipe"] });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (part: string) => { output += part; });
      served.push({ child, output: () => output });
      await until(`'${line}' serves`, () => {
        expect(child.exitCode, `${line}\n${output}`).to.equal(null);
        return signOfServing(line).test(output);
      });
    }
  }

  async function endServed(): Promise<void> {
    for (const { child, output } of served.splice(0)) {
      child.kill("SIGINT");
      await until("a process has ended by Ctrl-C", () => child.exitCode !== null || child.signalCode !== null);
      expect(child.exitCode, output()).to.equal(0);
    }
  }
});

/** What a command says when it serves; `up` passes on the logs of its children, which start before it is ready. */
function signOfServing(line: string): RegExp {
  if (line.startsWith("bqueryd up")) return /^ready: /m;
  return line.startsWith("bqueryd controller") ? /"event":"process\.started"/ : /"event":"worker\.registered"/;
}

function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, kind, text]) => ({ kind: kind!, text: text! }));
}

function trimLines(text: string): string {
  return text.split("\n").map((line) => line.trimEnd()).join("\n").trim();
}
