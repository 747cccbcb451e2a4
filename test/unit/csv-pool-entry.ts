/** The program of the threads of csv-pool.test.ts. */
import { BquerydError } from "../../lib/base/errors.js";
import { servePool } from "../../lib/formats/input/pool.js";

/** What a thread is asked to do. */
export type PoolTask =
  | { readonly kind: "double"; readonly values: Float64Array<ArrayBuffer> }
  | { readonly kind: "refuse" }
  | { readonly kind: "throw" }
  | { readonly kind: "die" }
  | { readonly kind: "hang" };

servePool<PoolTask, Float64Array>((task) => {
  switch (task.kind) {
    case "double": {
      const result = task.values.map((value) => value * 2);
      return { result, transfer: [result.buffer] };
    }
    case "refuse": throw new BquerydError("BAD_INPUT", "these values are bad", { details: { path: "x" } });
    case "throw": throw new TypeError("not foreseen");
    case "die": return process.exit(3);
    case "hang": for (;;);
  }
});
