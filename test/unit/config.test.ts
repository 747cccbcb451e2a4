import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { configKeys } from "../../lib/base/config-keys.js";
import { configEnvironment, configFlags, formatSettings, listSettings, loadConfig, type ConfigSources } from "../../lib/base/config.js";
import { BquerydError } from "../../lib/base/errors.js";

describe("config", () => {
  let folder: string;
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "bqueryd-config-")); });
  afterEach(() => { rmSync(folder, { recursive: true }); });

  function file(name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  }

  function load(sources: Partial<ConfigSources> = {}) {
    return loadConfig({ flags: {}, env: { HOME: "/home/ada" }, machineFile: join(folder, "absent.cfg"), ...sources });
  }

  function failure(sources: Partial<ConfigSources>): string {
    try {
      load(sources);
    } catch (error) {
      if (error instanceof BquerydError) return `${error.code}: ${error.message}`;
      throw error;
    }
    throw new Error("the configuration was accepted");
  }

  it("without any source every key has its default", () => {
    const config = load();
    expect(config).to.include({
      cluster: "default", bind: "127.0.0.1", port: undefined, cacheMemoryBytes: 2 ** 30, partialCacheMemoryBytes: 2 ** 26, queryMemoryBytes: 2 ** 30,
      mergeMemoryBytes: 2 ** 31, answerMemoryBytes: 2 ** 26, heartbeatMs: 1_000, expiryMs: 5_000, attemptsMax: 3, timeoutMs: 120_000, keepGenerations: 2, logLevel: "info",
    });
    expect(config.controllers).to.deep.equal([]);
    expect(config.workers).to.be.at.least(1);
  });

  it("every fixed default is what its own text says", () => {
    for (const key of Object.values(configKeys)) {
      const computed = key.defaultValue({});
      const parsed = key.parse(key.defaultText);
      if (typeof computed === "number" && key.name !== "workers") expect(parsed, key.name).to.equal(computed);
    }
  });

  it("flags win over variables, those over the file of --config, that over the file of the machine", () => {
    const machineFile = file("machine.cfg", "cluster = machine\nnode = machine\nheartbeat = 2\nattempts_max = 7\n");
    const named = file("named.cfg", "; a comment\ncluster = named\nnode = named\nheartbeat=2.5\n");
    const env = { BQUERYD_CLUSTER: "variable", BQUERYD_NODE: "variable", OTHER: "x" };
    const config = load({ machineFile, file: named, env, flags: { cluster: "flag", node: undefined } });
    expect(config).to.include({ cluster: "flag", node: "variable", heartbeatMs: 2_500, attemptsMax: 7 });
  });

  it("flags may have hyphens or underscores", () => {
    expect(load({ flags: { "log-level": "debug" } }).logLevel).to.equal("debug");
    expect(load({ flags: { log_level: "debug" } }).logLevel).to.equal("debug");
  });

  it("sizes have units, durations are seconds, lists have commas, paths become absolute", () => {
    const config = load({ flags: { cache_memory: "512MB", query_memory: "1.5 gb", timeout: "0.25", data_dir: "data", controllers: "tcp://a:1, tcp://[::1]:2" } });
    expect(config).to.include({ cacheMemoryBytes: 512 * 2 ** 20, queryMemoryBytes: 1.5 * 2 ** 30, timeoutMs: 250, dataDir: resolve("data") });
    expect(config.controllers).to.deep.equal(["tcp://a:1", "tcp://[::1]:2"]);
  });

  it("code_modules are names of modules, never paths", () => {
    expect(load().codeModules).to.deep.equal([]);
    expect(load({ flags: { code_modules: "fs, node:path,fs/promises, @a/b" } }).codeModules).to.deep.equal(["fs", "path", "fs/promises", "@a/b"]);
    for (const modules of ["./fs", "../x", "/etc/x", "fs/../x", "fs,", "a b", "fs/promises/x", "C:\\x", "__proto__/../x", "data:text/javascript,x"]) {
      expect(failure({ flags: { code_modules: modules } }), modules).to.match(/^CONFIG: code_modules = .* cannot be used; give names of modules/);
    }
  });

  it("the registry is in the state folder of the user", () => {
    expect(load({ env: { XDG_STATE_HOME: "/state" } }).registryDir).to.equal("/state/bqueryd");
    const home = process.getuid?.() === 0 ? "/var/lib/bqueryd" : "/home/ada/.local/state/bqueryd";
    expect(load({ env: { HOME: "/home/ada", XDG_STATE_HOME: "relative" } }).registryDir).to.equal(home);
  });

  it("an unknown key names its source and the nearest key", () => {
    expect(failure({ env: { BQUERYD_HEARTBEET: "1" } })).to.equal("CONFIG: unknown key 'heartbeet' in BQUERYD_HEARTBEET; did you mean 'heartbeat'?");
    const path = file("a.cfg", "colour = red\n");
    expect(failure({ file: path })).to.equal(`CONFIG: unknown key 'colour' in ${path}; remove it, or see the keys with bqueryd --print-config`);
    expect(failure({ file: file("b.cfg", "__proto__x = 1\n") })).to.match(/unknown key '__proto__x'/);
  });

  it("the file of the original needs nothing but redis_url", () => {
    const path = file("bqueryd.cfg", "\n# Redis of all machines\nredis_url = redis://127.0.0.1:6379/0\n\n; the rest are defaults\n");
    expect(load({ file: path }).redisUrl).to.equal("redis://127.0.0.1:6379/0");
    expect(load({ file: path, env: { BQUERYD_REDIS_URL: "" } }).redisUrl, "set to nothing").to.equal("");
    expect(load({}).redisUrl).to.equal("");
  });

  it("redis_url is an address of Redis, and never shown with its password", () => {
    for (const url of ["redis://h", "redis://h:1/15", "rediss://:p%40ss@[::1]:6380", "redis://ada:x@h"]) expect(load({ flags: { redis_url: url } }).redisUrl).to.equal(url);
    for (const url of ["h:6379", "http://h", "redis://", "redis://:hunter2@h/db", "redis://:hunter2@h:0", "redis://:hunter2%@h", "redis://:hunter2@h/1?x=1"]) {
      expect(failure({ flags: { redis_url: url } }), url).to.match(/^CONFIG: redis_url in --redis-url cannot be used; give an address/).and.not.contain("hunter2");
    }
    const sources = { flags: { redis_url: "redis://ada:hunter2@h:1/2" }, env: {}, machineFile: "/nowhere" };
    expect(formatSettings(listSettings(sources))).to.contain("redis_url = redis://ada:***@h:1/2").and.not.contain("hunter2");
    expect(configFlags(loadConfig(sources)).join(" ")).to.not.contain("redis");
    expect(configEnvironment(loadConfig(sources))).to.include({ BQUERYD_REDIS_URL: "redis://ada:hunter2@h:1/2" });
    expect(configEnvironment(load({}))).to.include({ BQUERYD_REDIS_URL: "" });
  });

  it("azure_conn_string in an old file is a warning", () => {
    const warnings: string[] = [];
    const path = file("old.cfg", "azure_conn_string = secret\n");
    load({ file: path, onWarning: (sentence) => warnings.push(sentence) });
    expect(warnings).to.deep.equal([`azure_conn_string in ${path} is not used any more; remove it`]);
  });

  it("a value that cannot be used says where it stands and what is accepted", () => {
    expect(failure({ flags: { port: "99999" } })).to.equal("CONFIG: port = '99999' in --port cannot be used; give a port from 1 to 65535");
    const refused = { port: "0", cache_memory: "lots", query_memory: "-1", heartbeat: "1e3", attempts_max: "0", log_level: "loud", cluster: "a b", controllers: "localhost", data_dir: "", timeout: "" };
    for (const [name, text] of Object.entries(refused)) {
      expect(failure({ flags: { [name]: text } }), name).to.match(new RegExp(`^CONFIG: ${name} = '.*' in --.* cannot be used; give `));
    }
  });

  it("memory that does not fit one compute thread is refused, and so is an expiry below two heartbeats", () => {
    expect(failure({ flags: { cache_memory: "2GB", query_memory: "2GB" } })).to.match(/together are 4GB, more than 3584MB; lower one/);
    expect(failure({ flags: { heartbeat: "3" } })).to.match(/raise expiry or lower heartbeat/);
  });

  it("a file that cannot be read, or has sections, is refused by name", () => {
    expect(failure({ file: join(folder, "none.cfg") })).to.match(/^CONFIG: cannot read the configuration file .*none\.cfg: ENOENT[^;]*; name a readable file$/);
    expect(failure({ file: folder })).to.match(/^CONFIG: cannot read the configuration file .*EISDIR/);
    expect(failure({ file: file("s.cfg", "[main]\ncluster = a\n") })).to.match(/^CONFIG: cannot read 'main' in .*one 'key = value' a line/);
  });

  it("true and false are values, and a key without one is refused", () => {
    expect(load({ file: file("t.cfg", "insecure = true\n") }).insecure).to.equal(true);
    expect(load({ file: file("t.cfg", "insecure = TRUE\n"), flags: { insecure: "false" } }).insecure).to.equal(false);
    expect(failure({ file: file("t.cfg", "insecure\n") })).to.match(/^CONFIG: cannot read 'insecure' in .*one 'key = value' a line/);
    expect(failure({ flags: { insecure: "yes" } })).to.equal("CONFIG: insecure = 'yes' in --insecure cannot be used; give true or false");
  });

  it("addresses of controllers may name their public key", () => {
    const address = `tcp://a.example:14300/${"0f".repeat(32)}`;
    expect(load({ flags: { controllers: `${address},tcp://[::1]:1` } }).controllers).to.deep.equal([address, "tcp://[::1]:1"]);
    for (const text of [`${address}0`, `${address}/`, address.toUpperCase().replace("TCP", "tcp"), "tcp://a:1/", "tcp://a:1/secret"]) {
      expect(failure({ flags: { controllers: text } }), text).to.match(/^CONFIG: controllers = /);
    }
  });

  it("a host to advertise is a name or an address", () => {
    for (const text of ["db1.example", "10.0.0.7", "fe80::1", "[::1]"]) expect(load({ flags: { advertise: text } }).advertise).to.equal(text);
    for (const text of ["", "a b", "tcp://a", "a:1x", "a/b"]) expect(failure({ flags: { advertise: text } }), text).to.match(/^CONFIG: advertise = /);
    expect(load({}).advertise).to.equal(undefined);
  });

  it("the settings in force, with their sources, read back as a file that gives the same", () => {
    const sources = { flags: { data_dir: join(folder, "a;b#c"), port: "14301" }, env: { BQUERYD_CLUSTER: "c" }, machineFile: join(folder, "absent.cfg") };
    const text = formatSettings(listSettings(sources));
    expect(text).to.match(/^cluster = c +; BQUERYD_CLUSTER$/m).and.to.match(/^; controllers = +; not set|^; controllers = +; default$/m);
    expect(load({ file: file("printed.cfg", text) })).to.deep.equal(loadConfig(sources));
  });

  it("the flags of a configuration give another process the same one", () => {
    const config = load({ flags: { cache_memory: "300MB", heartbeat: "0.1", controllers: "tcp://a:1", data_dir: folder } });
    const flags = Object.fromEntries(configFlags(config).map((flag) => {
      const equals = flag.indexOf("=");
      return [flag.slice(2, equals), flag.slice(equals + 1)];
    }));
    expect(load({ flags, env: { BQUERYD_HEARTBEAT: "9" } })).to.deep.equal(config);
  });
});
