import { expect } from "chai";
import { describe, it } from "mocha";
import { createArena, createSpace } from "../../lib/engine/memory.js";

describe("memory of kernels", () => {
  it("of a compute thread names query_memory when it is full, and one of a fixed size does not", () => {
    const bytes = 1024 * 1024;
    for (const [space, words] of [[createSpace(bytes), /query_memory/], [createSpace(bytes, { sizedBy: "fixed" }), /^(?!.*query_memory).*fewer and shorter texts$/]] as const) {
      expect(() => space.allocate(2 * bytes)).to.throw(words).with.property("code", "MEMORY_LIMIT");
      expect(() => createArena(space, 1_000, "the test").allocate(2_000)).to.throw(/^the test needs more than the 1000 bytes/).with.property("code", "MEMORY_LIMIT");
      expect(() => createArena(space, 1_000, "the test").allocate(2_000)).to.throw(words);
    }
  });
});
