import { expect } from "chai";
import { describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { changedPointer, decodePointer, encodePointer } from "../../lib/registry/entries.js";
import type { TablePointer } from "../../lib/registry/pointers.js";

const generation = "ab".repeat(32);
const source = { bucket: "s3://shop/d\"a\\i - ly", replicas: 3, hasManifest: false };

describe("pointers as text", () => {
  it("say what they said, and those of before have no source", () => {
    for (const pointer of [{ generation, epoch: 7, source: null }, { generation: null, epoch: 0, source }, { generation, epoch: 9e15, source: { ...source, replicas: null } }] satisfies TablePointer[]) {
      expect(decodePointer("k", encodePointer(pointer))).to.deep.equal(pointer);
    }
    expect(decodePointer("k", `12 ${generation}`)).to.deep.equal({ generation, epoch: 12, source: null });
    expect(decodePointer("k", "12 -")).to.deep.equal({ generation: null, epoch: 12, source: null });
  });

  it("are refused by name when they are none of ours", () => {
    for (const text of ["", "12", `12 ${generation} `, `12 ${generation} null`, `12 ${generation} {}`, `12 ${generation} {"bucket":"b","replicas":0,"hasManifest":true}`, `12 ${generation} {"bucket":"b"`]) {
      expect(() => decodePointer("bqueryd_pointers x", text), text).to.throw(BquerydError, /bqueryd_pointers x/).with.property("code", "REGISTRY_UNAVAILABLE");
    }
  });

  it("keep their source through a change that gives none", () => {
    const before = { generation, epoch: 1, source };
    expect(changedPointer(before, { table: "a.bcolz", generation: null }, 2)).to.deep.equal({ generation: null, epoch: 2, source });
    expect(changedPointer(before, { table: "a.bcolz", generation, source: { ...source, bucket: "c" } }, 2)).to.have.nested.property("source.bucket", "c");
    expect(changedPointer(undefined, { table: "a.bcolz", generation }, 2)).to.have.property("source", null);
  });
});
