/** Which Arrow types a table can hold, and as what; and how many buffers each type has in a record batch. */
import type { Dtype } from "../../columns/dtypes.js";
import type { FlatTable } from "./flatbuffer.js";

/** How the values of a column are laid out. */
export type Layout =
  /** No buffer: all rows are null. */
  | { readonly kind: "null" }
  | { readonly kind: "bits" }
  /** Values of so many bytes each. */
  | { readonly kind: "fixed"; readonly bytes: number }
  /** Offsets of so many bytes each, and bytes. */
  | { readonly kind: "offsets"; readonly bytes: 4 | 8 }
  /** 16 bytes a value that hold a short one or say where a long one is. */
  | { readonly kind: "views" };

/** What the values mean. */
export type ArrowMeaning =
  | { readonly kind: "itself" }
  | { readonly kind: "half float" }
  /** Counts of units of so many nanoseconds since 1970. */
  | { readonly kind: "time"; readonly nsPerUnit: number }
  /** Milliseconds since 1970, whole days. */
  | { readonly kind: "days in ms" }
  | { readonly kind: "decimal"; readonly scale: number };

/** A type that a dtype holds. */
export interface ArrowType {
  readonly dtype: Dtype;
  readonly layout: Layout;
  readonly meaning: ArrowMeaning;
  /** What one step of a duration is. */
  readonly unit?: string;
}

/** A field and where it begins in a record batch. */
export interface ArrowField {
  readonly name: string;
  /** The type, or the words for one that no dtype holds. */
  readonly type: ArrowType | { readonly refused: string; readonly isDecimal?: true };
  /** For a dictionary-encoded field: number of the dictionary, and what codes are. */
  readonly dictionary: { readonly id: bigint; readonly codeBytes: number; readonly isSigned: boolean } | null;
  readonly node: number;
  readonly buffer: number;
  /** Number of its entry in the counts of variadic buffers. */
  readonly variadic: number;
}

const depthMax = 64;
const fieldsMax = 100_000;

/** The fields of a schema; `named` has the dtypes that the user chose. Throws plain errors for what cannot be. */
export function describeFields(schema: FlatTable, named: ReadonlyMap<string, Dtype>): ArrowField[] {
  if (schema.int(0, 16, 0) !== 0) throw new Error("its numbers are big-endian, which is not supported");
  const counts = { node: 0, buffer: 0, variadic: 0, fields: 0 };
  return schema.tables(1).map((table) => {
    const { node, buffer, variadic } = counts;
    countField(table, counts, 0);
    return { ...describeField(table, named), node, buffer, variadic };
  });
}

const typeNames = [
  "of no type", "null", "int", "float", "binary", "utf8", "bool", "decimal", "date", "time", "timestamp", "interval", "list", "struct", "union",
  "fixed size binary", "fixed size list", "map", "duration", "large binary", "large utf8", "large list", "run-end encoded", "binary view",
  "utf8 view", "list view", "large list view",
] as const;

/** Buffers of a field itself, without its children. */
const bufferCounts: Readonly<Record<string, number>> = {
  "null": 0, "binary": 3, "utf8": 3, "large binary": 3, "large utf8": 3, "struct": 1, "fixed size list": 1, "run-end encoded": 0,
  "list view": 3, "large list view": 3,
};

function typeNameOf(field: FlatTable): string {
  return typeNames[field.int(2, 8, 0)] ?? "of an unknown type";
}

function countField(field: FlatTable, counts: { node: number; buffer: number; variadic: number; fields: number }, depth: number): void {
  if (depth > depthMax || ++counts.fields > fieldsMax) throw new Error("its schema is too deep");
  counts.node += 1;
  if (field.table(4) !== null) {
    counts.buffer += 2;
    return;
  }
  const name = typeNameOf(field);
  counts.buffer += name === "union" ? unionBuffers(field) : bufferCounts[name] ?? 2;
  if (name === "binary view" || name === "utf8 view") counts.variadic += 1;
  for (const child of field.tables(5)) countField(child, counts, depth + 1);
}

/** A dense union has offsets beside its types. */
function unionBuffers(field: FlatTable): number {
  return field.table(3)?.int(0, 16, 0) === 1 ? 2 : 1;
}

