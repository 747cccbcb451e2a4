import { expect } from "chai";
import { describe, it } from "mocha";
import { limits } from "../../lib/base/limits.js";
import { negate } from "../../lib/engine/expressions/negate.js";
import type { Condition } from "../../lib/engine/expressions/tree.js";
import { parseWhere, writeWhere } from "../../lib/engine/query/where.js";
import { failureOf } from "../support/failure.js";

const a = { kind: "column", name: "a" } as const;
const b = { kind: "column", name: "b" } as const;

function compare(op: Extract<Condition, { kind: "compare" }>["op"], ...values: (number | string)[]): Condition {
  return { kind: "compare", operand: a, op, values };
}

describe("where lists", () => {
  const forms: readonly (readonly [string, unknown, Condition | null])[] = [
    ["none", [], null],
    ["one term", [["a", "==", 5]], compare("==", 5)],
    ["other spellings", [["a", " EQ ", 5], ["a", "nin", [1]]], { kind: "and", parts: [compare("==", 5), compare("not in", 1)] }],
    ["a list of one value", [["a", "<", [5]]], compare("<", 5)],
    ["a set", [["a", "in", new Set([1, 2])]], compare("in", 1, 2)],
    ["between", [["a", "between", [1, 5]]], { kind: "and", parts: [compare(">=", 1), compare("<=", 5)] }],
    ["not between", [["a", "NOT  between", [1, 5]]], { kind: "or", parts: [compare("<", 1), compare(">", 5)] }],
    ["like", [["a", "like", "x%"]], { kind: "like", operand: a, pattern: "x%", negate: false }],
    ["null tests of two elements, or with null", [["a", "is null"], ["a", "is not null", null]], { kind: "and", parts: [{ kind: "null", operand: a, negate: false }, { kind: "null", operand: a, negate: true }] }],
    ["or of and", [{ or: [["a", "<", 1], { and: [["a", ">", 5], ["a", "!=", 7]] }] }], { kind: "or", parts: [compare("<", 1), { kind: "and", parts: [compare(">", 5), compare("!=", 7)] }] }],
    ["and in and is one", [["a", "<", 1], { and: [["a", ">", 5]] }], { kind: "and", parts: [compare("<", 1), compare(">", 5)] }],
    ["not of a term", [{ not: ["a", "<", 1] }], compare(">=", 1)],
    ["not of a list", [{ not: [["a", "<", 1], ["a", "in", [2]]] }], { kind: "or", parts: [compare(">=", 1), compare("not in", 2)] }],
    ["not of not", [{ not: { not: ["a", "like", "x"] } }], { kind: "like", operand: a, pattern: "x", negate: false }],
    ["an expression", [[{ expr: "a" }, ">", 5]], compare(">", 5)],
    ["a column as value", [["a", ">", { expr: "b" }]], { kind: "relate", left: a, op: ">", right: b }],
    ["a literal as expression", [["a", ">", { expr: "5" }]], compare(">", 5)],
    ["text among terms", [["a", ">", 5], "a < 9"], { kind: "and", parts: [compare(">", 5), compare("<", 9)] }],
  ];
  for (const [name, list, condition] of forms) {
    it(`take ${name}`, () => {
      expect(parseWhere(list)).to.deep.equal(condition);
      expect(parseWhere(writeWhere(parseWhere(list)))).to.deep.equal(condition);
    });
  }

  it("negation goes to the leaves, and twice is nothing", () => {
    const condition = parseWhere([{ or: [["a", "<=", 1], ["a", "not in", [2, 3]], { and: [["a", "is null"], ["a", "not like", "%"], ["a", "==", { expr: "b" }]] }] }])!;
    expect(negate(condition)).to.deep.equal(parseWhere([["a", ">", 1], ["a", "in", [2, 3]], { or: [["a", "is not null"], ["a", "like", "%"], ["a", "!=", { expr: "b" }]] }]));
    expect(negate(negate(condition))).to.deep.equal(condition);
  });

  const wrong: readonly (readonly [unknown, string])[] = [
    ["x >", "expected"], [5, "where is 5; give a list"], [[5], "where term 5 does not read as [column, op, value]"], [[["a"]], 'where term ["a"] does not read'], [[["a", "=="]], "does not read as"], [[["", "==", 1]], "does not start with a column name"],
    [[["a", "=~", 1]], "where op \"=~\" on column 'a' is unknown; use one of =="], [[["a", "==", null]], "use 'is null'"], [[["a", "==", NaN]], "NaN is compared"], [[["a", "==", new Date(Number.NaN)]], "a Date of no time is compared with"], [[["a", "in", []]], "an empty list"], [[["a", "in", 5]], "takes a list"],
    [[["a", "between", [1]]], "takes a list of two values"], [[["a", "between", [1, null]]], "use 'is null'"], [[["a", "like", 5]], "takes a text in which %"], [[["a", "like", "x\\"]], "a lone backslash"], [[["a", "like", "\\\\\\"]], "a lone backslash"],
    [[["a", "is null", 5]], "takes no value"], [[{ nor: [] }], "is neither {or: [...]}"], [[{ or: [], and: [] }], "is neither"], [[{ or: 5 }], "give a list of terms"], [[{ not: 5 }], "does not read"], [[[{ expr: "a +" }, "==", 1]], "expected"],
    [{ or: [["a", "==", 1], ["b", "==", 2]] }, "give a list of terms: [{or: [...]}]"], [[{ or: ["a", "==", "ATL"] }], 'give a list of terms: {or: [["a","==","ATL"]]}'], [[{ and: [{ expr: "a + 1" }, "in", [2]] }], "'and' has the one term"],
    [[["a", "in", new Array(limits.inListMax + 1).fill(1)]], "the limit is 1000000"], [[["a", "like", "x".repeat(limits.patternMax + 1)]], "the limit is 10000"], [new Array(1_001).fill(["a", "==", 1]), "the limit is 1000"],
    [[{ or: new Array(600).fill(["a", "==", 1]) }, { or: new Array(600).fill(["a", "==", 1]) }], "more than 1000 terms"], [[nested(101)], "nested more than 100 deep"],
  ];
  for (const [list, words] of wrong) {
    it(`refuse ${(JSON.stringify(list) ?? "").slice(0, 60)}: ${words}`, async () => {
      const error = await failureOf(() => parseWhere(list));
      expect(error.code).to.equal("BAD_QUERY");
      expect(error.message).to.include(words);
    });
  }

  it("take like patterns that end in an escaped backslash", () => {
    expect(parseWhere([["a", "like", "x\\\\"]])).to.deep.include({ pattern: "x\\\\" });
  });
});

function nested(depth: number): unknown {
  return depth === 0 ? ["a", "==", 1] : { not: nested(depth - 1) };
}
