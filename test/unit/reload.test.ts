import { expect } from "chai";
import { describe, it } from "mocha";
import { loadConfig, type Config } from "../../lib/base/config.js";
import { BquerydError } from "../../lib/base/errors.js";
import { createReloader } from "../../lib/cli/reload.js";
import { createSilentLog } from "../support/silent-log.js";

describe("reload", () => {
  const load = (flags: Record<string, string> = {}): Config => loadConfig({ flags: { data_dir: "/d", node: "n", ...flags }, env: {}, machineFile: "/nonexistent" });

  function begin(flags: Record<string, string> = {}) {
    const { log, events } = createSilentLog();
    const [levels, applied]: [string[], Config[]] = [[], []];
    const reload = createReloader({
      config: load(flags), log: { ...log, setLevel: (level) => { levels.push(level); } }, keys: ["memory_limit"],
      apply: (config) => { applied.push(config); },
    });
    return { events, levels, applied, again: (more: Record<string, string>) => { reload(() => load(more)); }, reload };
  }

  it("takes over what can change, names the rest until a restart, and tells both", () => {
    const { again, events, applied, levels } = begin();
    again({ memory_limit: "1GB", log_level: "debug", port: "9999" });
    expect(events).to.deep.equal([{ event: "config.reloaded", changed: ["log_level", "memory_limit"], needsRestart: ["port"], message: "port will be as configured when this process is started again" }]);
    expect([applied[0]?.memoryLimitBytes, ...levels]).to.deep.equal([2 ** 30, "debug"]);
    again({ memory_limit: "1GB", log_level: "debug", port: "9999" });
    expect(events[1]).to.include({ event: "config.reloaded" }).and.deep.include({ changed: [], needsRestart: ["port"] });
    again({});
    expect(events[2]).to.deep.equal({ event: "config.reloaded", changed: ["log_level", "memory_limit"], needsRestart: [] });
    expect(levels).to.deep.equal(["debug", "info"]);
  });

  it("is told to the role also when nothing has changed, and leaves a level that was set meanwhile", () => {
    const { again, applied, levels } = begin();
    again({});
    expect([applied.length, levels.length]).to.deep.equal([1, 0]);
  });

  it("keeps the configuration in force when the new one cannot be used", () => {
    const { reload, again, events, applied } = begin();
    reload(() => { throw new BquerydError("CONFIG", "unknown key 'x'"); });
    expect(events).to.deep.equal([{ event: "config.refused", code: "CONFIG", message: "unknown key 'x'; until then the configuration in force stays" }]);
    expect(applied).to.deep.equal([]);
    again({ memory_limit: "1GB" });
    expect(applied).to.have.length(1);
  });
});
