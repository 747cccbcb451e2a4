/** The rules of the house as ESLint rules: which folder may import which, which file owns a package, what is documented. */
import { dirname, relative, resolve, sep } from "node:path";

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
  const target = relative("/", resolve("/", dirname(file), request)).split(sep).join("/");
  const from = layerOf(file);
  const to = layerOf(target);
  if (from === undefined || from === to) return undefined;
  if (to === undefined) return `lib/ imports ${target}, which is outside it`;
  const allowed = mayImport.get(from) ?? layers.slice(0, layers.indexOf(from));
  if (allowed.includes(to) && mayNotImport.get(from)?.includes(to) !== true) return undefined;
  return `${from} imports ${to}: the layers of the house do not allow it`;
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

const layering = {
  create(context) {
    const file = relative(context.cwd, context.filename).split(sep).join("/");
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
export const house = { rules: { layering, "documented-exports": documentedExports } };
