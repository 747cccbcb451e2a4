/** The lines of progress that a command writes on stderr once it has run for a second. */

const amount = "[\\d.,]+(?: rows?| [kMGTP]?B)?";
const progressLines = new RegExp(`^(?:[^\\n:]+: )?${amount}(?: of ${amount})?(?: \\(\\d+ %\\))?(?:, ${amount}/s)?(?:, [^\\n]+ left)?(?:, [^\\n]+ \\d+ %)*(?: and \\d+ more)?\\n`, "gm");

/** What a process wrote on stderr but for its lines of progress: whether there are any depends on how busy the machine is. */
export function withoutProgress(stderr: string): string {
  return stderr.replace(progressLines, "");
}
