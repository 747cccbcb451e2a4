/** What `doctor` finds: a line each, with what to do where something is to be done. */
import { toBquerydError } from "../../base/errors.js";
import { escapeUnprintable } from "../../base/text-width.js";

/** One thing that was looked at. */
export interface Check {
  readonly name: string;
  readonly verdict: "ok" | "warning" | "failed";
  /** A phrase without full stop. */
  readonly finding: string;
  /** What to do, of a warning and a failure. */
  readonly advice?: string;
}

/** All is well. */
export function ok(name: string, finding: string): Check {
  return { name, verdict: "ok", finding };
}

/** It works, and may not for long or not for all. */
export function warning(name: string, finding: string, advice: string): Check {
  return { name, verdict: "warning", finding, advice };
}

/** It does not work. */
export function failed(name: string, finding: string, advice: string): Check {
  return { name, verdict: "failed", finding, advice };
}

/** What looking yields; where looking itself fails, that is the finding: our messages say what to do after a semicolon. */
export async function look(name: string, looking: () => Promise<readonly Check[]>): Promise<readonly Check[]> {
  try {
    return await looking();
  } catch (cause) {
    const { code, message } = toBquerydError(cause, `check ${name}`);
    const [finding = message, ...advice] = message.split("; ");
    return [failed(name, `${code}: ${finding}`, advice.length === 0 ? "see the README" : advice.join("; "))];
  }
}

/** `warning  disk: 1.2 GB of 80 GB are free in /data; make room`. */
export function formatCheck({ name, verdict, finding, advice }: Check): string {
  return escapeUnprintable(`${verdict.padEnd(7)}  ${name}: ${finding}${advice === undefined ? "" : `; ${advice}`}`);
}
