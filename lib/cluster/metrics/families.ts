/** Metrics as plain data: what a process counts, under the names that Prometheus and the dashboard know. */

/** A number, and what it is of: a value for each label of its family. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** How often something took how long, under labels. Every count is of its own bucket alone. */
export interface TimesSample {
  readonly labels: Readonly<Record<string, string>>;
  /** Of each bucket of `timeBucketsMs`, and last of what took longer. */
  readonly counts: readonly number[];
  readonly sumMs: number;
}

/** A metric: its values are read when somebody asks. */
export type MetricFamily = {
  /** `bqueryd_...`, with the unit, and `_total` of what only grows. */
  readonly name: string;
  /** A sentence without full stop. */
  readonly help: string;
  readonly labels: readonly string[];
} & (
  | { readonly kind: "counter" | "gauge"; read(): readonly Sample[] }
  /** In seconds. */
  | { readonly kind: "times"; read(): readonly TimesSample[] }
);

/** What is told of a process over HTTP. */
export interface Observed {
  readonly families: readonly MetricFamily[];
  /** Why the process cannot do its work now, as a phrase; undefined when it can. */
  findObstacle(): string | undefined;
}

/** The upper ends of the buckets of times, included, ms. */
export const timeBucketsMs: readonly number[] = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 120_000];

/** A number that only grows. */
export function counter(name: string, help: string, read: () => number): MetricFamily {
  return { name, help, labels: [], kind: "counter", read: () => [{ labels: {}, value: read() }] };
}

/** A number that goes up and down. */
export function gauge(name: string, help: string, read: () => number): MetricFamily {
  return { name, help, labels: [], kind: "gauge", read: () => [{ labels: {}, value: read() }] };
}

/** Numbers that only grow, one for each value of a label. */
export function counterBy(name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): MetricFamily {
  return { name, help, labels: [label], kind: "counter", read: () => samplesBy(label, read()) };
}

/** Numbers that go up and down, one for each value of a label. */
export function gaugeBy(name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): MetricFamily {
  return { name, help, labels: [label], kind: "gauge", read: () => samplesBy(label, read()) };
}

/** 1 for yes, 0 for no. */
export function flag(name: string, help: string, read: () => boolean): MetricFamily {
  return gauge(name, help, () => (read() ? 1 : 0));
}

function samplesBy(label: string, counts: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(counts).map(([value, count]) => ({ labels: { [label]: value }, value: count }));
}
