import { expect } from "chai";
import { describe, it } from "mocha";
import { dtypes } from "../../lib/columns/dtypes.js";
import { dtypeOfKinds, inferColumn, isUndecided, kinds, kindsOf, kindsOfDtype, widenColumn } from "../../lib/formats/values/infer.js";
import { parseDate, parseTimestamp } from "../../lib/columns/moments.js";

const kindsOfAll = (texts: readonly string[]): number => texts.reduce((seen, text) => seen | kindsOf(text), 0);

/** The dtype of a column of these values. */
function dtypeOf(...texts: readonly string[]): string {
  return dtypeOfKinds(kindsOfAll(texts));
}

const inferred = ["bool", "int64", "uint64", "float64", "date", "timestamp", "string"] as const;

describe("inferring dtypes from texts", () => {
  it("whole numbers are int64, or uint64 where they need it, or else text", () => {
    expect(dtypeOf("0", "-1", "9223372036854775807", "-9223372036854775808")).to.equal("int64");
    expect(dtypeOf("1", "9223372036854775808", "18446744073709551615")).to.equal("uint64");
    expect(dtypeOf("-1", "9223372036854775808")).to.equal("string");
    expect(dtypeOf("18446744073709551616")).to.equal("string");
    expect(dtypeOf("-9223372036854775809")).to.equal("string");
    for (const text of ["007", "00", "-01", "+1", "1_000", "0x10", "1,000", "", "-", "１"]) expect(dtypeOf(text), text).to.equal("string");
  });

  it("whole numbers among floats make float64 only where each is exactly a float64", () => {
    expect(dtypeOf("1", "1.5")).to.equal("float64");
    expect(dtypeOf("9007199254740992", "1.5", "18446744073709549568")).to.equal("float64");
    expect(dtypeOf("9007199254740994", "1.5")).to.equal("float64");
    expect(dtypeOf("9007199254740993", "1.5")).to.equal("string");
  });

  it("so do those past uint64 and below int64, however long, and alone they are text", () => {
    const huge = ["18446744073709551616", "-9223372036854777856", String(2n ** 1023n), `-${2n ** 1023n}`];
    for (const text of huge) {
      expect([dtypeOf(text, "1.5"), dtypeOf(text, "7", "NaN"), dtypeOf(text), dtypeOf(text, "7")], text).to.deep.equal(["float64", "float64", "string", "string"]);
    }
    for (const text of ["150000000000000000001", "-9223372036854775809", String(2n ** 1024n), String(2n ** 80n + 1n), "1".repeat(400)]) expect(dtypeOf(text, "1.5"), text).to.equal("string");
  });

  it("whole numbers past uint64 and below int64 as JavaScript writes floats are float64 by themselves", () => {
    const floats = ["123456789012345680000", "-123456789012345680000", "18446744073709552000", "-9223372036854776000", "150000000000000000000", "999999999999999900000"];
    for (const text of floats) expect([dtypeOf(text), dtypeOf(text, "7"), dtypeOf(text, "7", "NaN"), dtypeOf(text, "9007199254740993")], text).to.deep.equal(["float64", "float64", "float64", "string"]);
    for (const text of ["123456789012345678901", "18446744073709552001", "1000000000000000000000", "-9223372036854775809"]) expect(dtypeOf(text), text).to.equal("string");
  });

  it("floats have a point or an exponent, and are finite", () => {
    for (const text of ["1.5", "-0.0", ".5", "5.", "1e5", "1E-5", "1.5e+300", "0e0"]) expect(dtypeOf(text), text).to.equal("float64");
    for (const text of [".", "1e", "1e+", "e5", "00.5", "+1.5", "1.5.2", "1e400", "1.5f", "--1.5", "1e5.5"]) expect(dtypeOf(text), text).to.equal("string");
  });

  it("NaN and infinities are numbers among numbers, and text by themselves", () => {
    expect(dtypeOf("1.5", "NaN", "-Infinity", "inf")).to.equal("float64");
    expect(dtypeOf("1", "nan")).to.equal("float64");
    expect(dtypeOf("9007199254740993", "nan")).to.equal("string");
    expect(dtypeOf("NaN", "inf")).to.equal("string");
    expect(dtypeOf("true", "NaN")).to.equal("string");
  });

  it("bools are spelled in three ways", () => {
    expect(dtypeOf("true", "False", "TRUE")).to.equal("bool");
    expect(dtypeOf("true", "1")).to.equal("string");
    expect(dtypeOf("tRUE")).to.equal("string");
  });

  it("dates and timestamps make timestamps where the dates are in range", () => {
    expect(dtypeOf("2024-02-29", "0001-01-01")).to.equal("date");
    expect(dtypeOf("2024-02-29", "2024-02-29T12:00")).to.equal("timestamp");
    expect(dtypeOf("0001-01-01", "2024-02-29T12:00")).to.equal("string");
    expect(dtypeOf("2024-02-29", "1")).to.equal("string");
    for (const text of ["2023-02-29", "2024-13-01", "2024-00-01", "2024-1-1", "24-01-01", "2024-01-01T25:00", "2024-01-01T", "2024-01-01 10"]) expect(dtypeOf(text), text).to.equal("string");
  });

  it("blanks around a value that is no text do not count", () => {
    expect(dtypeOf(" 1", "2 ", "\t3\t")).to.equal("int64");
    expect(dtypeOf(" true ", " 2024-01-01".trim())).to.equal("string");
    expect(dtypeOf("   ")).to.equal("string");
  });

  it("nulls alone are text", () => {
    expect(dtypeOf()).to.equal("string");
  });

  it("a column is undecided while all that it has is null, NaN or a number too large, and a number or anything else decides it", () => {
    const isOpen = (...texts: readonly string[]): boolean => isUndecided(inferColumn("c", kindsOfAll(texts)));
    expect([isOpen(), isOpen("NaN"), isOpen("18446744073709551616", "1"), isOpen("-1", "9223372036854775808")]).to.deep.equal([true, true, true, true]);
    for (const texts of [["x"], ["1"], ["1.5"], ["true"], ["true", "1"], ["NaN", "true"], ["9007199254740993", "0.5"], ["2024-01-01"]]) expect(isOpen(...texts), texts.join(" ")).to.equal(false);
    expect(isUndecided({ name: "c", dtype: "string" })).to.equal(false);
  });

  it("values in any order make the same column", () => {
    const texts = ["1", "-1", "9223372036854775808", "18446744073709551616", "1.5", "NaN", "true", "2024-01-01", "2024-01-01T00:00", "x"];
    for (const a of texts) {
      for (const b of texts) {
        const added = [a, b].map(kindsOf).reduce(widenColumn, inferColumn("c", 0));
        expect(added, `${a} and ${b}`).to.deep.equal(inferColumn("c", kindsOfAll([b, a])));
      }
    }
  });

  it("a column whose dtype comes from elsewhere is widened as one of such values", () => {
    expect(widenColumn({ name: "c", dtype: "int8" }, kinds.float).dtype).to.equal("float64");
    expect(widenColumn({ name: "c", dtype: "date" }, kinds.timestamp).dtype).to.equal("timestamp");
    expect(widenColumn({ name: "c", dtype: "string" }, kinds.whole).dtype).to.equal("string");
  });

  it("widens to something else for every value that a dtype does not hold, until it is text", () => {
    for (const dtype of inferred) {
      if (dtype === "string") continue;
      for (const kind of Object.values(kinds)) {
        const { dtype: widened } = widenColumn({ name: "c", dtype }, kind);
        expect(inferred.indexOf(widened), `${dtype} and ${kind}`).to.be.at.least(0);
        if (kind === kinds.text) expect(widened).to.equal("string");
      }
    }
  });

  it("every dtype comes from some kind of value", () => {
    for (const dtype of dtypes) expect(kindsOfDtype(dtype)).to.be.greaterThan(0);
  });
});

