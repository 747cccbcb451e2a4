import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommanderError } from "commander";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { version } from "../../lib/base/version.js";
import { hyphenateFlags } from "../../lib/cli/options.js";
import { formatError } from "../../lib/cli/report.js";
import { runCommand } from "../support/run-command.js";

const program = fileURLToPath(new URL("../../bin/bqueryd.js", import.meta.url));

describe("command line", function () {
  this.timeout(120_000);
  let folder: string;
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "bqueryd-cli-")); });
  afterEach(() => { rmSync(folder, { recursive: true }); });

  /** As a process of its own. */
  function bqueryd(args: readonly string[], input = "") {
    const env = { ...process.env, XDG_STATE_HOME: folder };
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { env, input, encoding: "utf8", timeout: 60_000 });
    return { status, stdout, stderr };
  }

  it("--version prints the version, --help the commands and flags", async () => {
    expect(bqueryd(["--version"])).to.deep.equal({ status: 0, stdout: `${version}\n`, stderr: "" });
    const help = await runCommand(["--help"]);
    expect(help).to.include({ code: 0, stderr: "" });
    expect(help.stdout).to.match(/^ {2}worker /m).and.match(/--cache-memory <SIZE>/).and.match(/--redis-url <URL>/);
  });

  it("a wrong command or flag is one line with the nearest name and exit code 64", async () => {
    const wrong = [
      [["wroker"], "'wroker' is neither a command nor an address such as tcp://127.0.0.1:14300; did you mean 'worker'?"],
      [["worker", "--data-dri=x"], "unknown option '--data-dri=x'; did you mean '--data-dir'?"],
      [["--port"], "option '--port <PORT>' argument missing; see bqueryd --help"],
      [["worker", "--eval", "1"], "--eval is for the prompt, not for worker; leave one of them out"],
    ] as const;
    for (const [args, sentence] of wrong) {
      expect(await runCommand(args)).to.deep.equal({ code: 64, stdout: "", stderr: `bqueryd: USAGE: ${sentence}\n` });
    }
    expect(bqueryd(wrong[0][0])).to.deep.equal({ status: 64, stdout: "", stderr: `bqueryd: USAGE: ${wrong[0][1]}\n` });
  });

  it("an unknown command is told with the nearest, whatever stands behind it; help and -V are known", async () => {
    expect((await runCommand(["inport", "a", "b"])).stderr).to.match(/^bqueryd: USAGE: 'inport' is neither a command nor .*; did you mean 'import'\?\n$/);
    expect((await runCommand(["gruopby"])).stderr).to.match(/; 'groupby' is a verb of the prompt, as in bqueryd --eval "rpc\.groupby\(\.\.\.\)"\n$/);
    expect((await runCommand(["help", "gruopby"])).stderr).to.equal("bqueryd: USAGE: there is no command 'gruopby'; see bqueryd --help\n");
    expect((await runCommand(["help", "inport"])).stderr).to.equal("bqueryd: USAGE: there is no command 'inport'; did you mean 'import'?\n");
    expect((await runCommand(["version"])).stderr).to.match(/; did you mean '--version'\?\n$/);
    expect(await runCommand(["-V"])).to.include({ code: 0, stdout: `${version}\n` });
    expect((await runCommand(["help"])).stdout).to.equal((await runCommand(["--help"])).stdout);
    expect((await runCommand(["help", "import"])).stdout).to.equal((await runCommand(["import", "--help"])).stdout);
  });

  it("an argument that is the name of a command, a value of a flag before one, and help behind either are what they are with all commands", async () => {
    expect((await runCommand(["--node", "import", "worker", "--print-config"])).stdout).to.match(/^node = import +; --node$/m);
    const whole = await runCommand(["--help"]);
    for (const args of [["--node", "worker", "--help"], ["--node", "worker", "-h"], ["--node", "worker", "-vh"]]) expect(await runCommand(args), args.join(" ")).to.deep.equal(whole);
    expect(await runCommand(["--node", "x", "inspect", "--help"])).to.deep.equal(await runCommand(["inspect", "--help"]));
    expect((await runCommand(["--eval", "1", "worker"])).stderr).to.equal("bqueryd: USAGE: --eval is for the prompt, not for worker; leave one of them out\n");
  });

  it("the help of a command has the flags that it reads, and a line for the others", async () => {
    const inspect = (await runCommand(["inspect", "--help"])).stdout;
    expect(inspect).to.not.match(/--cache-memory|--eval/);
    expect(inspect).to.match(/--json/).and.match(/none is of use here;\nbqueryd --help lists them\.\n$/);
    expect((await runCommand(["import", "--help"])).stdout).to.match(/--keep-generations/).and.not.match(/--cache-memory/);
    expect((await runCommand(["worker", "--help"])).stdout).to.match(/--cache-memory/).and.not.match(/--eval|of use here/);
  });

  it("up says that data_dir does not exist before it starts anything", async () => {
    expect(await runCommand(["up", "--data-dir", join(folder, "nope")])).to.deep.equal({
      code: 78, stdout: "", stderr: `bqueryd: CONFIG: data_dir ${join(folder, "nope")} does not exist; create it, or set data_dir to the directory of your tables\n`,
    });
  });

  it("--print-config shows what flags with hyphens and underscores make, and -v, wherever they stand", async () => {
    for (const args of [["-v", "--data_dir=/tmp", "worker", "--print-config"], ["worker", "--data-dir", "/tmp", "-v", "--print_config"]]) {
      const { code, stdout, stderr } = await runCommand(args);
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: "" });
      expect(stdout).to.match(/^data_dir = \/tmp +; --data-dir$/m).and.match(/^log_level = debug +; --log-level$/m);
    }
  });

  it("a wrong configuration is one line and exit code 78", async () => {
    expect(await runCommand(["controller", "--heartbeat", "fast"])).to.deep.equal({
      code: 78, stdout: "", stderr: "bqueryd: CONFIG: heartbeat = 'fast' in --heartbeat cannot be used; give a number of seconds from 0.05 to 3600\n",
    });
    expect((await runCommand(["up", "--redis_url=http://x"])).stderr).to.match(/^bqueryd: CONFIG: redis_url in --redis-url cannot be used; .*\n$/);
    expect(bqueryd(["up", "--redis_url=redis://127.0.0.1:1"])).to.deep.include({ status: 69, stdout: "" }).and.property("stderr").match(/^bqueryd: REGISTRY_UNAVAILABLE: cannot use the Redis server 127.0.0.1:1 .*\n$/);
  });

  it("without a controller the prompt says how to start one", () => {
    for (const [args, input] of [[["--eval", "rpc.ping()"], ""], [[], "rpc.ping()\n"]] as const) {
      const { status, stdout, stderr } = bqueryd(args, input);
      expect({ status, stdout }).to.deep.equal({ status: 69, stdout: "" });
      expect(stderr).to.match(/^bqueryd: NO_CONTROLLER: no controller is up in .*; start one with bqueryd up\n$/);
    }
  });

  it("underscores become hyphens in names of flags and nowhere else", () => {
    expect(hyphenateFlags(["--data_dir=/a_b", "--log_level", "x_y", "a_b", "--", "--c_d"])).to.deep.equal(["--data-dir=/a_b", "--log-level", "x_y", "a_b", "--", "--c_d"]);
  });

  it("an error is one line, whatever is in its message; a fault of ours is followed by its stack", () => {
    expect(formatError(new BquerydError("BUSY", "the queue\n  is full; wait"))).to.equal("BUSY: the queue is full; wait");
    expect(formatError(new CommanderError(1, "commander.unknownOption", "error: unknown option '--foo'\n(Did you mean one of --fob, --for?)"))).to.equal("USAGE: unknown option '--foo'; did you mean '--fob, --for'?");
    expect(formatError(new TypeError("x is not a function"))).to.match(/^INTERNAL: x is not a function; this is a fault of bqueryd, please report it\nTypeError: x is not a function\n +at /);
  });

  it("output that cannot be written is one line and exit code 74; a reader that has gone is none", () => {
    const command = `'${process.execPath}' '${program}' --help`;
    const run = (script: string) => spawnSync("sh", ["-c", script], { env: { ...process.env, XDG_STATE_HOME: folder }, encoding: "utf8", timeout: 60_000 });
    const full = run(`${command} > /dev/full`);
    expect(full.status).to.equal(74);
    expect(full.stderr).to.match(/^bqueryd: DISK_FULL: cannot write to standard output: [^\n]*; make room and try again\n$/);
    expect(run(`${command} | true`).stderr).to.equal("");
  });
});
