import { expect } from "chai";
import { describe, it } from "mocha";
import { fitsMemory, groupFiles } from "../../misc/test/groups.js";

describe("groups of test files", () => {
  const unit = Array.from({ length: 40 }, (_, at) => `/t/unit/${at}.test.js`);
  const long = ["/t/cluster/readme.test.js", "/t/cluster/bench.test.js", "/t/fault/malformed.test.js", "/t/unit/cli.test.js"];
  const onDisk = ["/t/cluster/a.test.js", "/t/cluster/b.test.js"];

  it("hold every file once, whatever takes long first and alone", () => {
    const groups = groupFiles([...unit, ...onDisk, ...long]);
    expect(groups.slice(0, long.length)).to.deep.equal(long.map((file) => [file]));
    expect(groups.flat().sort()).to.deep.equal([...unit, ...onDisk, ...long].sort());
    expect(Math.max(...groups.map((group) => group.length))).to.be.below(unit.length / 2);
  });

  it("have their temp files on the disk where they are large", () => {
    expect(fitsMemory(["/t/unit/a.test.js", "/t/property/b.test.js"])).to.equal(true);
    expect(fitsMemory(["/t/cluster/a.test.js"])).to.equal(false);
    const groups = groupFiles([...unit, ...Array.from({ length: 20 }, (_, at) => `/t/cluster/${at}.test.js`)]);
    for (const group of groups) expect(group.filter((file) => file.includes("/cluster/")).length).to.be.oneOf([0, group.length]);
    expect(groups.filter((group) => !fitsMemory(group)).length).to.be.within(1, 10);
  });

  it("are never empty", () => {
    expect(groupFiles(["/t/unit/a.test.js"])).to.deep.equal([["/t/unit/a.test.js"]]);
    expect(groupFiles([])).to.deep.equal([]);
  });
});
