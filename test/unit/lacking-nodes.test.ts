import { expect } from "chai";
import { describe, it } from "mocha";
import { describeLackingNodes } from "../../lib/cluster/controller/tables/lacking-nodes.js";
import { holding, idOf, Scheduling, setHoldings } from "../support/scheduling.js";

describe("warnings of nodes that differ", () => {
  it("name a node that lacks shards of a set which another one has whole", () => {
    const core = new Scheduling();
    core.join(idOf("w1"), setHoldings("taxi", 4));
    core.join(idOf("w2"), setHoldings("taxi", 4).slice(0, 3));
    expect(describeLackingNodes(core.state)).to.deep.equal([
      `node node of ${idOf("w2")} lacks 1 of the 4 shards of taxi, all of which node of ${idOf("w1")} has; copy the set again to node of ${idOf("w2")}`,
    ]);
  });

  it("are not given of sets that are spread over nodes, of nodes without any of a set, and of tables", () => {
    const core = new Scheduling();
    const shards = setHoldings("taxi", 4);
    core.join(idOf("w1"), [...shards.slice(0, 2), ...setHoldings("bus", 2), holding("one.bcolz")]);
    core.join(idOf("w2"), shards.slice(2));
    expect(describeLackingNodes(core.state)).to.deep.equal([]);
  });
});
