/**
 * `node misc/need-redis.mjs`: sees that there is a redis-server, which the tests start for themselves. Where it is missing
 * root has apt install it; others are told to, with exit code 69.
 */
import { spawnSync } from "node:child_process";

const installMs = 300_000;

process.exitCode = isThere() || install() ? 0 : 69;
if (process.exitCode !== 0) process.stderr.write("the tests need redis-server; install it: apt-get install redis-server\n");

function isThere() {
  return spawnSync("redis-server", ["--version"], { stdio: "ignore" }).status === 0;
}

function install() {
  if (process.geteuid?.() !== 0) return false;
  // In that run level the service that comes with it is not started: the tests start their own servers.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const options = { stdio: "ignore", timeout: installMs, env };
  const install = ["install", "--yes", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", "redis-server"];
  if (spawnSync("apt-get", install, options).status !== 0) {
    spawnSync("apt-get", ["update"], options);
    spawnSync("apt-get", install, options);
  }
  return isThere();
}
