// Completes package-lock.json. Some npm mirrors lack packages for other platforms; npm then leaves these optional
// packages out of the lockfile, and `npm ci` elsewhere fails with "Missing: ... from lock file". This adds an entry for
// every optional dependency that a locked package names. `--check` changes nothing and fails when an entry is missing
// or a registry host is named.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const path = fileURLToPath(new URL("../package-lock.json", import.meta.url));
const systems = ["aix", "android", "darwin", "freebsd", "linux", "openharmony", "openbsd", "sunos", "win32"];
const processors = ["arm64", "arm", "ia32", "loong64", "ppc64", "riscv64", "s390x", "wasm32", "x64"];

/** The lockfile's entries that are missing, by their path. */
export function findMissing(packages) {
  const missing = new Map();
  for (const [parent, { optionalDependencies = {}, dev }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (candidatesOf(parent, name).some((place) => place in packages)) continue;
      missing.set(`node_modules/${name}`, { version, ...(dev === true && { dev }), optional: true, ...platformOf(name) });
    }
  }
  return missing;
}

/** Where Node looks for a package from inside another, nearest first. */
function candidatesOf(parent, name) {
  const nested = `${parent === "" ? "" : `${parent}/`}node_modules/${name}`;
  const outer = parent.lastIndexOf("node_modules/");
  return outer <= 0 ? [nested, `node_modules/${name}`] : [nested, ...candidatesOf(parent.slice(0, outer - 1), name)];
}

/** The platform a package is for, by its name: `lmdb-linux-x64`, `binding-linux-arm-gnueabihf`. */
function platformOf(name) {
  const words = name.split(/[-/_]/);
  const os = systems.find((system) => words.includes(system));
  const cpu = processors.find((processor) => words.includes(processor));
  const libc = words.includes("musl") ? "musl" : words.some((word) => word.startsWith("gnu")) ? "glibc" : undefined;
  return { ...(cpu && { cpu: [cpu] }), ...(libc && os === "linux" && { libc: [libc] }), ...(os && { os: [os] }) };
}

function main(isCheck) {
  const lock = JSON.parse(readFileSync(path, "utf8"));
  const missing = findMissing(lock.packages);
  const hosted = Object.entries(lock.packages).filter(([, { resolved }]) => /^https?:/.test(resolved ?? "")).map(([place]) => place);
  if (isCheck) {
    for (const place of missing.keys()) console.error(`package-lock.json lacks ${place}; run: node misc/complete-lockfile.mjs`);
    for (const place of hosted) console.error(`package-lock.json names a registry host for ${place}; run: node misc/complete-lockfile.mjs`);
    process.exitCode = missing.size + hosted.length > 0 ? 1 : 0;
    return;
  }
  for (const place of hosted) delete lock.packages[place].resolved;
  const entries = Object.entries(lock.packages).concat([...missing]).sort(([a], [b]) => a.localeCompare(b, "en"));
  writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(entries) }, null, 2)}\n`);
  console.log(`${missing.size} entries added, ${hosted.length} hosts removed`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.includes("--check"));
