import { expect } from "chai";
import { describe, it } from "mocha";
import { parseCondition, parseExpression } from "../../lib/engine/expressions/parse.js";
import { printCondition, printExpression } from "../../lib/engine/expressions/print.js";

function printed(text: string): string {
  return printExpression(parseExpression(text));
}

function condition(text: string): string {
  return printCondition(parseCondition(text));
}

describe("text of expressions", () => {
  const readings: [string, string][] = [
    ["a+b*c-d", '"a" + ("b" * "c") - "d"'],
    ["-a % 3 / -2", '(-"a") % 3 / -2'],
    ["(a + b) * c", '("a" + "b") * "c"'],
    ["a - -1", '"a" - -1'],
    ['"a b" || "c""d"', 'concat("a b", "c""d")'],
    ["Coalesce(a, 'it''s', NULL)", "coalesce(\"a\", 'it''s', NULL)"],
    ["1.5e3 + .5 + 1e999", "float(1500) + 0.5 + 1e999"],
    ["9007199254740993 + x'0aFF'", "9007199254740993 + x'0aff'"],
    ["case when a > 1 then 'x' else 'y' end", "CASE WHEN \"a\" > 1 THEN 'x' ELSE 'y' END"],
    ["CASE a WHEN 1 THEN 2 WHEN b THEN 3 END", 'CASE WHEN "a" == 1 THEN 2 WHEN "a" == "b" THEN 3 END'],
    ["a > 1", 'CASE WHEN "a" > 1 THEN TRUE WHEN "a" <= 1 THEN FALSE END'],
    ["DATE '2016-01-31' + 1", "date('2016-01-31') + 1"],
    ["date + timestamp", '"date" + "timestamp"'],
    ["+true", "TRUE"],
    ["größe * 2", '"größe" * 2'],
  ];
  for (const [text, expected] of readings) {
    it(`reads ${text}`, () => {
      expect(printed(text)).to.equal(expected);
    });
  }

  const conditions: [string, string][] = [
    ["a = 1 or b <> 2 and not c", '"a" == 1 OR ("b" != 2 AND "c" != TRUE)'],
    ["5 < a", '"a" > 5'],
    ["a between 1 and 2 and b", '"a" >= 1 AND "a" <= 2 AND "b" == TRUE'],
    ["a not between 1 and 2", '"a" < 1 OR "a" > 2'],
    ["a in (1, 2, NULL, b)", '"a" IN (1, 2) OR "a" == NULL OR "a" == "b"'],
    ["a NOT IN (1)", '"a" NOT IN (1)'],
    ["NOT (s LIKE 'x%' OR s IS NULL)", "\"s\" NOT LIKE 'x%' AND \"s\" IS NOT NULL"],
    ["t >= DATE '2016-01-31' AND a > 1.0", "\"t\" >= '2016-01-31' AND \"a\" > 1"],
    ["a + 1 = b", '("a" + 1) == "b"'],
    ["TRUE", "TRUE"],
    ["a AND (b AND c)", '"a" == TRUE AND "b" == TRUE AND "c" == TRUE'],
  ];
  for (const [text, expected] of conditions) {
    it(`reads the condition ${text}`, () => {
      expect(condition(text)).to.equal(expected);
    });
  }

  const wrong: [string, RegExp][] = [
    ["a + * b", /character 5: '\*' stands where a value is expected/],
    ["", /character 1: it ends where a value is expected/],
    ["a b", /character 3: 'b' stands where an operator or the end is expected/],
    ["(a", /character 3: it ends where '\)' is expected/],
    ["a and", /character 6: it ends/],
    ["'abc", /character 1: the text that begins here has no closing quote/],
    ['""', /character 1: the name that begins here is empty/],
    ["1.2.3", /character 1: this is not a number/],
    ["12abc", /character 1: this is not a number/],
    ["a ; b", /character 3: ';' means nothing here/],
    ["a ?\u{1f600}", /character 3: '\?' means nothing/],
    ["a && b", /character 3: '&' means nothing here; write and/],
    ["Cost $ > 3", /character 6: '\$' means nothing here; a name that has it stands in double quotes/],
    ["sum(a) > 3", /no function 'sum'; there are coalesce, .*, and what sums up rows is a measure/],
    ["rond(a)", /no function 'rond'; did you mean 'round'/],
    ["power(a)", /'power' has 1 arguments; it takes a number and an exponent/],
    ["select + 1 then", /'then' stands/],
    ["end", /a column of that name goes in double quotes/],
    ["a like b", /LIKE takes a text in single quotes/],
    ["a like 'x\\'", /lone backslash/],
    ["case a end", /character 8: 'end' stands where 'WHEN' is expected/],
    ["x'0'", /character 2|'x'/],
    ["(".repeat(1_000), /nested more than 100 deep/],
    [`${"- ".repeat(1_000)}a`, /nested more than 100 deep/],
    [`${"not ".repeat(1_000)}a`, /nested more than 100 deep/],
    [`a${" + a".repeat(2_000)}`, /more than 1000 operators/],
    ["a".repeat(1_000_001), /1000001 characters; the limit is 1000000/],
  ];
  for (const [text, message] of wrong) {
    it(`refuses ${text.length > 40 ? `${text.slice(0, 40)}...` : JSON.stringify(text)} and says where`, () => {
      expect(() => parseCondition(text)).to.throw(message).with.property("code", "BAD_QUERY");
    });
  }

  it("refuses text that comes to far more than it looks", () => {
    for (const text of [`${"(".repeat(40)}a > 1)${" = b)".repeat(39)}`, `${"(".repeat(30)}a > 1)${" is null)".repeat(29)}`, `${"(".repeat(20)}a > 1${") between b and c".repeat(20)}`]) {
      expect(() => parseCondition(text), text).to.throw(/more than 50000 parts/).with.property("code", "BAD_QUERY");
    }
  });

  it("takes a condition that is compared with true or false for itself or its negation", () => {
    expect(printCondition(parseCondition(`${"(".repeat(50)}a > 1${") = true".repeat(50)}`))).to.equal('"a" > 1');
    expect(printCondition(parseCondition("(a > 1) = false"))).to.equal('"a" <= 1');
    expect(printCondition(parseCondition("(a > 1) != true"))).to.equal('"a" <= 1');
  });

  it("prints sums and brackets of any length as text that parses again", () => {
    for (const text of [`a${" + a".repeat(490)}`, `a${" - b * c".repeat(240)}`, `${"(".repeat(90)}a${" * 2)".repeat(90)}`, `a - (b - (c - d))`]) {
      const once = printed(text);
      expect(printed(once), text).to.equal(once);
    }
    expect(printed("a - (b - c) - d")).to.equal('"a" - ("b" - "c") - "d"');
  });

  it("takes long chains of conditions and long lists", () => {
    expect(parseCondition(Array.from({ length: 900 }, (_, k) => `a = ${k}`).join(" or "))).to.have.property("parts").with.length(900);
    expect(parseCondition(`a in (${Array.from({ length: 50_000 }, (_, k) => k).join(",")})`)).to.have.property("values").with.length(50_000);
  });
});
