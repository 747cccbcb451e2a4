import { expect } from "chai";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, it } from "mocha";
import { openTable } from "../../lib/columns/read/open.js";
import { verifyTable } from "../../lib/columns/verify/verify.js";
import { readTable, type StoredValue } from "../support/read-table.js";

/** A column as it has to be read: its values as JSON holds them, or the SHA-256 of their lines of JSON. */
interface ExpectedColumn {
  readonly name: string;
  readonly dtype: string;
  readonly values?: readonly (string | boolean | null)[];
  readonly rows?: number;
  readonly sha256?: string;
}

const fixtures = fileURLToPath(new URL("../../../test/fixtures/version-1/", import.meta.url));

/** Numbers as text, which says more than JSON's; bytes in hexadecimal. */
function toJson(value: StoredValue): string | boolean | null {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return typeof value === "bigint" || typeof value === "number" ? String(value) : value;
}

function hashLines(values: readonly (string | boolean | null)[]): string {
  return createHash("sha256").update(values.map((value) => JSON.stringify(value)).join("\n")).digest("hex");
}

/** What earlier releases have written is read for ever: these files are added to, and never changed. */
describe("tables of version 1", () => {
  for (const release of readdirSync(fixtures)) {
    const expected = JSON.parse(readFileSync(join(fixtures, release, "expected.json"), "utf8")) as Record<string, readonly ExpectedColumn[]>;
    for (const [name, columns] of Object.entries(expected)) {
      it(`read as they were written: ${release}/${name}`, async () => {
        const path = join(fixtures, release, name);
        const read = readTable(path);
        expect(openTable(path).columns.map((column) => [column.name, column.dtype])).to.deep.equal(columns.map((column) => [column.name, column.dtype]));
        for (const { name: column, values, rows, sha256 } of columns) {
          const found = read.get(column)!.map(toJson);
          if (values !== undefined) expect(found, column).to.deep.equal(values);
          else expect([found.length, hashLines(found)], column).to.deep.equal([rows, sha256]);
        }
        expect((await verifyTable(path)).findings).to.deep.equal([]);
      });
    }
  }
});
