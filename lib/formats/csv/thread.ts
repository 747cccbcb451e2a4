/** The program of the threads that parse CSV. */
import { transferOf } from "./answer.js";
import { sharedCsvParser } from "./parse.js";
import type { CsvAnswer, CsvTask } from "./parse.js";
import { servePool } from "../input/pool.js";

servePool<CsvTask, CsvAnswer>((task) => {
  const result = sharedCsvParser().parse(task);
  return { result, transfer: transferOf(result) };
});
