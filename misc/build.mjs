// Builds dist/: the kernels by asc, everything else by tsc. Output of sources that are gone is removed, and nothing else
// is, so that what runs from dist/ meanwhile goes on. Plain JavaScript: it runs before anything is compiled.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

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

run("assemblyscript/bin/asc.js", "--target", "release");
run("typescript/bin/tsc");
removeStale(".");
chmodSync(join(root, "dist/bin/bqueryd.js"), 0o755);
