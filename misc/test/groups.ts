/** Which test files run together in one process. */

/** Files of small tests share a process: starting one takes longer than most of them. */
const sharedProcesses = 16;

/** Folders whose files start processes of their own and take long: each file has a process of its own, and they come first. */
const heavyFolders = ["/cluster/", "/fault/", "/property/"];

/** Groups of files in the order to run them: whatever takes long first, so that the last ones to end are short. */
export function groupFiles(files: readonly string[]): readonly (readonly string[])[] {
  const sorted = [...files].sort();
  const isHeavy = (file: string): boolean => heavyFolders.some((folder) => file.includes(folder));
  const light = sorted.filter((file) => !isHeavy(file));
  const shared = Array.from({ length: sharedProcesses }, (_, place) => light.filter((_file, at) => at % sharedProcesses === place));
  return [...sorted.filter(isHeavy).map((file) => [file]), ...shared].filter((group) => group.length > 0);
}
