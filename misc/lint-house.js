/** The rules of the house as ESLint rules: which folder may import which, no circles of imports, which file owns a package, what is documented. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import ts from "typescript";

/** A folder imports only from itself and folders before it. */
const layers = [
  "base", "kernels", "columns", "formats", "engine", "sql", "wire", "registry", "objects", "transfer", "client", "cluster", "gateway", "cli", "index.ts",
];
/** Folders that may import less than their place allows. */
const mayImport = new Map([["wire", ["base"]], ["registry", ["base"]], ["objects", ["base"]]]);
const mayNotImport = new Map([["cluster", ["formats", "sql", "client"]]]);

/** A package with a side effect has one owner; no other file of lib/ imports it. */
const owners = new Map([
  ["zeromq", "lib/wire/"],
  ["lmdb", "lib/registry/"],
  ["@aws-sdk/client-s3", "lib/objects/s3/"],
  ["ioredis", "lib/registry/redis-link.ts"],
  ["pino", "lib/base/log.ts"],
  ["prom-client", "lib/cluster/metrics/exposition.ts"],
  ["ini", "lib/base/config.ts"],
  ["commander", "lib/cli/"],
  ["cli-progress", "lib/cli/"],
  ["hyparquet", "lib/formats/"],
  ["hyparquet-compressors", "lib/formats/"],
  ["hyparquet-writer", "lib/formats/"],
]);

/** The complaint about an import of `request` by `file` (both relative to the root), or undefined. Exported for its test. */
export function findViolation(file, request) {
  if (!request.startsWith(".")) return findForeignPackage(file, request);
  const target = targetOf(file, request);
  const from = layerOf(file);
  const to = layerOf(target);
  if (from === undefined || from === to) return undefined;
  if (to === undefined) return `lib/ imports ${target}, which is outside it`;
  const allowed = mayImport.get(from) ?? layers.slice(0, layers.indexOf(from));
  if (allowed.includes(to) && mayNotImport.get(from)?.includes(to) !== true) return undefined;
  return `${from} imports ${to}: the layers of the house do not allow it`;
}

/** What a relative request of a file names, relative to the root. */
function targetOf(file, request) {
  return toPath(relative("/", resolve("/", dirname(file), request)));
}

function toPath(path) {
  return path.split(sep).join("/");
}

function findForeignPackage(file, request) {
  const name = request.split("/").slice(0, request.startsWith("@") ? 2 : 1).join("/");
  const owner = owners.get(name);
  if (owner === undefined || !file.startsWith("lib/") || file.startsWith(owner)) return undefined;
  return `${name} is imported by ${owner} alone`;
}

function layerOf(path) {
  const [root, folder] = path.split("/");
  return root === "lib" ? folder.replace(/^index\.js$/, "index.ts") : undefined;
}

/** The shortest way by which a file imports itself, from it to it; undefined where there is none. Exported for its test. */
export function findCircle(file, importsOf) {
  const cameFrom = new Map();
  for (let reached = [file]; reached.length > 0;) {
    const next = [];
    for (const path of reached) {
      for (const target of importsOf(path)) {
        if (target === file) return [...wayTo(path, cameFrom), file];
        if (cameFrom.has(target)) continue;
        cameFrom.set(target, path);
        next.push(target);
      }
    }
    reached = next;
  }
  return undefined;
}

function wayTo(path, cameFrom) {
  const way = [path];
  while (cameFrom.has(way[0])) way.unshift(cameFrom.get(way[0]));
  return way;
}

/** The sources that a source imports, of types alone too, or passes on. Exported for its test. */
export function listImports(file, text) {
  const requests = ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName);
  return [...new Set(requests.filter((request) => request.startsWith(".")).map((request) => sourceOf(file, request)))];
}

function sourceOf(file, request) {
  return targetOf(file, request).replace(/\.js$/, ".ts");
}

/** Reads what files import, each once: a run of lint is over before they change. */
function readImports(root) {
  const known = new Map();
  return (file) => {
    const path = join(root, file);
    if (!known.has(file)) known.set(file, existsSync(path) ? listImports(file, readFileSync(path, "utf8")) : []);
    return known.get(file);
  };
}

const readersOf = new Map();

const noCircles = {
  create(context) {
    const file = toPath(relative(context.cwd, context.filename));
    if (!readersOf.has(context.cwd)) readersOf.set(context.cwd, readImports(context.cwd));
    return {
      Program(program) {
        const circle = findCircle(file, readersOf.get(context.cwd));
        if (circle === undefined) return;
        const node = program.body.find(({ source }) => source && sourceOf(file, String(source.value)) === circle[1]) ?? program;
        context.report({ node, message: `a circle of imports: ${circle.join(" -> ")}; give what they share a file of its own` });
      },
    };
  },
};

const layering = {
  create(context) {
    const file = toPath(relative(context.cwd, context.filename));
    function check(node) {
      const complaint = node.source === null ? undefined : findViolation(file, String(node.source.value));
      if (complaint !== undefined) context.report({ node, message: complaint });
    }
    return { ImportDeclaration: check, ExportNamedDeclaration: check, ExportAllDeclaration: check, ImportExpression: check };
  },
};

const documentedExports = {
  create(context) {
    return {
      ExportNamedDeclaration(node) {
        const kind = node.declaration?.type;
        // The type of a schema is documented with the schema.
        if (kind === undefined || kind === "TSTypeAliasDeclaration") return;
        const before = context.sourceCode.getCommentsBefore(node).at(-1);
        if (before?.type !== "Block" || !before.value.startsWith("*")) {
          context.report({ node, message: "an export has a doc comment whose first sentence says what it yields" });
        }
      },
    };
  },
};

/** The plugin of eslint.config.js. */
export const house = { rules: { layering, "no-circles": noCircles, "documented-exports": documentedExports } };
