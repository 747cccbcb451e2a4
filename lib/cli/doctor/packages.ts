/** Whether the parts of this program that are not JavaScript can be loaded. Imports none of them before it is asked. */
import { failed, formatCheck, look, ok, type Check } from "./check.js";

/** As every INTERNAL. */
const unloadedExitCode = 70;

/** How each is loaded: by the file that owns it. */
const parts: readonly (readonly [name: string, load: () => Promise<unknown>])[] = [
  ["zeromq", () => import("../../wire/sockets.js")],
  ["lmdb", () => import("../../registry/embedded.js")],
  ["zstd", () => import("../../columns/encode/pack.js")],
  ["kernels", async () => (await import("../../kernels/kernels.js")).loadKernels(2 ** 20)],
];

/** A check that names the parts that load, and one for each that does not. */
export async function checkPackages(): Promise<readonly Check[]> {
  return look("packages", async () => {
    const tried = await Promise.allSettled(parts.map(([, load]) => load()));
    const broken = tried.flatMap((outcome, index) => (outcome.status === "fulfilled" ? [] : [failed("packages", `${parts[index]![0]} cannot be loaded: ${reasonOf(outcome.reason)}`, "install the packages again on this machine with npm ci, by the Node.js that runs them")]));
    return broken.length > 0 ? broken : [ok("packages", `${parts.map(([name]) => name).join(", ")} load`)];
  });
}

/** Writes on stderr why the program cannot be loaded, and returns the exit code: a broken package keeps `doctor` from telling. */
export async function reportUnloaded(cause: unknown): Promise<number> {
  const lines = (await checkPackages()).filter(({ verdict }) => verdict === "failed").map(formatCheck);
  process.stderr.write(`bqueryd: INTERNAL: the program cannot be loaded (${reasonOf(cause)}); install its packages again with npm ci\n${lines.map((line) => `${line}\n`).join("")}`);
  return unloadedExitCode;
}

/** The first line of what went wrong: loaders list every path they tried. */
function reasonOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split("\n", 1)[0]!;
}
