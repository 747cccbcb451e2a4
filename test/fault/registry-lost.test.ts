import { expect } from "chai";
import { describe, it } from "mocha";
import { breakRegistryUnderLoad, registryFaults } from "../support/registry-faults.js";

describe("a Redis server that fails under load", function registryLost() {
  this.timeout(120_000);

  it("killed, flushed or frozen: every answer is right, none is lost, and the registry is filled again", async () => {
    const { answers, wrong, failed, logged } = await breakRegistryUnderLoad({ faults: registryFaults, frozenMs: 1_000 });
    expect({ wrong, failed }).to.deep.equal({ wrong: [], failed: [] });
    expect(answers).to.be.greaterThan(20);
    expect(logged, "each loss is told once").to.deep.equal(["registry.lost", "registry.restored", "registry.lost", "registry.restored"]);
  });
});
