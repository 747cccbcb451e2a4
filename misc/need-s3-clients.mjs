/**
 * `node misc/need-s3-clients.mjs`: sees that there are s3cmd and rclone, which judge the S3 server of the tests. Where one
 * is missing root has apt install it; others are told to, with exit code 69.
 */
import { spawnSync } from "node:child_process";

const installMs = 300_000;
const programs = ["s3cmd", "rclone"];

process.exitCode = areThere() || install() ? 0 : 69;
if (process.exitCode !== 0) process.stderr.write(`the tests need ${programs.join(" and ")}; install them: apt-get install ${programs.join(" ")}\n`);

function areThere() {
  return programs.every((program) => spawnSync("which", [program], { stdio: "ignore" }).status === 0);
}

function install() {
  if (process.geteuid?.() !== 0) return false;
  const options = { stdio: "ignore", timeout: installMs, env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };
  const install = ["install", "--yes", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", ...programs];
  if (spawnSync("apt-get", install, options).status !== 0) {
    spawnSync("apt-get", ["update"], options);
    spawnSync("apt-get", install, options);
  }
  return areThere();
}
