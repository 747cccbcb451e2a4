import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { describe, it } from "mocha";
import { header, trips } from "../../examples/shared/trips.js";

const example = fileURLToPath(new URL("../../examples/nightly-push.js", import.meta.url));
const rows = 5_000;

describe("the nightly push", function () {
  this.timeout(180_000);

  it("brings each night to both nodes, and rolls a bad one back before the next", async () => {
    const folder = mkdtempSync(join(tmpdir(), "bqueryd-nightly-"));
    try {
      const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--enable-source-maps", example, "--rows", String(rows)], { env: { ...process.env, NO_COLOR: "1", TMPDIR: folder, XDG_STATE_HOME: folder } });
      expect(stderr.replaceAll(/^bqueryd distribute: .*\n/gm, "")).to.equal("");
      expect(readdirSync(folder)).to.deep.equal([]);
      const answers = stdout.split("\nbqueryd> rpc.groupby").slice(1).map((part) => /^ *([\d,]+) +(-?[\d.]+) +(-?[\d.]+) *$/m.exec(part)?.slice(1).map((text) => Number(text.replaceAll(",", ""))));
      // The second night is looked at, and what is in use again after it.
      expect(answers).to.deep.equal([facts(1), facts(2, true), facts(1), facts(3)]);
      expect(stdout).to.contain("night 2 is bad: a fare is below 0");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** Of a night: its trips, the least fare, and the sum of all. */
function facts(seed: number, isSpoiled = false): [number, number, number] {
  const at = header.split(",").indexOf("fare_amount");
  const cents = [...trips(rows, { seed, isSpoiled })].map((trip) => Math.round(100 * Number(trip.split(",")[at])));
  return [rows, Math.min(...cents) / 100, cents.reduce((sum, fare) => sum + fare, 0) / 100];
}
