import { expect } from "chai";
import { describe, it } from "mocha";
import { formatBytes, formatCount, formatNames, formatSeconds } from "../../lib/base/quantities.js";
import { formatTable } from "../../lib/base/text-table.js";
import { displayWidth, escapeUnprintable, truncateToWidth } from "../../lib/base/text-width.js";

describe("text tables", () => {
  it("columns are aligned, numbers on the right, without spaces at the ends of lines", () => {
    const table = formatTable(["origin", "flights"], [["ATL", "12"], ["O'Hare field", "3,456"]], { align: ["left", "right"] });
    expect(table).to.equal("origin        flights\n------------  -------\nATL                12\nO'Hare field    3,456");
  });

  it("wide characters, emoji and marks keep the columns in line", () => {
    const table = formatTable(["v", "n"], [["東京", "1"], ["e\u0301", "2"], ["👩‍👩‍👧", "3"], ["ab", "4"]]);
    const lines = table.split("\n");
    expect(lines.slice(2).map((line) => displayWidth(line))).to.deep.equal([7, 7, 7, 7]);
  });

  it("a table without rows is its headers and rule", () => {
    expect(formatTable(["a", "bc"], [])).to.equal("a  bc\n-  --");
  });

  it("a short row has empty cells at its end", () => {
    expect(formatTable(["a", "b"], [["1"]])).to.equal("a  b\n-  -\n1");
  });

  it("a wide cell is cut with an ellipsis", () => {
    const table = formatTable(["a"], [["x".repeat(100)]], { cellWidthMax: 10 });
    expect(table.split("\n")[2]).to.equal(`${"x".repeat(9)}…`);
  });

  it("control characters cannot reach the terminal", () => {
    const table = formatTable(["a"], [["x\u001b[31m\ny\u202e\u0085"]]);
    expect(table.split("\n")).to.have.length(3);
    expect(table).to.include("x\\u{1b}[31m\\ny\\u{202e}\\u{85}");
  });
});

describe("the width of text", () => {
  const widths: readonly (readonly [string, number])[] = [
    ["", 0], ["abc", 3], ["é", 1], ["e\u0301", 1], ["東", 2], ["한글", 4], ["ﾊ", 1], ["Ａ", 2], ["😀", 2], ["👩‍👩‍👧", 2], ["🇩🇪", 2], ["❤️", 2], ["…", 1], ["ß→", 2],
  ];
  for (const [text, width] of widths) {
    it(`${JSON.stringify(text)} takes ${width}`, () => {
      expect(displayWidth(text)).to.equal(width);
    });
  }

  it("cutting never passes the width and never splits a character", () => {
    for (const text of ["東京東京", "a東b京", "👩‍👩‍👧👩‍👩‍👧", "e\u0301e\u0301e\u0301", "plain text"]) {
      for (let width = 1; width <= displayWidth(text) + 1; width++) {
        const cut = truncateToWidth(text, width);
        expect(displayWidth(cut), `${text} at ${width}`).to.be.at.most(width);
        if (cut !== text) expect(text.startsWith(cut.slice(0, -1)) && cut.endsWith("…"), cut).to.equal(true);
        expect(cut === text, `${text} at ${width}`).to.equal(displayWidth(text) <= width);
      }
    }
  });

  it("letters of every script stay as they are", () => {
    expect(escapeUnprintable("Ünïcode 東京 😀")).to.equal("Ünïcode 東京 😀");
  });
});

describe("quantities", () => {
  it("counts have commas", () => {
    expect([0, 999, 1000, 3_000_000, 12.6].map(formatCount)).to.deep.equal(["0", "999", "1,000", "3,000,000", "13"]);
  });

  it("sizes have three digits and a decimal unit", () => {
    expect([0, 999, 1000, 12_345, 999_499, 999_500, 23_100_000, 5e15].map(formatBytes)).to.deep.equal(
      ["0 B", "999 B", "1.00 kB", "12.3 kB", "999 kB", "1.00 MB", "23.1 MB", "5.00 PB"],
    );
  });

  it("durations change unit before they get long", () => {
    expect([0, 1.234, 9.99, 9.996, 59.94, 59.96, 185, 7500].map(formatSeconds)).to.deep.equal(
      ["0.00 s", "1.23 s", "9.99 s", "10.0 s", "59.9 s", "1 min 00 s", "3 min 05 s", "2 h 05 min"],
    );
  });

  it("names so many and counts the others", () => {
    const names = Array.from({ length: 1_205 }, (_, index) => `n${index}`);
    expect([0, 1, 5, 6, 1_205].map((count) => formatNames(names.slice(0, count), 5))).to.deep.equal(
      ["", "n0", "n0, n1, n2, n3, n4", "n0, n1, n2, n3, n4 and 1 more", "n0, n1, n2, n3, n4 and 1,200 more"]);
  });
});
