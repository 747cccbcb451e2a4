import { expect } from "chai";
import { describe, it } from "mocha";
import { formatDate, parseDate } from "../../lib/columns/moments.js";

describe("dates as text", () => {
  it("count from 1970-01-01", () => {
    for (const [days, text] of [[0, "1970-01-01"], [-1, "1969-12-31"], [11_016, "2000-02-29"], [19_782, "2024-02-29"], [-719_528, "0000-01-01"], [2_932_896, "9999-12-31"]] as const) {
      expect(formatDate(days)).to.equal(text);
      expect(parseDate(text)).to.equal(days);
    }
  });

  it("have a sign and six digits or more before year 0 and past 9999", () => {
    expect(formatDate(2_932_897)).to.equal("+010000-01-01");
    expect(formatDate(-719_529)).to.equal("-000001-12-31");
    expect(formatDate(2 ** 31 - 1)).to.equal("+5881580-07-11");
    expect(formatDate(-(2 ** 31))).to.equal("-5877641-06-23");
  });

  it("agree with the calendar of the machine and read back what they show", () => {
    for (let days = -100_000_000; days <= 100_000_000; days += 99_991) {
      const text = formatDate(days);
      expect(text).to.equal(new Date(days * 86_400_000).toISOString().slice(0, -14));
      expect(parseDate(text)).to.equal(days);
    }
    for (const days of [2 ** 31 - 1, -(2 ** 31), 2 ** 31 - 500]) expect(parseDate(formatDate(days))).to.equal(days);
  });

  it("know every day of four centuries", () => {
    for (let days = -10_957; days < 146_097 - 10_957; days++) expect(parseDate(formatDate(days))).to.equal(days);
  });

  it("refuse what is no date, or none that 32 bits hold", () => {
    for (const text of ["", "2016", "2016-1-1", "2016-13-01", "2016-00-01", "2016-01-00", "2015-02-29", "1900-02-29", "2016-04-31", "01/02/2016", "2016-01-01T00:00", "+5881580-07-12", "-5877641-06-22"]) {
      expect(parseDate(text), text).to.equal(undefined);
    }
  });
});
