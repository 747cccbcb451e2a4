/** The text that Prometheus reads: our metrics beside those of the process. The only file that imports prom-client. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { timeBucketsMs, type MetricFamily, type Sample, type TimesSample } from "./families.js";

/** Metrics of this process in the text format of Prometheus. */
export interface Exposition {
  readonly contentType: string;
  /** Reads every metric now. */
  text(): Promise<string>;
}

/** How often the delay of the event loop is sampled: by default a hundred times a second, which an idle process feels. */
const loopSampleMs = 250;

/** An exposition of families, each with what Node tells of the process. */
export function createExposition(families: readonly MetricFamily[]): Exposition {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: loopSampleMs });
  for (const family of families) addFamily(registry, family);
  return { contentType: registry.contentType, text: () => registry.metrics() };
}

/** Values are set when they are read: nothing is counted twice, and nothing is done while nobody asks. */
function addFamily(registry: Registry, family: MetricFamily): void {
  const { name, help, labels } = family;
  const facts = { name, help, labelNames: [...labels], registers: [registry] };
  switch (family.kind) {
    case "gauge":
      new Gauge({ ...facts, collect() {
        this.reset();
        for (const sample of family.read()) this.set(sample.labels, sample.value);
      } });
      return;
    case "counter":
      new Counter({ ...facts, collect() {
        this.reset();
        for (const sample of family.read()) this.inc(sample.labels, sample.value);
      } });
      return;
    case "times": {
      const histogram = new Histogram({ ...facts, buckets: timeBucketsMs.map((endMs) => endMs / 1_000) });
      // What the registry asks a histogram for: this one is counted by plain numbers, and has observed nothing itself.
      Object.assign(histogram, { getForPromString: () => Promise.resolve({ name, help, type: "histogram", values: family.read().flatMap((sample) => bucketsOf(name, sample)) }) });
    }
  }
}

/** The lines of one histogram: the count up to each end, the sum and the count of all. */
function bucketsOf(name: string, { labels, counts, sumMs }: TimesSample): (Sample & { metricName: string })[] {
  let below = 0;
  const buckets = counts.map((count, index) => {
    below += count;
    const endMs = timeBucketsMs[index];
    return { metricName: `${name}_bucket`, labels: { le: endMs === undefined ? "+Inf" : String(endMs / 1_000), ...labels }, value: below };
  });
  return [...buckets, { metricName: `${name}_sum`, labels, value: sumMs / 1_000 }, { metricName: `${name}_count`, labels, value: below }];
}
