import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { runRandomQueries } from "../support/random/run.js";
import { askThroughCluster } from "../support/random/through-cluster.js";

describe("random queries", function randomQueries() {
  this.timeout(180_000);

  it("over random shards equal DuckDB's answers, one in ten through a controller and two workers", async () => {
    const seed = freshSeed();
    const report = await runRandomQueries({ count: 20, seed, withCluster: askThroughCluster });
    expect(report.failure, `npm run check -- random --count 20 --seed ${seed}`).to.equal(undefined);
    expect(report).to.include({ queries: 20, throughCluster: 2, tables: 1 });
    expect(report.groups).to.be.greaterThan(0);
  });
});
