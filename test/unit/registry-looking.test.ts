import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { monotonicMs } from "../../lib/base/clock.js";
import { keepLooking, type Look } from "../../lib/registry/looking.js";
import { until } from "../support/until.js";

describe("looking at a file", () => {
  let folder: string;
  let path: string;
  let looks: number;
  let stop: () => void;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-looking-"));
    path = join(folder, "file");
    writeFileSync(path, "0");
    looks = 0;
    stop = () => undefined;
  });
  afterEach(() => {
    stop();
    rmSync(folder, { recursive: true });
  });

  function counting(found: (count: number) => Look): () => Look {
    return () => found(++looks);
  }

  it("follows each write at once, and without one nothing looks before it is due", async () => {
    const toldMs: number[] = [];
    stop = keepLooking(path, counting(() => ({ isChanged: false, dueMs: 60_000 })));
    expect(looks).to.equal(1);
    for (let write = 1; write <= 20; write++) {
      const [before, startMs] = [looks, monotonicMs()];
      writeFileSync(path, String(write));
      await until("the write is followed", () => looks > before);
      toldMs.push(monotonicMs() - startMs);
    }
    // Emptying the file and filling it are two.
    expect(looks).to.be.at.most(41);
    expect(Math.min(...toldMs)).to.be.below(50);
  });

  it("comes when it is due, without a write", async () => {
    stop = keepLooking(path, counting(() => ({ isChanged: false, dueMs: 5 })));
    await until("some looks", () => looks >= 10);
  });

  it("comes every 100 ms where the system keeps writes to itself", async () => {
    // What changes here is another file, so that the system tells nothing of this one.
    stop = keepLooking(path, counting((count) => ({ isChanged: count <= 3, dueMs: count <= 3 ? 10 : 60_000 })));
    await until("looks go on although none is due", () => looks >= 6);
  });

  it("comes every 100 ms where there is nothing to watch", async () => {
    stop = keepLooking(join(folder, "none"), counting(() => ({ isChanged: false, dueMs: 60_000 })));
    await until("looks go on although none is due", () => looks >= 3);
  });

  it("goes on watching after a change that was seen just before the system told of it", async () => {
    stop = keepLooking(path, () => {
      looks++;
      if (looks !== 2) return { isChanged: false, dueMs: looks === 1 ? 1 : 60_000 };
      writeFileSync(path, "1");
      return { isChanged: true, dueMs: 60_000 };
    });
    await until("the write is told of", () => looks >= 3);
    const before = looks;
    writeFileSync(path, "2");
    await until("the next write is told of", () => looks > before);
    expect(looks - before).to.be.at.most(2);
  });

  it("ends when it is told to, also by what it found", async () => {
    stop = keepLooking(path, counting((count) => {
      if (count === 3) stop();
      return { isChanged: false, dueMs: 1 };
    }));
    await until("the third look", () => looks === 3);
    writeFileSync(path, "1");
    let others = 0;
    const stopOther = keepLooking(path, () => { others++; return { isChanged: false, dueMs: 1 }; });
    await until("another one goes on", () => others >= 20);
    stopOther();
    expect(looks).to.equal(3);
  });
});
