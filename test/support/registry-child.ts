/**
 * A process that shares a registry folder with a test: `announce DIR ID` lists itself for an hour, `renew DIR` lists
 * itself anew many times, `stop-writing DIR` stops for good inside a write. It says `ready` when it is there.
 */
import { statSync, writeSync } from "node:fs";
import { open } from "lmdb";
import { BquerydError } from "../../lib/base/errors.js";
import { openRegistry } from "../../lib/registry/open.js";
import type { ControllerRecord, Registry } from "../../lib/registry/registry.js";
import { withWriterLock } from "../../lib/registry/writer-lock.js";
import { controllerRecord } from "./registry-suite.js";

const [, , action = "", registryDir = "", id = ""] = process.argv;
const hourMs = 3_600_000;
const triesMax = 10;

switch (action) {
  case "announce": await announce(); break;
  case "renew": await renew(); break;
  case "stop-writing": await stopWriting(); break;
  default: throw new Error(`unknown action '${action}'`);
}

async function announce(): Promise<void> {
  const registry = await openRegistry({ registryDir, cluster: "c1" });
  await registry.announce(controllerRecord({ id }), hourMs);
  ready();
  setInterval(() => undefined, hourMs);
}

async function renew(): Promise<void> {
  const registry = await openRegistry({ registryDir, cluster: "c1" });
  for (let count = 0; count < 20; count++) await announceAgain(registry, controllerRecord({ id: `${process.pid}-${count}`, pid: process.ppid }));
  await registry.close();
  ready();
}

/** On a slow disk the others' writes may take longer than a write waits: whoever is told so tries again, as every process does. */
async function announceAgain(registry: Registry, record: ControllerRecord): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await registry.announce(record, hourMs);
    } catch (cause) {
      if (tries === triesMax || !(cause instanceof BquerydError) || cause.code !== "REGISTRY_UNAVAILABLE") throw cause;
    }
  }
}

async function stopWriting(): Promise<void> {
  const { dev, ino } = statSync(registryDir);
  const database = open({ path: registryDir, encoding: "string" });
  const lock = { registryDir, name: `${dev}:${ino}`, waitMs: 1_000, signal: new AbortController().signal };
  await withWriterLock(lock, () => {
    database.transactionSync(() => {
      ready();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });
  });
}

function ready(): void {
  writeSync(1, "ready\n");
}