function describeField(field: FlatTable, named: ReadonlyMap<string, Dtype>): Pick<ArrowField, "name" | "type" | "dictionary"> {
  const name = field.text(0);
  const encoding = field.table(4);
  const type = describeType(field, named.get(name));
  if (encoding === null) return { name, type, dictionary: null };
  const codes = encoding.table(1);
  const codeBytes = (codes?.int(0, 32, 32) ?? 32) / 8;
  if (![1, 2, 4, 8].includes(codeBytes)) throw new Error(`the codes of '${name}' have ${codeBytes * 8} bits`);
  return { name, type, dictionary: { id: encoding.long(0), codeBytes, isSigned: codes?.bool(1) ?? true } };
}

function itself(dtype: Dtype, layout: Layout): ArrowType {
  return { dtype, layout, meaning: { kind: "itself" } };
}

const integerDtypes: Readonly<Record<string, Dtype>> = {
  "8 true": "int8", "16 true": "int16", "32 true": "int32", "64 true": "int64",
  "8 false": "uint8", "16 false": "uint16", "32 false": "uint32", "64 false": "uint64",
};
const floatTypes: readonly ArrowType[] = [
  { dtype: "float32", layout: { kind: "fixed", bytes: 2 }, meaning: { kind: "half float" } },
  itself("float32", { kind: "fixed", bytes: 4 }),
  itself("float64", { kind: "fixed", bytes: 8 }),
];
const units = [{ unit: "s", ns: 1e9 }, { unit: "ms", ns: 1e6 }, { unit: "us", ns: 1e3 }, { unit: "ns", ns: 1 }] as const;

function describeType(field: FlatTable, named: Dtype | undefined): ArrowField["type"] {
  const name = typeNameOf(field);
  const facts = field.table(3);
  switch (name) {
    case "null": return itself("string", { kind: "null" });
    case "bool": return itself("bool", { kind: "bits" });
    case "utf8": return itself("string", { kind: "offsets", bytes: 4 });
    case "large utf8": return itself("string", { kind: "offsets", bytes: 8 });
    case "utf8 view": return itself("string", { kind: "views" });
    case "binary": return itself("bytes", { kind: "offsets", bytes: 4 });
    case "large binary": return itself("bytes", { kind: "offsets", bytes: 8 });
    case "binary view": return itself("bytes", { kind: "views" });
    case "list": case "struct": case "union": case "fixed size list": case "map": case "large list": case "list view": case "large list view": return { refused: "nested" };
    default: return facts === null ? { refused: name } : describeSized(name, facts, named);
  }
}

/** Types with particulars. */
function describeSized(name: string, facts: FlatTable, named: Dtype | undefined): ArrowField["type"] {
  const fixed = (dtype: Dtype, bytes: number): ArrowType => itself(dtype, { kind: "fixed", bytes });
  switch (name) {
    case "int": {
      const bits = facts.int(0, 32, 0);
      const dtype = integerDtypes[`${bits} ${facts.bool(1)}`];
      return dtype === undefined ? { refused: `int of ${bits} bits` } : fixed(dtype, bits / 8);
    }
    case "float": return floatTypes[facts.int(0, 16, 0)] ?? { refused: name };
    case "fixed size binary": {
      const bytes = facts.int(0, 32, 0);
      return bytes > 0 ? fixed("bytes", bytes) : { refused: name };
    }
    case "date": return facts.int(0, 16, 1) === 0 ? fixed("date", 4) : { ...fixed("date", 8), meaning: { kind: "days in ms" } };
    case "timestamp": {
      const unit = units[facts.int(0, 16, 0)];
      return unit === undefined ? { refused: name } : { ...fixed("timestamp", 8), meaning: { kind: "time", nsPerUnit: unit.ns } };
    }
    case "duration": {
      const unit = units[facts.int(0, 16, 1)];
      return unit === undefined ? { refused: name } : { ...fixed("int64", 8), unit: unit.unit };
    }
    case "decimal": return describeDecimal(facts, named);
    default: return { refused: name };
  }
}

const decimalScaleMax = 1_000;

function describeDecimal(facts: FlatTable, named: Dtype | undefined): ArrowField["type"] {
  const [precision, scale, bits] = [facts.int(0, 32, 0), facts.int(1, 32, 0), facts.int(2, 32, 128)];
  if (named === undefined || ![32, 64, 128, 256].includes(bits) || scale < 0 || scale > decimalScaleMax) return { refused: `decimal(${precision}, ${scale})`, isDecimal: true };
  return { dtype: named, layout: { kind: "fixed", bytes: bits / 8 }, meaning: { kind: "decimal", scale } };
}
