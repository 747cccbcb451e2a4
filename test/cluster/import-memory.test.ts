import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { runFileCases } from "../support/files/cases.js";
import { importMemoryCases } from "../support/files/import-memory.js";

describe("the memory of an import", function () {
  this.timeout(240_000);

  it("stays below 1 GB, whatever is imported", async () => {
    const folder = mkdtempSync(join(tmpdir(), "bqueryd-import-memory-"));
    try {
      expect(await runFileCases(importMemoryCases, { folder, count: 1, seed: freshSeed() })).to.equal(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
