/** Whether this machine has what a daemon with this configuration needs. */
import { readFile, stat, statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import { configTexts, type Config } from "../../base/config.js";
import { formatSize } from "../../base/config-values.js";
import { toBquerydError } from "../../base/errors.js";
import { formatBytes, formatCount, formatCounted } from "../../base/quantities.js";
import { listBroken, scanHoldings } from "../../cluster/worker/holdings/holdings.js";
import { requireDataDir } from "../../cluster/worker/holdings/data-dir.js";
import { failed, look, ok, warning, type Check } from "./check.js";

/** As package.json says, and a test compares. */
const nodeVersions = { oldMajor: 20, oldMinor: 19, newMajor: 22, newMinor: 13 } as const;
/** What a worker takes besides the memory that is configured. */
const baseBytes = 150 * 2 ** 20;
const freeShareMin = 0.05;
const freeBytesMin = 64 * 2 ** 20;
/** A worker keeps up to 2,048 tables open, each of which is a few files. */
const openFilesMin = 8_192;
const brokenShown = 5;

/** Node.js, memory, open files, the data directory, disks and the key file. */
export async function checkMachine(config: Config): Promise<readonly Check[]> {
  const checks = [
    look("node", () => Promise.resolve([checkNode(process.versions.node)])),
    look("memory", () => Promise.resolve(checkMemory(config, memoryBytes()))),
    look("open files", async () => [checkOpenFiles(await readFile("/proc/self/limits", "utf8"))]),
    look("data_dir", () => checkTables(config.dataDir)),
    look("disk", async () => (await Promise.all([config.dataDir, config.registryDir].map(checkDisk))).flat()),
    look("key_file", async () => checkKeyFile(configTexts(config)["key_file"])),
  ];
  return (await Promise.all(checks)).flat();
}

/** Whether a version `20.19.0` of Node.js is one that this release runs on. */
export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const { oldMajor, oldMinor, newMajor, newMinor } = nodeVersions;
  const isServed = (major === oldMajor && minor >= oldMinor) || (major === newMajor && minor >= newMinor) || major > newMajor;
  if (isServed) return ok("node", `version ${version}`);
  return failed("node", `version ${version} is none that this release runs on`, `install ${oldMajor}.${oldMinor} or later, or ${newMajor}.${newMinor} or later`);
}

/** Whether the workers of `up` fit into the memory that there is, and one worker below its own limit. */
export function checkMemory({ workers, cacheMemoryBytes, queryMemoryBytes, partialCacheMemoryBytes, memoryLimitBytes }: Config, availableBytes: number): Check[] {
  const workerBytes = cacheMemoryBytes + queryMemoryBytes + partialCacheMemoryBytes + baseBytes;
  const all = `${formatCounted(workers, "worker")} of up may take ${formatBytes(workers * workerBytes)} of ${formatBytes(availableBytes)}`;
  const fits = workers * workerBytes <= availableBytes;
  const checks = [fits ? ok("memory", all) : warning("memory", all, "lower workers, cache_memory or query_memory, or the system may end them")];
  if (memoryLimitBytes === undefined || memoryLimitBytes >= workerBytes) return checks;
  return [...checks, warning("memory_limit", `${formatSize(memoryLimitBytes)} is less than the ${formatBytes(workerBytes)} that caches and a query of one worker may take`, "raise it, or lower cache_memory or query_memory")];
}

/** Given /proc/self/limits. */
export function checkOpenFiles(limits: string): Check {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  const count = soft === "unlimited" ? Infinity : Number(soft);
  const finding = `at most ${count === Infinity ? "any number" : formatCount(count)}`;
  return count >= openFilesMin ? ok("open files", finding) : warning("open files", finding, `raise the limit to ${formatCount(openFilesMin)} where workers hold many tables: ulimit -n, LimitNOFILE of systemd, minfds of supervisor`);
}

/** Whether the tables of a directory can be opened. */
export async function checkTables(dataDir: string): Promise<Check[]> {
  await requireDataDir(dataDir);
  const scan = await scanHoldings(dataDir, new Map());
  const broken = listBroken(scan);
  const whole = scan.size - broken.length;
  if (broken.length === 0) return [whole > 0 ? ok("data_dir", `${formatCounted(whole, "table")} in ${dataDir} can be opened`) : warning("data_dir", `there is no table in ${dataDir}`, "import one, or set data_dir to the directory of your tables")];
  const shown = broken.slice(0, brokenShown).map(({ name, message }) => failed("data_dir", `${name} cannot be opened: ${message.split("; ")[0]!}`, `look with bqueryd verify, and copy or import it again`));
  return broken.length <= brokenShown ? shown : [...shown, failed("data_dir", `${broken.length - brokenShown} more tables cannot be opened`, "look with bqueryd verify")];
}

/** Whether a key file is there and its owner's alone; nothing where none is configured. */
export async function checkKeyFile(path: string | undefined): Promise<Check[]> {
  if (path === undefined) return [];
  const facts = await stat(path).catch((cause: unknown) => {
    if (toBquerydError(cause).code !== "NOT_FOUND") throw cause;
  });
  if (facts === undefined) return [failed("key_file", `there is no ${path}`, `correct key_file, or make one: bqueryd keygen ${path}`)];
  const { mode, uid } = facts;
  const others = mode & 0o077;
  if (others !== 0) return [failed("key_file", `${path} has mode ${(mode & 0o777).toString(8)}, with which others than its owner can use it`, `chmod 600 ${path}`)];
  return [uid === process.getuid?.() ? ok("key_file", `${path} can be used by its owner alone`) : warning("key_file", `${path} belongs to another user`, "let the user that runs bqueryd own it")];
}

async function checkDisk(path: string): Promise<Check[]> {
  const facts = await statfs(path).catch((cause: unknown) => toBquerydError(cause, `look at ${path}`));
  // What is not there yet is told of elsewhere, where it matters.
  if ("code" in facts) return [];
  const [freeBytes, bytes] = [facts.bavail * facts.bsize, facts.blocks * facts.bsize];
  const finding = `${formatBytes(freeBytes)} of ${formatBytes(bytes)} are free at ${path}`;
  if (freeBytes < freeBytesMin) return [failed("disk", finding, "make room: nothing can be imported, and the registry cannot be written")];
  return [freeBytes >= freeShareMin * bytes ? ok("disk", finding) : warning("disk", finding, "make room")];
}

/** What this process and its kin may take: of the machine, or of the container it is in. */
function memoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
