import { expect } from "chai";
import { describe, it } from "mocha";
import { formatHex, parseHex } from "../../lib/base/hex.js";

describe("bytes as text", () => {
  it("are \\x and two digits a byte, and read back", () => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    expect(formatHex(Uint8Array.of(0, 10, 255))).to.equal("\\x000aff");
    for (const bytes of [all, all.subarray(7, 9), new Uint8Array(0)]) expect(parseHex(formatHex(bytes))).to.deep.equal(new Uint8Array(bytes));
    expect(parseHex("\\x0AfF")).to.deep.equal(Uint8Array.of(10, 255));
  });

  it("are none without \\x, with half a byte, or with anything else in them", () => {
    for (const text of ["", "0aff", "\\x0", "\\x0g", "\\xg0", "\\x0a ff", "\\x0aff\n", "\\X0a", "\\x0aé"]) expect(parseHex(text), text).to.equal(undefined);
  });
});
