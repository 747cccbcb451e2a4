import { expect } from "chai";
import { describe, it } from "mocha";
import { formatCall } from "../../examples/demo/call.js";
import { questions } from "../../examples/demo/questions.js";

describe("the call that the demo prints", () => {
  for (const { title, query } of questions) {
    it(`fits the line and says what is asked: ${title}`, () => {
      const call = formatCall(query, 78);
      for (const line of call.split("\n")) expect(line.length).to.be.at.most(78);
      const [, args] = /^rpc\.groupby\((.*)\)$/s.exec(call) ?? [];
      const { tables, keys, measures, where } = query;
      expect(JSON.parse(`[${args}]`)).to.deep.equal([tables, keys, measures, ...(where === undefined ? [] : [where])]);
    });
  }

  it("is one line where nothing limits it", () => {
    for (const { query } of questions) expect(formatCall(query, Infinity)).to.not.contain("\n");
  });
});
