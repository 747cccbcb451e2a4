import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { describe, it } from "mocha";
import { s3Limits } from "../../lib/objects/s3/settings.js";
import { bytesSource } from "../../lib/objects/sources.js";
import { listAll, readAll, someBytes } from "../support/object-suite.js";
import { setStage, type Stage } from "../support/s3/stage.js";

/** What other programs need to judge the server, and us by it. */
interface Judged extends Stage {
  readonly folder: string;
  s3cmd(...args: string[]): Promise<string>;
  rclone(...args: string[]): Promise<string>;
}

const run = promisify(execFile);
const files: Readonly<Record<string, Uint8Array>> = {
  "one.txt": someBytes(10), "sub/a b+c&ü.bin": someBytes(70_000, 2), "sub/deeper/empty": new Uint8Array(), "large.bin": someBytes(6_000_000, 3),
};

/** Sent in two parts. */
const ours = someBytes(6_000_001, 4);

async function withJudges(work: (judged: Judged) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "bqueryd-judged-"));
  const stage = await setStage({ partBytesMin: 5 * 2 ** 20, pageKeysMax: 2, limits: { ...s3Limits, partBytes: 5 * 2 ** 20 } });
  const { accessKeyId, secretAccessKey } = stage.server.identity;
  const host = stage.server.url.slice("http://".length);
  const config = join(folder, "s3cfg");
  await writeFile(config, `[default]\naccess_key = ${accessKeyId}\nsecret_key = ${secretAccessKey}\nhost_base = ${host}\nhost_bucket = ${host}\nuse_https = False\nbucket_location = us-east-1\nsignature_v2 = False\nmax_retries = 1\n`);
  // No setting of the user counts.
  const env = {
    PATH: process.env["PATH"], TMPDIR: process.env["TMPDIR"], LANG: "C.UTF-8", HOME: folder, XDG_CACHE_HOME: folder, RCLONE_CONFIG: "/dev/null", RCLONE_CONFIG_T_TYPE: "s3", RCLONE_CONFIG_T_PROVIDER: "Other", RCLONE_CONFIG_T_ENDPOINT: stage.server.url,
    RCLONE_CONFIG_T_ACCESS_KEY_ID: accessKeyId, RCLONE_CONFIG_T_SECRET_ACCESS_KEY: secretAccessKey, RCLONE_CONFIG_T_REGION: "us-east-1",
    RCLONE_S3_CHUNK_SIZE: "5Mi", RCLONE_S3_UPLOAD_CUTOFF: "5Mi", RCLONE_RETRIES: "1", RCLONE_LOW_LEVEL_RETRIES: "1",
  };
  const options = { env, timeout: 60_000 };
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(join(folder, "tree", name, ".."), { recursive: true });
      await writeFile(join(folder, "tree", name), content);
    }
    await work({
      ...stage, folder,
      s3cmd: async (...args) => (await run("s3cmd", ["--config", config, "--no-progress", ...args], options)).stdout,
      rclone: async (...args) => (await run("rclone", args, options)).stdout,
    });
    // A copy of s3cmd asks for rights, and does without.
    expect(stage.server.requests.filter(({ operation, parameters }) => operation === "unknown" && !parameters.has("acl")).map(({ parameters }) => [...parameters.keys()])).to.deep.equal([]);
  } finally {
    await stage.close();
    await rm(folder, { recursive: true });
  }
}

async function expectTree(path: string): Promise<void> {
  const found = (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1));
  expect(found.sort()).to.deep.equal(Object.keys(files).sort());
  for (const [name, content] of Object.entries(files)) expect(Buffer.compare(await readFile(join(path, name)), content), name).to.equal(0);
}

describe("S3 server of the tests, judged by other programs", function () {
  this.timeout(120_000);

  it("s3cmd puts, lists, gets, copies, synchronises and deletes, and reads what we stored", () => withJudges(async ({ store, server, folder, s3cmd }) => {
    await s3cmd("sync", "--multipart-chunk-size-mb=5", `${folder}/tree/`, "s3://shelf/copy/");
    expect((await listAll(store, "copy/")).map(({ key }) => key)).to.have.members(Object.keys(files).map((name) => `copy/${name}`));
    for (const [name, content] of Object.entries(files)) expect(Buffer.compare(await readAll(store, `copy/${name}`), content), name).to.equal(0);
    expect(await s3cmd("ls", "s3://shelf/copy/")).to.include("copy/one.txt").and.include("copy/sub/");
    await store.write("copy/ours.bin", bytesSource(ours));
    await s3cmd("get", "s3://shelf/copy/ours.bin", join(folder, "ours.bin"));
    expect(Buffer.compare(await readFile(join(folder, "ours.bin")), ours)).to.equal(0);
    await s3cmd("del", "s3://shelf/copy/ours.bin");
    await s3cmd("sync", "s3://shelf/copy/", `${folder}/back/`);
    await expectTree(join(folder, "back"));
    await s3cmd("cp", "s3://shelf/copy/one.txt", "s3://shelf/two.txt");
    expect(await readAll(store, "two.txt")).to.deep.equal(files["one.txt"]);
    await s3cmd("del", "--recursive", "--force", "s3://shelf/copy/");
    expect((await listAll(store, "")).map(({ key }) => key)).to.deep.equal(["two.txt"]);
    const seen = new Set(server.requests.map(({ operation }) => operation));
    for (const operation of ["CreateMultipartUpload", "CompleteMultipartUpload", "DeleteObjects", "CopyObject", "ListObjects"]) expect([...seen]).to.include(operation);
  }));

  it("rclone copies, checks, synchronises and deletes, and reads what we stored", () => withJudges(async ({ store, server, folder, rclone }) => {
    await rclone("copy", join(folder, "tree"), "t:shelf/copy");
    for (const [name, content] of Object.entries(files)) expect(Buffer.compare(await readAll(store, `copy/${name}`), content), name).to.equal(0);
    await rclone("check", join(folder, "tree"), "t:shelf/copy");
    await store.write("copy/ours.bin", bytesSource(ours));
    expect(await rclone("lsf", "--recursive", "--files-only", "t:shelf/copy")).to.include("ours.bin\n").and.include("sub/a b+c&ü.bin\n");
    expect((await rclone("hashsum", "md5", "--download", "t:shelf/copy/ours.bin")).slice(0, 32)).to.equal(createHash("md5").update(ours).digest("hex"));
    await rclone("sync", join(folder, "tree"), "t:shelf/copy");
    expect(await store.head("copy/ours.bin")).to.equal(undefined);
    await rclone("copy", "t:shelf/copy", join(folder, "back"));
    await expectTree(join(folder, "back"));
    await rclone("delete", "t:shelf/copy");
    expect(await listAll(store, "")).to.deep.equal([]);
    expect([...new Set(server.requests.map(({ operation }) => operation))]).to.include("CompleteMultipartUpload");
  }));
});
