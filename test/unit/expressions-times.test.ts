import { expect } from "chai";
import { describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { formatTimestamp, parseDate, parseTimestamp } from "../../lib/columns/moments.js";
import { parseExpression } from "../../lib/engine/expressions/parse.js";
import { openEvaluation } from "../../lib/engine/result/evaluation.js";
import { isWholes } from "../../lib/engine/values.js";
import { whole } from "../support/random/draw.js";

const secondNs = 1_000_000_000n;
const zones = ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"];

/** The whole numbers that an expression over `t` gives, for times or days. */
function compute(text: string, times: readonly bigint[], dtype: "timestamp" | "date" = "timestamp"): bigint[] {
  const { values, isNull } = openEvaluation([{ name: "t", values: { dtype, array: BigInt64Array.from(times) }, isNull: null }], times.length).compute(parseExpression(text));
  if (!("dtype" in values) || values.dtype === "list" || !isWholes(values)) throw new Error(`${text} gives no whole numbers`);
  expect(isNull).to.equal(null);
  return [...values.array];
}

function ns(text: string): bigint {
  return parseTimestamp(text)!;
}

function texts(text: string, ...times: string[]): string[] {
  return compute(text, times.map(ns)).map(formatTimestamp);
}

interface Local {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly offset: string;
}

function createLocal(zone: string): (time: bigint) => Local {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric", timeZoneName: "longOffset" });
  return (time) => {
    const parts = new Map(format.formatToParts(Number(time / 1_000_000n)).map(({ type, value }) => [type, value]));
    const [year, month, day, hour, minute, second] = (["year", "month", "day", "hour", "minute", "second"] as const).map((type) => Number(parts.get(type)));
    return { year: year!, month: month!, day: day!, hour: hour!, minute: minute!, second: second!, offset: parts.get("timeZoneName")! };
  };
}

/** The bucket of each unit, as text; hours and less are told apart by their offset. */
const labels: Readonly<Record<string, (local: Local) => string>> = {
  second: (at) => `${labels.minute!(at)} ${at.second}`,
  minute: (at) => `${labels.day!(at)} ${at.hour} ${at.minute} ${at.offset}`,
  hour: (at) => `${labels.day!(at)} ${at.hour} ${at.offset}`,
  day: ({ year, month, day }) => `${year} ${month} ${day}`,
  week: ({ year, month, day }) => String(Math.floor((Date.UTC(year, month - 1, day) / 86_400_000 + 3) / 7)),
  month: ({ year, month }) => `${year} ${month}`,
  quarter: ({ year, month }) => `${year} ${Math.ceil(month / 3)}`,
  year: ({ year }) => String(year),
};

describe("times in expressions", () => {
  for (const zone of zones) {
    it(`a bucket in ${zone} begins with the first instant of its local time, from 1900 to 2100`, () => {
      const random = seededRandom(20_160_229);
      const local = createLocal(zone);
      // Around changes of the clocks too: most lie in these months, on a Sunday.
      const times = Array.from({ length: 500 }, (_, k) => k % 2 === 0
        ? BigInt(whole(random, -2_208_988_800, 4_102_444_800)) * secondNs
        : BigInt(Date.UTC(whole(random, 1970, 2040), [2, 3, 9, 10][whole(random, 0, 3)] ?? 9, whole(random, 1, 31), whole(random, 0, 23), whole(random, 0, 59)) / 1_000) * secondNs);
      for (const [unit, label] of Object.entries(labels)) {
        const starts = compute(`date_trunc('${unit}', t, '${zone}')`, times);
        starts.forEach((start, row) => {
          const time = times[row]!;
          const what = `${unit} of ${formatTimestamp(time)} is ${formatTimestamp(start)}`;
          expect(start <= time, what).to.equal(true);
          expect(label(local(start)), what).to.equal(label(local(time)));
          expect(label(local(start - secondNs)), what).to.not.equal(label(local(time)));
        });
      }
    }).timeout(20_000);

    it(`parts in ${zone} are those of its local time`, () => {
      const random = seededRandom(7);
      const local = createLocal(zone);
      const times = Array.from({ length: 400 }, () => BigInt(whole(random, -2_208_988_800, 4_102_444_800)) * secondNs);
      for (const part of ["year", "month", "day", "hour", "minute", "second"] as const) {
        expect(compute(`${part}(t, '${zone}')`, times), part).to.deep.equal(times.map((time) => BigInt(local(time)[part])));
      }
    });
  }

  it("a day of 23 or 25 hours is one bucket, and the hour that occurs twice is two", () => {
    expect(texts("date_trunc('day', t, 'Europe/Paris')", "2016-03-26T23:00:00Z", "2016-03-27T21:59:59Z", "2016-03-27T22:00:00Z", "2016-10-29T22:00:00Z", "2016-10-30T22:59:59Z"))
      .to.deep.equal(["2016-03-26T23:00:00Z", "2016-03-26T23:00:00Z", "2016-03-27T22:00:00Z", "2016-10-29T22:00:00Z", "2016-10-29T22:00:00Z"]);
    expect(texts("date_trunc('hour', t, 'Europe/Paris')", "2016-10-30T00:30:00Z", "2016-10-30T01:30:00Z")).to.deep.equal(["2016-10-30T00:00:00Z", "2016-10-30T01:00:00Z"]);
    expect(texts("time_bucket('6 hours', t, 'America/New_York')", "2016-11-06T05:30:00Z", "2016-11-06T06:30:00Z", "2016-11-06T10:59:59Z", "2016-11-06T11:00:00Z"))
      .to.deep.equal(["2016-11-06T04:00:00Z", "2016-11-06T04:00:00Z", "2016-11-06T04:00:00Z", "2016-11-06T11:00:00Z"]);
  });

  it("where clocks change by half an hour, a bucket begins with the change if that is later", () => {
    // On 2016-04-03 at 15:00 UTC local time went from 02:00 back to 01:30, on 2016-10-01 at 15:30 UTC from 02:00 to 02:30.
    expect(texts("date_trunc('hour', t, 'Australia/Lord_Howe')", "2016-04-02T14:59:59Z", "2016-04-02T15:00:00Z", "2016-10-01T15:29:59Z", "2016-10-01T15:45:00Z"))
      .to.deep.equal(["2016-04-02T14:00:00Z", "2016-04-02T15:00:00Z", "2016-10-01T14:30:00Z", "2016-10-01T15:30:00Z"]);
  });

  it("buckets of several units are counted from 2000, weeks from its first Monday", () => {
    expect(texts("time_bucket('15 minutes', t)", "2016-02-29T12:44:59.999999999Z")).to.deep.equal(["2016-02-29T12:30:00Z"]);
    expect(texts("time_bucket('15 minutes', t, 'Asia/Kathmandu')", "2016-02-29T12:44:59Z")).to.deep.equal(["2016-02-29T12:30:00Z"]);
    expect(texts("time_bucket('2 weeks', t)", "2000-01-02T00:00:00Z", "2000-01-16T23:00:00Z", "2000-01-17T00:00:00Z")).to.deep.equal(["1999-12-20T00:00:00Z", "2000-01-03T00:00:00Z", "2000-01-17T00:00:00Z"]);
    expect(texts("time_bucket('5 months', t)", "2000-05-31T00:00:00Z", "2000-06-01T00:00:00Z", "1999-12-31T00:00:00Z")).to.deep.equal(["2000-01-01T00:00:00Z", "2000-06-01T00:00:00Z", "1999-08-01T00:00:00Z"]);
    expect(texts("time_bucket('10 years', t)", "1999-01-01T00:00:00Z")).to.deep.equal(["1990-01-01T00:00:00Z"]);
  });

  it("dates stay dates in days and longer, and are instants in hours", () => {
    const days = ["2016-02-29", "1969-12-31", "-004000-05-06"].map((text) => BigInt(parseDate(text)!));
    expect(compute("date_trunc('month', t)", days, "date")).to.deep.equal(["2016-02-01", "1969-12-01", "-004000-05-01"].map((text) => BigInt(parseDate(text)!)));
    expect(compute("date_trunc('week', t)", days.slice(0, 2), "date")).to.deep.equal(["2016-02-29", "1969-12-29"].map((text) => BigInt(parseDate(text)!)));
    expect(compute("date_trunc('hour', t)", days.slice(0, 1), "date").map(formatTimestamp)).to.deep.equal(["2016-02-29T00:00:00Z"]);
    expect(compute("year(t) * 10000 + month(t) * 100 + day(t)", days, "date")).to.deep.equal([20_160_229n, 19_691_231n, -39_999_494n]);
  });

  it("ISO weeks belong to the year of their Thursday, weekdays count from Sunday or Monday", () => {
    const days = ["2015-12-31", "2016-01-03", "2016-01-04", "2020-12-31", "2021-01-03"].map((text) => BigInt(parseDate(text)!));
    expect(compute("week(t)", days, "date")).to.deep.equal([53n, 53n, 1n, 53n, 53n]);
    expect(compute("dayofweek(t)", days, "date")).to.deep.equal([4n, 0n, 1n, 4n, 0n]);
    expect(compute("isodow(t)", days, "date")).to.deep.equal([4n, 7n, 1n, 4n, 7n]);
    expect(compute("dayofyear(t)", days, "date")).to.deep.equal([365n, 3n, 4n, 366n, 3n]);
    expect(compute("quarter(t)", days, "date")).to.deep.equal([4n, 1n, 1n, 4n, 1n]);
  });

  it("parts and buckets in a zone are right beside the last time there is", () => {
    const times = [2n ** 63n - 1n, 1_467_374_400_000_000_000n];
    expect(compute("hour(t, 'America/New_York')", times)).to.deep.equal([19n, 8n]);
    expect(compute("date_trunc('day', t, 'America/New_York')", times.slice(1))).to.deep.equal([1_467_345_600_000_000_000n]);
    expect(compute("hour(t, 'Europe/Paris')", [9_167_688_000_000_000_000n, 1_467_374_400_000_000_000n, 1_579_089_600_000_000_000n])).to.deep.equal([14n, 14n, 13n]);
  });

  it("an unknown zone, unit or width is BAD_QUERY that names it", () => {
    expect(() => compute("date_trunc('day', t, 'Europe/Pariss')", [0n])).to.throw(/time zone 'Europe\/Pariss'/).with.property("code", "BAD_QUERY");
    expect(() => compute("date_trunc('fortnight', t)", [0n])).to.throw(/no unit 'fortnight'/).with.property("code", "BAD_QUERY");
    expect(() => compute("time_bucket('0 days', t)", [0n])).to.throw(/no width '0 days'/).with.property("code", "BAD_QUERY");
    expect(() => compute("time_bucket('999999999 years', t)", [0n])).to.throw(/1,000 years/).with.property("code", "BAD_QUERY");
    expect(() => compute("year(1)", [0n])).to.throw(/is int64 and is no time/).with.property("code", "DTYPE_MISMATCH");
  });

  it("a bucket that would begin before all timestamps is OVERFLOW", () => {
    expect(() => compute("date_trunc('year', t)", [-(2n ** 63n)])).to.throw(/does not fit timestamp/).with.property("code", "OVERFLOW");
    expect(() => compute("date_trunc('day', t, 'Asia/Kathmandu')", [2n ** 63n - 1n])).to.throw(/does not fit timestamp/).with.property("code", "OVERFLOW");
    for (const text of ["date_trunc('week', t)", "date_trunc('month', t)", "date_trunc('year', t)", "time_bucket('7 days', t)"]) {
      expect(() => compute(text, [-(2n ** 31n)], "date"), text).to.throw(/does not fit date/).with.property("code", "OVERFLOW");
      expect(compute(text, [-(2n ** 31n) + 400n], "date"), text).to.have.length(1);
    }
  });

  it("are null beside a null that is added, as beside one that is subtracted", () => {
    for (const [text, dtype] of [["t + null", "timestamp"], ["null + t", "timestamp"], ["t + null", "date"], ["null + t", "date"], ["t - null", "int64"], ["null - t", "int64"]] as const) {
      const column = dtype === "int64" ? "timestamp" : dtype;
      const { values, isNull } = openEvaluation([{ name: "t", values: { dtype: column, array: BigInt64Array.of(1n, 2n) }, isNull: null }], 2).compute(parseExpression(text));
      expect([values.dtype, isNull], text).to.deep.equal([dtype, Uint8Array.of(1, 1)]);
    }
  });
});
