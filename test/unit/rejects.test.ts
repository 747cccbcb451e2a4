import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { asidePath } from "../../lib/formats/export/aside.js";
import { openRejects } from "../../lib/formats/import/rejects.js";
import { failureOf } from "../support/failure.js";

describe("a file of rejects", () => {
  let folder = "";
  let file = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-rejects-"));
    file = join(folder, "rejects.csv");
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const linesOf = (input: string): string => `input,line,reason,text\n${input},1,wrong,x\n`;
  const openWith = async (input: string, replace: boolean): ReturnType<typeof openRejects> => {
    const rejects = await openRejects({ file, replace, strict: false });
    await rejects.add({ input, place: "line" }, [{ line: 1, reason: "wrong", text: "x" }]);
    return rejects;
  };

  it("holds those of one import, also when two are under way", async () => {
    const [a, b] = [await openWith("a", true), await openWith("b", true)];
    await a.stage();
    await b.stage();
    await a.publish();
    expect(readFileSync(file, "utf8")).to.equal(linesOf("a"));
    await a.close();
    await b.publish();
    expect(readFileSync(file, "utf8")).to.equal(linesOf("b"));
    await b.close();
    expect(readdirSync(folder)).to.deep.equal(["rejects.csv"]);
  });

  for (const replace of [false, true]) {
    it(`takes the place of nothing else that comes into being meanwhile, ${replace ? "with" : "without"} --replace, and is kept beside it`, async () => {
      const rejects = await openWith("a", replace);
      await rejects.stage();
      writeFileSync(file, "precious");
      const failure = await failureOf(() => rejects.publish());
      await rejects.close();
      expect(readFileSync(file, "utf8")).to.equal("precious");
      const [kept] = readdirSync(folder).filter((name) => name !== "rejects.csv");
      expect([failure.code, readFileSync(join(folder, kept!), "utf8")]).to.deep.equal(["EXISTS", linesOf("a")]);
      expect(failure.message).to.include(`the tables are stored, and the rejects in ${join(folder, kept!)}`);
    });
  }

  it("takes away what a killed import left", async () => {
    writeFileSync(asidePath(file).replace(/\.[0-9]+\.[0-9]+(\.[0-9a-f]{32})/, ".4999999.1$1"), "left");
    await (await openWith("a", false)).close();
    expect(readdirSync(folder)).to.deep.equal([]);
  });
});
