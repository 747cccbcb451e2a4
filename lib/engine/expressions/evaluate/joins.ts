/** Nodes of several texts one after the other: distinct combinations of them are numbered, and the text of each is made once. */
import { BquerydError } from "../../../base/errors.js";
import { limits } from "../../../base/limits.js";
import { chunkRows } from "../../../columns/dtypes.js";
import type { ChunkInput, Run } from "../../scan-column.js";
import { widthNames } from "../../states/slab.js";
import type { TextPool } from "../../strings.js";
import { createWordRows } from "../../word-rows.js";
import { printExpression } from "../print.js";
import type { Expression } from "../tree.js";
import { shorten } from "../types.js";
import { bitmapBytes, joinNulls, pageOf, type Binding, type Node } from "./node.js";
import { createTable, internEach, pooledNode, spaceOf, type CodeRows } from "./texts.js";

/** The node of texts one after the other. At run time OVERFLOW where one is made of more than limits.madeTextBytesMax bytes. */
export function joinTexts(expr: Expression, args: readonly Node[], binding: Binding): Node {
  const node = pooledNode(expr, "string", args, binding, (pool) => createJoiner(expr, args, pool, binding));
  return { ...node, facts: (chunk) => ({ ...node.facts(chunk), mayFail: true }) };
}

function createJoiner(expr: Expression, args: readonly Node[], pool: () => TextPool, binding: Binding): (input: ChunkInput) => CodeRows {
  const { arena } = binding;
  const { varying, placeOf } = distinctOf(args);
  const combinations = createCombinations(varying.length, binding);
  const [slots, nullPage] = [pageOf(binding, chunkRows * 4), pageOf(binding, bitmapBytes)];
  const table = createTable(binding, (place, codes) => {
    const spaces = varying.map((arg) => spaceOf(arg).texts());
    const textAt = (arg: Node, combination: number): Uint8Array => {
      if (arg.constant !== undefined) return arg.constant instanceof Uint8Array ? arg.constant : noText;
      const varies = placeOf(arg);
      const { offsets, bytes } = spaces[varies]!;
      const code = combinations.codeOf(combination, varies);
      return bytes.subarray(offsets[code], offsets[code + 1]);
    };
    internEach(codes, (combination) => (combinations.isNull(combination) ? noText : join(args.map((arg) => textAt(arg, combination)), expr)), pool(), place, binding);
  });
  return (input) => {
    const { rows } = input;
    let nulls = 0;
    for (const arg of args) if (arg.constant === null) nulls = arg.evaluate(input).nulls;
    varying.forEach((arg, place) => {
      const run = arg.evaluate(input);
      combinations.setCodes(place, run);
      nulls = joinNulls(arena, nulls, run.nulls, rows, nullPage);
    });
    combinations.number(rows, nulls, slots());
    arena.kernels.translateU32(slots(), rows, table(combinations.count()), slots());
    return { pointer: slots(), nulls };
  };
}

const noText = new Uint8Array(0);

/** What is not constant among the arguments, each once, and where one is there. Of constants alone the first stands for all. */
function distinctOf(args: readonly Node[]): { varying: readonly Node[]; placeOf(arg: Node): number } {
  const places = new Map<string, number>();
  const names = new Map(args.map((arg) => [arg, printExpression(arg.expr)]));
  const varying = args.filter((arg) => {
    if (arg.constant !== undefined || places.has(names.get(arg)!)) return false;
    places.set(names.get(arg)!, places.size);
    return true;
  });
  return { varying: varying.length === 0 ? args.slice(0, 1) : varying, placeOf: (arg) => places.get(names.get(arg)!) ?? 0 };
}

function join(texts: readonly Uint8Array[], expr: Expression): Uint8Array {
  const bytes = texts.reduce((sum, text) => sum + text.length, 0);
  if (bytes > limits.madeTextBytesMax) {
    const text = shorten(printExpression(expr));
    throw new BquerydError("OVERFLOW", `'${text}' makes a text of ${bytes} bytes in some row, more than ${limits.madeTextBytesMax}; join fewer or shorter ones, or filter`, { details: { expression: text, bytes, bytesMax: limits.madeTextBytesMax } });
  }
  const joined = new Uint8Array(bytes);
  let at = 0;
  for (const text of texts) {
    joined.set(text, at);
    at += text.length;
  }
  return joined;
}

/** Combinations of the codes of some texts, numbered in order of appearance. */
interface Combinations {
  count(): number;
  /** Takes the codes of one text in the rows at hand. */
  setCodes(place: number, codes: Run): void;
  /** Writes the numbers of as many rows as uint32; null rows, whatever codes they hold, are a combination of their own. */
  number(rows: number, nulls: number, slots: number): void;
  isNull(combination: number): boolean;
  /** The code of a text, by its place, in a combination. */
  codeOf(combination: number, place: number): number;
}

/** No text has this code. */
const nullCode = 0xffff_ffff;
/** Room for so many combinations at first. */
const capacityMin = 1_024;

function createCombinations(texts: number, binding: Binding): Combinations {
  const { kernels } = binding.arena;
  // Two codes are a word.
  const words = Array.from({ length: Math.ceil(texts / 2) }, () => pageOf(binding));
  const pointers = pageOf(binding, words.length * 4);
  const distinct = createWordRows(words.length, capacityMin, binding.arena);
  const codeOf = (combination: number, place: number): number => distinct.halves()[combination * 2 * words.length + place]!;
  return {
    count: distinct.count,
    setCodes(place, { width, values, rows }) {
      if (width === 8) throw new Error("codes are at most 4 bytes wide");
      const isFirst = place % 2 === 0;
      kernels[`${isFirst ? "packSet" : "packAdd"}${widthNames[width]}`](values, rows, isFirst ? 1n : 1n << 32n, 0n, words[place >> 1]!());
    },
    number(rows, nulls, slots) {
      if (nulls !== 0) for (const word of words) kernels.fillNullsI64(word(), nulls, rows, -1n);
      new Uint32Array(kernels.memory.buffer, pointers(), words.length).set(words.map((word) => word()));
      distinct.number(pointers(), rows, slots);
    },
    isNull: (combination) => codeOf(combination, 0) === nullCode,
    codeOf,
  };
}
