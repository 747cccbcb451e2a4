/** Flags that name columns: lists separated by commas, or JSON for names that hold commas or equals signs. */
import { BquerydError } from "../base/errors.js";
import { suggestion } from "../base/nearest.js";
import { dtypes } from "../columns/dtypes.js";
import type { Dtype } from "../columns/dtypes.js";

/** The names in `a,b` or `["a,b","c"]`. Throws USAGE. */
export function parseNames(text: string): readonly string[] {
  if (!text.startsWith("[")) return text.split(",");
  const names = parseJson("--columns", text);
  if (Array.isArray(names) && names.every((name) => typeof name === "string")) return names;
  throw new BquerydError("USAGE", `--columns '${text}' is not a JSON list of names; write ["a","b"]`);
}

/** The dtypes in `a=int64,b=string` or `{"a,b":"int64"}`. Throws USAGE with the nearest dtype. */
export function parseTypes(text: string): ReadonlyMap<string, Dtype> {
  const pairs = text.startsWith("{") ? parseTypesJson(text) : text.split(",").map((pair) => parsePair(text, pair));
  const types = new Map<string, Dtype>();
  for (const [name, type] of pairs) {
    const dtype = dtypes.find((known) => known === type);
    if (dtype === undefined) throw new BquerydError("USAGE", `--types gives '${name}' the dtype '${type}'${suggestion(type, dtypes, `use one of ${dtypes.join(", ")}`)}`);
    if (types.has(name)) throw new BquerydError("USAGE", `--types names '${name}' twice; name it once`);
    types.set(name, dtype);
  }
  return types;
}

/** The dtype is after the last equals sign: names may hold some, dtypes do not. */
function parsePair(text: string, pair: string): readonly [string, string] {
  const at = pair.lastIndexOf("=");
  if (at < 1) throw new BquerydError("USAGE", `--types '${text}' has '${pair}' where column=dtype belongs; write a=int64,b=string, or a JSON object`);
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function parseTypesJson(text: string): (readonly [string, string])[] {
  const types = parseJson("--types", text);
  if (typeof types === "object" && types !== null) {
    return Object.entries(types).map(([name, type]) => [name, typeof type === "string" ? type : JSON.stringify(type)] as const);
  }
  throw new BquerydError("USAGE", `--types '${text}' is not a JSON object; write {"a":"int64"}`);
}

function parseJson(flag: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new BquerydError("USAGE", `${flag} '${text}' is not sound JSON (${cause instanceof Error ? cause.message : String(cause)}); correct it`, { cause });
  }
}
