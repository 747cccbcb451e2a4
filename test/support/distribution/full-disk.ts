/**
 * A distribution to three nodes, one of which has a disk too small for it: it fails with that reason, nobody's answers change,
 * and the space comes back. The small disk is a file system in memory, which only root can mount.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { seededRandom } from "../../../lib/base/clock.js";
import { BquerydError } from "../../../lib/base/errors.js";
import { anyInt64 } from "../random/draw.js";
import { writeTable } from "../write-table.js";
import { until } from "../until.js";
import { withDistribution, type DistributionStage } from "./stage.js";

/** Of which a downloader leaves 64 MiB free. */
const diskBytes = 70 * 2 ** 20;
/** Of 8 bytes each, drawn at random: more than the disk has room for. */
const rows = 1_000_000;
const waitSeconds = 60;
const freedWithinMs = 60_000;

/** What went otherwise; undefined where all went so. Throws where no disk can be mounted. */
export async function distributeToFullDisk(): Promise<string | undefined> {
  const disk = await mkdtemp(join(tmpdir(), "bqueryd-disk-"));
  await promisify(execFile)("mount", ["-t", "tmpfs", "-o", `size=${diskBytes}`, "tmpfs", disk]);
  try {
    return await withDistribution({ isOverRedis: false, isOverS3: false, nodes: ["a", "b", "c"], directories: new Map([["c", join(disk, "c")]]) }, (stage) => fillDisk(stage, disk));
  } finally {
    await promisify(execFile)("umount", [disk]);
    await rm(disk, { recursive: true });
  }
}

async function fillDisk({ folder, bucket, connect }: DistributionStage, disk: string): Promise<string | undefined> {
  const [rpc, random] = [await connect(), seededRandom(1)];
  const [small, large] = [join(folder, "small", "ones.bcolz"), join(folder, "large", "ones.bcolz")];
  for (const path of [small, large]) await mkdir(join(path, ".."));
  await writeTable(small, [{ name: "v", dtype: "int64", values: [1n, 2n, 3n] }]);
  await writeTable(large, [{ name: "v", dtype: "int64", values: Array.from({ length: rows }, () => anyInt64(random)) }]);
  await rpc.distribute([small], bucket, { wait: true, timeout: waitSeconds });
  const freeBytes = await findFreeBytes(disk);
  const failure = await rpc.distribute([large], bucket, { wait: true, timeout: waitSeconds }).then(() => undefined, (error: unknown) => error);
  if (!(failure instanceof BquerydError) || failure.code !== "TICKET_FAILED" || !/ on c: .*(?:free|full|room|space)/.test(failure.message)) return `it ended with ${String(failure)}`;
  const [row] = (await rpc.groupby("ones", [], [["v", "sum", "sum"]])).rows();
  if (Number(row!["sum"]) !== 6) return `the sum is ${String(row!["sum"])} after it`;
  await until("the space comes back", async () => await findFreeBytes(disk) >= freeBytes - 65_536, freedWithinMs);
  return undefined;
}

async function findFreeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
