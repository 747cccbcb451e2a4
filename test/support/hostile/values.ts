/** Values for the fields of messages, drawn from their schemas: right ones, wrong ones, and whatever a packer can pack. */
import { Kind, OptionalKind, type TSchema } from "@sinclair/typebox";
import type { Random } from "../../../lib/base/clock.js";
import { chance, oneOf, whole } from "../random/draw.js";

/** Names and texts that programs stumble over. */
export const hostileTexts: readonly string[] = [
  "", " ", "__proto__", "constructor", "hasOwnProperty", "toString", "../..", "../../etc/passwd", "/etc/passwd", "a\0b", "\0", "\ud800", "\udfff\ud800",
  "evil.bcolz", "evil-0.bcolzs", "evil-99999.bcolzs", "evil-999999999999999.bcolzs", "CURRENT", ".", "*", "*-*.bcolzs", "**********", "evil*.bcolz",
  "taxi\r\nHTTP/1.1", "${jndi:ldap://x}", "\u202e", "e\u0301", "\ufeff", "🦀".repeat(60), "-1", "NaN", "null", "true", "x".repeat(255), "y".repeat(4_096), "z".repeat(70_000),
];

/** Numbers at which programs break. */
const hostileNumbers: readonly number[] = [0, -0, 1, 2, 3, 7, 64, 255, 65_536, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e15, 1e300, -1, 0.5, NaN, Infinity, -Infinity];

/** A value that the schema allows; optional members come and go. */
export function drawValue(random: Random, schema: TSchema): unknown {
  switch (schema[Kind]) {
    case "Object": return drawObject(random, schema);
    case "Array": return Array.from({ length: oneOf(random, [0, 1, 1, 2, 3, Math.min(20, Number(schema["maxItems"] ?? 20))]) }, () => drawValue(random, schemaOf(schema["items"])));
    case "Union": return drawValue(random, oneOf(random, schemasOf(schema["anyOf"])));
    case "Literal": return schema["const"];
    case "String": return drawText(random, schema);
    case "Integer": return drawNumber(random, schema, Number.isInteger);
    case "Number": return drawNumber(random, schema, Number.isFinite);
    case "Boolean": return chance(random, 0.5);
    case "Null": return null;
    case "Record": return Object.fromEntries(Array.from({ length: whole(random, 0, 3) }, () => [oneOf(random, hostileTexts).slice(0, 64), drawAnything(random)]));
    default: return drawAnything(random);
  }
}

/** Nearly such a value: one thing in it, at any depth, is drawn from anything, left out or added. */
export function drawWrong(random: Random, schema: TSchema): unknown {
  if (chance(random, 0.15)) return drawAnything(random);
  switch (schema[Kind]) {
    case "Object": return spoilObject(random, schema);
    case "Array": return [...Array.from({ length: whole(random, 0, 2) }, () => drawValue(random, schemaOf(schema["items"]))), drawWrong(random, schemaOf(schema["items"]))];
    case "Union": return drawWrong(random, oneOf(random, schemasOf(schema["anyOf"])));
    default: return drawAnything(random);
  }
}

/** Anything at all that MessagePack has a form for. */
export function drawAnything(random: Random, depth = 0): unknown {
  switch (whole(random, 0, depth > 3 ? 7 : 10)) {
    case 0: return null;
    case 1: return chance(random, 0.5);
    case 2: case 3: return oneOf(random, hostileNumbers);
    case 4: case 5: return oneOf(random, hostileTexts);
    case 6: return oneOf(random, [-1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)]);
    case 7: return oneOf(random, [undefined, new Date(0), new Date(NaN), new Uint8Array(0), new Uint8Array(whole(random, 0, 300))]);
    case 8: return Array.from({ length: whole(random, 0, 4) }, () => drawAnything(random, depth + 1));
    case 9: return new Map(Array.from({ length: whole(random, 0, 3) }, () => [drawAnything(random, depth + 2), drawAnything(random, depth + 1)]));
    default: return Object.fromEntries(Array.from({ length: whole(random, 0, 4) }, () => [oneOf(random, hostileTexts).slice(0, 300), drawAnything(random, depth + 1)]));
  }
}

function drawObject(random: Random, schema: TSchema): Record<string, unknown> {
  const members = Object.entries(membersOf(schema)).filter(([, member]) => !(OptionalKind in member) || chance(random, 0.4));
  return Object.fromEntries(members.map(([name, member]) => [name, drawValue(random, member)]));
}

function spoilObject(random: Random, schema: TSchema): Record<string, unknown> {
  const value = drawObject(random, schema);
  // The type of a message stays as it is: of another one it would be right, or merely unknown.
  const names = Object.keys(membersOf(schema)).filter((name) => name !== "type");
  const name = names.length === 0 ? "type" : oneOf(random, names);
  const kind = whole(random, 0, 6);
  if (kind === 0) delete value[name];
  else if (kind === 1) Object.defineProperty(value, oneOf(random, hostileTexts), { value: drawAnything(random), enumerable: true });
  else value[name] = drawWrong(random, membersOf(schema)[name]!);
  return value;
}

function drawText(random: Random, schema: TSchema): string {
  const digits = /^\^\[0-9a-f\]\{(\d+)\}\$$/.exec(String(schema["pattern"] ?? ""))?.[1];
  if (digits !== undefined) return Array.from({ length: Number(digits) }, () => oneOf(random, [..."0123456789abcdef"])).join("");
  const text = chance(random, 0.5) ? `n${whole(random, 0, 99)}.bcolz` : oneOf(random, hostileTexts);
  return text.slice(0, Number(schema["maxLength"] ?? 100_000)).padEnd(Number(schema["minLength"] ?? 0), "x");
}

function drawNumber(random: Random, { minimum, maximum }: TSchema, isAllowed: (value: number) => boolean): number {
  const low = typeof minimum === "number" ? minimum : -Infinity;
  const high = typeof maximum === "number" ? maximum : Infinity;
  return oneOf(random, [...hostileNumbers, low, high].filter((value) => isAllowed(value) && value >= low && value <= high));
}

function membersOf(schema: TSchema): Readonly<Record<string, TSchema>> {
  return schema["properties"] as Readonly<Record<string, TSchema>>;
}

function schemaOf(value: unknown): TSchema {
  return value as TSchema;
}

function schemasOf(value: unknown): readonly TSchema[] {
  return value as readonly TSchema[];
}
