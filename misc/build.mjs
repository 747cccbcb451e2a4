// Builds dist/: the kernels by asc, everything else by tsc, and the library of schemas into one file. Output of sources that are gone is removed, and nothing else
// is, so that what runs from dist/ meanwhile goes on. Plain JavaScript: it runs before anything is compiled.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

function run(script, ...args) {
  const { status } = spawnSync(process.execPath, [join(root, "node_modules", script), ...args], { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

/** Removes compiled files whose source is gone: an old test would still run. */
function removeStale(folder) {
  for (const entry of readdirSync(join(root, "dist", folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    const source = path.replace(/\.(d\.ts|js|js\.map)$/, ".ts");
    if (entry.isDirectory()) removeStale(path);
    else if (source !== path && !existsSync(join(root, source))) rmSync(join(root, "dist", path));
  }
}

/** Puts what a compiled module imports from packages into it. One that has it all is left as it is: nobody reads half of it. */
function bundle(path) {
  const file = join(root, "dist", path);
  const { outputFiles: [{ contents }] } = buildSync({ entryPoints: [file], bundle: true, format: "esm", platform: "node", write: false, legalComments: "none" });
  if (readFileSync(file).equals(contents)) return;
  writeFileSync(`${file}.new`, contents);
  renameSync(`${file}.new`, file);
}

/** Whether a file of the output was made after every one of its sources, and of what else makes it what it is, was changed. */
function isUpToDate(output, ...sources) {
  const changedMs = (path) => statSync(join(root, path)).mtimeMs;
  const files = sources.flatMap((path) => statSync(join(root, path)).isDirectory() ? readdirSync(join(root, path)).map((name) => join(path, name)) : [path]);
  return existsSync(join(root, output)) && files.every((path) => changedMs(path) < changedMs(output));
}

if (!isUpToDate("dist/lib/kernels/kernels.wasm", "lib/kernels/assembly", "asconfig.json", "package-lock.json")) run("assemblyscript/bin/asc.js", "--target", "release");
run("typescript/bin/tsc");
removeStale(".");
bundle("lib/base/typebox.js");
chmodSync(join(root, "dist/bin/bqueryd.js"), 0o755);