describe("dates and timestamps as text", () => {
  it("days count from 1970, over all leap years", () => {
    expect(parseDate("1970-01-01", "strict")).to.equal(0);
    expect(parseDate("2000-02-29", "strict")).to.equal(11_016);
    expect(parseDate("1900-02-29", "strict")).to.equal(undefined);
    expect(parseDate("0000-01-01", "strict")).to.equal(-719_528);
    expect(parseDate("9999-12-31", "strict")).to.equal(2_932_896);
  });

  it("zones, fractions and the ends of the range are exact", () => {
    expect(parseTimestamp("1970-01-01T00:00:00.000000001Z", "strict")).to.equal(1n);
    expect(parseTimestamp("1970-01-01 01:00:00+01", "strict")).to.equal(0n);
    expect(parseTimestamp("1969-12-31 16:00 -0800", "strict")).to.equal(0n);
    expect(parseTimestamp("2262-04-11T23:47:16.854775807Z", "strict")).to.equal(2n ** 63n - 1n);
    expect(parseTimestamp("2262-04-11T23:47:16.854775808Z", "strict")).to.equal(undefined);
    expect(parseTimestamp("1677-09-21T00:12:43.145224192Z", "strict")).to.equal(-(2n ** 63n));
    expect(parseTimestamp("1677-09-21T00:12:43.145224191Z", "strict")).to.equal(undefined);
    expect(parseTimestamp("2024-01-01T00:00:60Z", "strict")).to.equal(undefined);
    expect(parseTimestamp("2024-01-01T00:00:00+24:00", "strict")).to.equal(undefined);
  });

  it("what reads a date anywhere is stricter than what reads one that was asked for", () => {
    for (const text of [" 2024-01-01", "+010000-01-01", "-000001-12-31"]) {
      expect(parseDate(text, "strict"), text).to.equal(undefined);
      expect(parseDate(text), text).to.not.equal(undefined);
    }
    for (const text of ["2024-01-01T00:00:00,5", "2024-01-01Z", "2024-01-01 00:00  Z"]) {
      expect(parseTimestamp(text, "strict"), text).to.equal(undefined);
      expect(parseTimestamp(text), text).to.not.equal(undefined);
    }
  });
});
