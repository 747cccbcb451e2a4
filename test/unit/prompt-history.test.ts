import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { historyFile } from "../../lib/base/config.js";
import type { BquerydError } from "../../lib/base/errors.js";
import { historyLinesMax, openHistory } from "../../lib/cli/prompt/history.js";

describe("the history of the prompt", () => {
  let folder = "";
  const failures: BquerydError[] = [];
  const open = (path: string) => openHistory(path, (failure) => { failures.push(failure); });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-history-"));
    failures.length = 0;
  });
  afterEach(async () => { await rm(folder, { recursive: true }); });

  it("is there again at the next prompt, the newest line first, for its owner alone", () => {
    const path = join(folder, "state", "bqueryd", "history");
    const history = open(path);
    expect(history.lines).to.deep.equal([]);
    expect(existsSync(path)).to.equal(false);
    for (const line of ["rpc.info()", "rpc.info()", "  ", "rpc.files()", "x".repeat(20_000), "a\nb", "1 + 1"]) history.add(line);
    expect(open(path).lines).to.deep.equal(["1 + 1", "rpc.files()", "rpc.info()"]);
    expect([statSync(path).mode & 0o777, statSync(join(path, "..")).mode & 0o777]).to.deep.equal([0o600, 0o700]);
    chmodSync(path, 0o644);
    open(path);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
  });

  it("has the lines of several prompts at once, and what one adds after another has shortened the file", () => {
    const path = join(folder, "history");
    const [first, second] = [open(path), open(path)];
    first.add("a");
    second.add("b");
    first.add("c");
    expect(open(path).lines).to.deep.equal(["c", "b", "a"]);
    for (let number = 0; number < 2 * historyLinesMax; number++) second.add(`line ${number}`);
    const { lines } = open(path);
    expect(lines).to.have.length(historyLinesMax);
    first.add("last");
    expect(open(path).lines.slice(0, 2)).to.deep.equal(["last", `line ${2 * historyLinesMax - 1}`]);
    expect(readFileSync(path, "utf8").split("\n").length).to.be.below(historyLinesMax + 5);
  });

  it("says once that it cannot be kept, and the prompt goes on without", () => {
    writeFileSync(join(folder, "file"), "");
    mkdirSync(join(folder, "history"));
    for (const path of [join(folder, "file", "history"), join(folder, "history")]) {
      failures.length = 0;
      const history = open(path);
      history.add("a");
      history.add("b");
      expect(history.lines).to.deep.equal([]);
      expect(failures.map(({ message }) => message)).to.have.length(1);
      expect(failures[0]!.message).to.include(path);
    }
  });

  it("lies in the state directory of the user, whatever the registry", () => {
    expect(historyFile({ XDG_STATE_HOME: "/state" })).to.equal("/state/bqueryd/history");
  });
});
