import { expect } from "chai";
import { describe, it } from "mocha";
import { groupFiles } from "../../misc/test/groups.js";

describe("groups of test files", () => {
  const unit = Array.from({ length: 40 }, (_, at) => `/t/unit/${at}.test.js`);
  const heavy = ["/t/cluster/a.test.js", "/t/fault/b.test.js", "/t/property/c.test.js"];

  it("hold every file once, whatever takes long first and alone", () => {
    const groups = groupFiles([...unit, ...heavy]);
    expect(groups.slice(0, 3)).to.deep.equal(heavy.map((file) => [file]));
    expect(groups.flat().sort()).to.deep.equal([...unit, ...heavy].sort());
    expect(Math.max(...groups.map((group) => group.length))).to.be.below(unit.length / 2);
  });

  it("are never empty", () => {
    expect(groupFiles(["/t/unit/a.test.js"])).to.deep.equal([["/t/unit/a.test.js"]]);
    expect(groupFiles([])).to.deep.equal([]);
  });
});
