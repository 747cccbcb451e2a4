import { expect } from "chai";
import { describe, it } from "mocha";
import { formatLogLine } from "../../lib/base/log-line.js";
import { describeExit, formatExit } from "../../lib/cli/exit-line.js";

describe("the line about a process that died", () => {
  it("says in plain words what ended it", () => {
    expect(describeExit({ exitCode: null, signal: "SIGKILL" })).to.equal("killed by SIGKILL: by kill -9, or by the kernel because memory ran out");
    expect(describeExit({ exitCode: null, signal: "SIGSEGV" })).to.equal("crashed with SIGSEGV");
    expect(describeExit({ exitCode: null, signal: "SIGTERM" })).to.equal("killed by SIGTERM");
    expect(describeExit({ exitCode: 70, signal: null })).to.equal("ended with exit code 70");
    expect(describeExit({ exitCode: null, signal: null })).to.equal("could not be started");
  });

  it("is a line like all others of the log", () => {
    const line = formatLogLine(formatExit({ id: "worker 2", pid: 4711, exitCode: null, signal: "SIGKILL" }));
    expect(line).to.match(/^\d\d:\d\d:\d\dZ warn {2}up \d+ process\.stopped process="worker 2" ended=4711 reason="killed by SIGKILL: /);
  });
});
