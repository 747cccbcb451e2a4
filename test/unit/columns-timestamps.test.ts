import { expect } from "chai";
import { describe, it } from "mocha";
import { formatTimestamp, parseTimestamp } from "../../lib/columns/moments.js";

describe("timestamps as text", () => {
  it("show as many digits of a second as needed", () => {
    expect(formatTimestamp(0n)).to.equal("1970-01-01T00:00:00Z");
    expect(formatTimestamp(1n)).to.equal("1970-01-01T00:00:00.000000001Z");
    expect(formatTimestamp(-1n)).to.equal("1969-12-31T23:59:59.999999999Z");
    expect(formatTimestamp(1_500_000_000_120_000_000n)).to.equal("2017-07-14T02:40:00.12Z");
    expect(formatTimestamp(1_000_000n)).to.equal("1970-01-01T00:00:00.001Z");
  });

  it("read back what they show, at the ends of int64 too", () => {
    for (const value of [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 951_782_400_000_000_000n]) expect(parseTimestamp(formatTimestamp(value))).to.equal(value);
  });

  it("refuse what is no date", () => {
    for (const text of ["", "2016", "2016-13-01", "2015-02-29", "2016-04-31", "2016-01-01T24:00:00", "2016-01-01T10:60", "2016-01-01T10:00:61", "01/02/2016", "2016-04-00"]) {
      expect(parseTimestamp(text), text).to.equal(undefined);
    }
  });

  it("reach beyond int64, as an open end of a range may", () => {
    expect(parseTimestamp("9999-12-31")! > 2n ** 63n - 1n).to.equal(true);
    expect(parseTimestamp("1600-01-01")! < -(2n ** 63n)).to.equal(true);
  });

  it("take zones of less than a day", () => {
    for (const zone of ["+99:99", "+24:00", "-24", "+00:60", "-0099"]) expect(parseTimestamp(`2020-01-01T00:00:00${zone}`), zone).to.equal(undefined);
    expect(parseTimestamp("1970-01-01T23:59:00+23:59")).to.equal(0n);
    expect(parseTimestamp("1970-01-01 00:00 UTC")).to.equal(0n);
    expect(parseTimestamp("1970-01-01T01:30:00+01:30")).to.equal(0n);
    expect(parseTimestamp("1969-12-31T19:00:00-0500")).to.equal(0n);
  });
});
