/** Which test files run together in one process. */

/** Files share a process: starting one takes longer than most of them. */
const sharedProcesses = 24;

/** Of files with their temp files on the disk, fewer are left. */
const diskProcesses = 4;

/** Files that take ten seconds and more, where most take less than two: each has a process of its own. */
const longFiles = [
  "cluster/readme", "cluster/bench", "cluster/import-processes", "cluster/import-memory", "cluster/export-processes", "cluster/up",
  "cluster/same-bytes", "cluster/demo", "cluster/rows", "cluster/operation", "cluster/keys", "cluster/query-memory", "cluster/examples", "cluster/switch", "cluster/original", "cluster/distribution", "cluster/processes", "cluster/two-workers", "cluster/worker",
  "fault/malformed", "fault/lost", "fault/stopped-reader", "simulation/simulation",
  "property/block-scan", "property/columns-chunks", "property/columns-crash", "property/columns-damage", "property/columns-faults", "property/columns-roundtrip",
  "property/csv-records", "property/engine-conditions", "property/export-roundtrip", "property/expressions", "property/random-queries",
  "property/three-parts", "unit/arrow-damage", "unit/cli", "unit/engine-baskets", "unit/engine-parts", "unit/engine-rows", "unit/export",
  "unit/formats-parquet-damage", "unit/formats-parquet-types", "unit/import", "unit/import-command", "unit/import-text", "unit/kernels-accumulate", "unit/measures-lists",
].map((name) => `/${name}.test.js`);

/** The folder of tests with files larger than memory should hold, and programs of their own that a folder in memory may refuse to run. */
const diskFolder = "/cluster/";

/** Whether the temp files of a group may be kept in memory: of small tests, files on a disk take half the time. */
export function fitsMemory(files: readonly string[]): boolean {
  return !files.some((file) => file.includes(diskFolder));
}

/** Groups of files in the order to run them: whatever takes long first, in the order above, so that the last ones to end are short. */
export function groupFiles(files: readonly string[]): readonly (readonly string[])[] {
  const sorted = [...files].sort();
  const long = longFiles.flatMap((name) => sorted.filter((file) => file.endsWith(name)));
  const short = sorted.filter((file) => !long.includes(file));
  const [onDisk, inMemory] = [short.filter((file) => !fitsMemory([file])), short.filter((file) => fitsMemory([file]))];
  return [...long.map((file) => [file]), ...deal(onDisk, diskProcesses), ...deal(inMemory, sharedProcesses)];
}

/** At most so many groups, as large as each other. */
function deal(files: readonly string[], groups: number): string[][] {
  return Array.from({ length: groups }, (_, place) => files.filter((_file, at) => at % groups === place)).filter((group) => group.length > 0);
}
