/** A cluster under load and deaths for minutes, and a page about it. */
import { formatTable } from "../../test/support/text-columns.js";
import { soak, type SoakReport } from "../../test/support/soak/soak.js";

/** So many minutes; ends at the first wrong answer. */
export async function checkSoak(minutes: number, seed: number): Promise<{ figures: Readonly<Record<string, unknown>>; miss: string | undefined }> {
  const report = await soak({ minutes, seed });
  process.stdout.write(formatReport(report));
  const { tally: { outcomes, slowestMs }, strikes, files, verdict } = report;
  return { figures: { minutes, outcomes, slowestMs: Math.round(slowestMs), latencies: percentilesOf(report), strikes, files }, miss: verdict };
}

function formatReport(report: SoakReport): string {
  const { minutes, tally, strikes, processes, files, verdict } = report;
  const counts = (of: Readonly<Record<string, number>>): string => Object.entries(of).map(([name, count]) => `${name} ${count}`).join(", ");
  const megabytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MB`;
  const lines = processes.map(({ name, early, late }) => {
    const of = (facts: typeof early): readonly string[] => (facts === undefined ? ["-", "-", "-"] : [megabytes(facts.residentBytes), `${facts.descriptors}`, `${facts.threads}`]);
    const [before, after] = [of(early), of(late)];
    return [name, ...before.flatMap((text, k) => [text, after[k] ?? "-"])];
  });
  const percentiles = Object.entries(percentilesOf(report)).map(([name, ms]) => `${name} ${ms} ms`).join(", ");
  return [
    `a soak of ${minutes} minutes`,
    `calls    ${counts(tally.outcomes)}`,
    `small    ${percentiles}; the slowest of all calls ${Math.round(tally.slowestMs)} ms`,
    `struck   ${counts(strikes)}`,
    `files    ${files.early} after the warm-up, ${files.late} at the end`,
    formatTable(["process", "memory", "at the end", "descriptors", "at the end", "threads", "at the end"], lines).trimEnd(),
    `verdict  ${verdict ?? "nothing wrong, nothing lost, nothing leaked"}`,
  ].join("\n") + "\n";
}

function percentilesOf({ tally: { latenciesMs } }: SoakReport): Record<string, number> {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  return Object.fromEntries([50, 90, 99].map((percent) => [`p${percent}`, Math.round((sorted[Math.floor(sorted.length * percent / 100)] ?? 0) * 10) / 10]));
}
