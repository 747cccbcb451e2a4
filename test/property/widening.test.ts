import { expect } from "chai";
import { describe, it } from "mocha";
import { dtypes, type Dtype } from "../../lib/columns/dtypes.js";
import { widerDtype } from "../../lib/engine/widening.js";

describe("dtypes of shards that differ", () => {
  const join = (a: Dtype | undefined, b: Dtype | undefined): Dtype | undefined => (a === undefined || b === undefined ? undefined : widerDtype(a, b));

  it("widen to the same in any order", () => {
    for (const a of dtypes) {
      for (const b of dtypes) {
        expect(widerDtype(a, b), `${a}, ${b}`).to.equal(widerDtype(b, a));
        for (const c of dtypes) expect(join(join(a, b), c), `${a}, ${b}, ${c}`).to.equal(join(a, join(b, c)));
      }
    }
  });
});
