/** The formats that tables can be exported to. */
import { extname } from "node:path";
import { BquerydError } from "../../base/errors.js";

/** The formats that an export can write. */
export const exportFormats = ["csv", "tsv", "ndjson", "parquet", "arrow", "bcolz"] as const;

/** One of the formats that an export can write. */
export type ExportFormat = (typeof exportFormats)[number];

const byExtension: ReadonlyMap<string, ExportFormat> = new Map<string, ExportFormat>([
  [".csv", "csv"], [".tsv", "tsv"], [".tab", "tsv"], [".ndjson", "ndjson"], [".jsonl", "ndjson"], [".parquet", "parquet"], [".pq", "parquet"],
  [".arrow", "arrow"], [".feather", "arrow"], [".ipc", "arrow"], [".bcolz", "bcolz"],
]);

/** The format asked for, else that of the output's extension. Throws USAGE where neither says. */
export function requireExportFormat({ format, output }: { readonly format?: ExportFormat | undefined; readonly output: string }): ExportFormat {
  const found = format ?? byExtension.get(extname(output).toLowerCase());
  if (found !== undefined) return found;
  const bare = output.replace(/\.gz$/i, "");
  const packed = bare === output ? undefined : byExtension.get(extname(bare).toLowerCase());
  if (packed !== undefined) throw new BquerydError("USAGE", `${output} would be compressed, which an export does not do; give - and --format ${packed} and pipe what it prints into gzip`);
  const what = output === "-" ? "standard output has no extension" : `the extension of ${output} is none of ${[...byExtension.keys()].join(" ")}`;
  throw new BquerydError("USAGE", `${what}; say with --format which of ${exportFormats.join(", ")} to write`);
}
