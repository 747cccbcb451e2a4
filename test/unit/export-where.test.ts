import { expect } from "chai";
import { describe, it } from "mocha";
import { parseWhereFlag } from "../../lib/cli/where-flags.js";
import type { WhereColumn } from "../../lib/cli/where-flags.js";
import type { Dtype } from "../../lib/columns/dtypes.js";
import { parseWhere } from "../../lib/engine/query/where.js";
import { failureOf } from "../support/failure.js";

const columns: readonly WhereColumn[] = ([
  ["a", "int64"], ["a b", "int64"], ["a > b", "int64"], ["Cost Total $", "float64"], ["x=y", "string"], ["in", "int64"], ["min", "int64"], ["a not", "int64"], ['say "x"', "int64"], [" padded", "int64"],
  ["zip", "string"], ["day", "date"], ["at", "timestamp"], ["flag", "bool"], ["raw", "bytes"], ["u", "uint64"], ["😀", "int8"], ["[x]", "int8"], ["", "int8"], ["__proto__", "int8"],
] as const).map(([name, dtype]) => ({ name, dtype: dtype satisfies Dtype }));

describe("--where as text", () => {
  const cases: readonly (readonly [string, readonly unknown[]])[] = [
    // Names: the longest that is followed by a comparison.
    ["a > 5", ["a", ">", 5n]], ["a>5", ["a", ">", 5n]], ["  a   >   5  ", ["a", ">", 5n]], ["a b == 7", ["a b", "==", 7n]], ["a > b > 5", ["a > b", ">", 5n]], ["a > b", ["a", ">", "b"]],
    ['"a > b" > 5', ["a > b", ">", 5n]], ['"a">5', ["a", ">", 5n]], ["Cost Total $ > 100000", ["Cost Total $", ">", 100_000n]], ["Cost Total $<=.5", ["Cost Total $", "<=", 0.5]],
    ["x=y = z", ["x=y", "==", "z"]], ["x=y=z", ["x=y", "==", "z"]], ['"say ""x""" != 1', ['say "x"', "!=", 1n]], ['say "x" != 1', ['say "x"', "!=", 1n]], [" padded = 1", [" padded", "==", 1n]],
    ["😀 < 1", ["😀", "<", 1n]], ["__proto__ = 1", ["__proto__", "==", 1n]], ["[x] = 1", ["[x]", "==", 1n]], ["in in (1)", ["in", "in", [1n]]], ["min in (1)", ["min", "in", [1n]]], ["min not in (1)", ["min", "not in", [1n]]],
    ["a not in (1)", ["a not", "in", [1n]]], ["a not not in (1)", ["a not", "not in", [1n]]],
    // Comparisons.
    ["a = 1", ["a", "==", 1n]], ["a <> 1", ["a", "!=", 1n]], ["a >= -1", ["a", ">=", -1n]], ["a=-1", ["a", "==", -1n]], ["a IN (1, 2)", ["a", "in", [1n, 2n]]], ["a in [1,2]", ["a", "in", [1n, 2n]]],
    ["a NOT  IN(1)", ["a", "not in", [1n]]], ["zip in (1, 'a, b', x y, \"q\\\"t\", ')')", ["zip", "in", ["1", "a, b", "x y", 'q"t', ")"]]], ["zip in ['a''b']", ["zip", "in", ["a'b"]]], ["a in ()", ["a", "in", []]],
    // Values by the dtype of their column.
    ["zip == 02134", ["zip", "==", "02134"]], ["zip == '02134'", ["zip", "==", "02134"]], ["zip == ''", ["zip", "==", ""]], ["zip == it is > that", ["zip", "==", "it is > that"]], ["zip == salt and pepper", ["zip", "==", "salt and pepper"]], ["zip == 'x and a > 5'", ["zip", "==", "x and a > 5"]], ["zip == 'null'", ["zip", "==", "null"]],
    ["zip == \"tab\\t\"", ["zip", "==", "tab\t"]], ["zip == 'two''s'", ["zip", "==", "two's"]], ["day >= 2024-01-31", ["day", ">=", "2024-01-31"]], ["at < 2024-01-31 10:00:00", ["at", "<", "2024-01-31 10:00:00"]],
    ["flag = true", ["flag", "==", true]], ["flag != FALSE", ["flag", "!=", false]], ["raw == \\xff00", ["raw", "==", "\\xff00"]], ["u == 18446744073709551615", ["u", "==", 2n ** 64n - 1n]], ["u == 1e3", ["u", "==", 1_000]],
    ["Cost Total $ < inf", ["Cost Total $", "<", Infinity]], ["Cost Total $ > -Infinity", ["Cost Total $", ">", -Infinity]], ["a == +7", ["a", "==", 7n]], ["a == 9007199254740993", ["a", "==", 9_007_199_254_740_993n]],
    ["a == '5'", ["a", "==", "5"]], ["a == five", ["a", "==", "five"]],
    // Words.
    ["zip like '02%'", ["zip", "like", "02%"]], ["zip NOT  LIKE \"_x\"", ["zip", "not like", "_x"]], ["zip like 02 %", ["zip", "like", "02 %"]], ["a is null", ["a", "is null"]], ["a IS  NOT NULL ", ["a", "is not null"]],
    ["a between 1 and 5", ["a", "between", [1n, 5n]]], ["u not between -1 AND +5", ["u", "not between", [-1n, 5n]]], ["zip between 'a and b' and 'c'", ["zip", "between", ["a and b", "c"]]], ["zip between a and b and c", ["zip", "between", ["a", "b and c"]]],
    ["day between 2024-01-01 and 2024-12-31", ["day", "between", ["2024-01-01", "2024-12-31"]]], ["a not is null", ["a not", "is null"]], ["x=y is null", ["x=y", "is null"]], ["in is not null", ["in", "is not null"]],
  ];
  for (const [text, term] of cases) {
    it(`${JSON.stringify(text)} is ${JSON.stringify(term, (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value))}`, () => {
      expect(parseWhereFlag(text, columns)).to.deep.equal([term]);
    });
  }

  it("JSON is taken as groupby takes it, one term or many, whole numbers in all their digits", () => {
    expect(parseWhereFlag('[["a", ">", 5], ["zip", "in", ["x", "12345678901234567890"]]]', columns)).to.deep.equal([["a", ">", 5], ["zip", "in", ["x", "12345678901234567890"]]]);
    expect(parseWhereFlag(' ["u", "==", 18446744073709551615]', columns)).to.deep.equal([["u", "==", 2n ** 64n - 1n]]);
    expect(parseWhereFlag('[["a", "==", -1.5e300]]', columns)).to.deep.equal([["a", "==", -1.5e300]]);
    expect(parseWhereFlag('{"or": [["a", "is null"], "a > 5"]}', columns)).to.deep.equal([{ or: [["a", "is null"], "a > 5"] }]);
    expect(parseWhereFlag('[{"expr": "a + 1"}, ">", 5]', columns)).to.deep.equal([[{ expr: "a + 1" }, ">", 5]]);
  });

  const wrong: readonly (readonly [string, string, string])[] = [
    ["", "USAGE", "is no condition; write 'a > 5'"], ["a", "USAGE", "is no condition"], ["a >", "USAGE", "is no condition"], ["> 5", "USAGE", "is no condition"], ["a like", "USAGE", "is no condition"], ["a is nil", "USAGE", "is no condition"], ["a is null x", "USAGE", "is no condition"],
    ["zip like 'x", "USAGE", "a quote that does not close"], ["a between 1", "USAGE", "no two values after 'between'"], ["a between 1 and", "USAGE", "no two values"], ["a between 1 and 'x' y", "USAGE", "no two values"], ["u not between and 5", "USAGE", "no two values"],
    ["zap like 'x'", "UNKNOWN_COLUMN", "did you mean 'zip'?"], ["zap is null", "UNKNOWN_COLUMN", "did you mean 'zip'?"],
    ["zap == 5", "UNKNOWN_COLUMN", "did you mean 'zip'?"], ['"Cost > Totl $" > 5', "UNKNOWN_COLUMN", "did you mean 'Cost Total $'?"], ["nothing alike > 5", "UNKNOWN_COLUMN", "the columns are a, a b, "], ["zippy in (1)", "UNKNOWN_COLUMN", "did you mean 'zip'?"],
    ["a == null", "USAGE", "which nothing equals"], ["a in (1, NULL)", "USAGE", "which nothing equals"], ["a === 5", "USAGE", "compares in a way that is unknown"], ["a => 5", "USAGE", "compares in a way that is unknown"], ["a =< 5", "USAGE", "compares in a way that is unknown"],
    ["zip == 'x", "USAGE", "a quote that does not close"], ["zip == 'x' and a > 5", "USAGE", "give --where again"], ["a > 5 and a b < 7", "USAGE", "give --where again"], ["a > 5 or zip in (1)", "USAGE", "there is no or"], ["zip == 'x' y", "USAGE", "use --where again"], ["a in 5", "USAGE", "no list after 'in'"], ["a in (1", "USAGE", "no list after 'in'"], ["a in (1,)", "USAGE", "no list after 'in'"],
    ["min not in (1) and a > 5", "USAGE", "give --where again"], ["min not in (1) 5", "USAGE", "no list after 'not in'"], ["a in (1, (2))", "USAGE", "no list after 'in'"], ["[", "USAGE", "is not sound JSON"], ["[[\"a\", \">\", 5]", "USAGE", "is not sound JSON"],
  ];
  for (const [text, code, words] of wrong) {
    it(`${JSON.stringify(text)} is ${code}: ${words}`, async () => {
      const error = await failureOf(() => parseWhereFlag(text, columns));
      expect(error.code).to.equal(code);
      expect(error.message).to.include(text).and.include(words);
    });
  }

  it("what it gives is what queries take", () => {
    expect(parseWhere([...parseWhereFlag("a in (1, 2)", columns), ...parseWhereFlag("Cost Total $ < inf", columns)])).to.deep.equal({
      kind: "and",
      parts: [
        { kind: "compare", operand: { kind: "column", name: "a" }, op: "in", values: [1, 2] },
        { kind: "compare", operand: { kind: "column", name: "Cost Total $" }, op: "<", values: [Infinity] },
      ],
    });
  });

  it("a long text of quotes and blanks is refused in no time", async () => {
    for (const text of [`a == ${"'".repeat(50_001)}`, `zip in (${"'a',".repeat(20_000)}`, `"${'""'.repeat(50_000)}`, `${" ".repeat(50_000)}x`, `a${" ".repeat(50_000)}`, `zap${" ".repeat(50_000)}y`, `a between 1${" ".repeat(50_000)}`, `a not${" ".repeat(50_000)}`, `a is${" ".repeat(50_000)}not${" ".repeat(50_000)}x`, `zip between '${" and ".repeat(20_000)}`]) await failureOf(() => parseWhereFlag(text, columns));
  }).timeout(2_000);
});
