/** Nodes of strings and bytes: work is done once a distinct text, and rows look their codes up. */
import type { TextDtype } from "../../../columns/dtypes.js";
import type { ChunkInput, Run } from "../../input.js";
import { createPool, limitOf, type TextPool } from "../../strings.js";
import { widthNames } from "../../states/slab.js";
import type { Expression } from "../tree.js";
import { bitmapBytes, joinNulls, pageOf, poolSpace, type Binding, type Facts, type Node, type TextSpace } from "./node.js";

/** Text to text, both as bytes. */
type Transform = (text: Uint8Array) => Uint8Array;

/** uint32 codes in a pool, a row each, and the bitmap of null rows or 0. */
export interface CodeRows {
  readonly pointer: number;
  readonly nulls: number;
}

const noFacts: Facts = { range: null, mayBeNull: true, mayFail: false };
const encoder = new TextEncoder();
/** A byte order mark is a character of a text as any other. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The node of a text, or of null. */
export function createTextConstant(expr: Expression, dtype: TextDtype, constant: Uint8Array | null, binding: Binding): Node {
  const { kernels } = binding.arena;
  const [page, nulls] = [pageOf(binding, 65_536), pageOf(binding, bitmapBytes)];
  const bytes = constant ?? new Uint8Array(0);
  const texts = { offsets: Uint32Array.of(0, bytes.length), bytes };
  return {
    expr, dtype, constant, sources: new Set(), texts: { count: () => 1, texts: () => texts }, facts: () => noFacts,
    evaluate({ rows }) {
      kernels.bytes.fill(0, page(), page() + rows);
      if (constant === null) kernels.bytes.fill(0xff, nulls(), nulls() + bitmapBytes);
      return { kind: "code", rows, width: 1, values: page(), base: 0n, step: 1n, nulls: constant === null ? nulls() : 0, nullValue: 0n };
    },
  };
}

/** The node of a text made from another one's. */
export function mapTexts(expr: Expression, arg: Node, transform: (text: string) => string, binding: Binding): Node {
  return pooledNode(expr, "string", [arg], binding, (pool) => {
    const codes = codesIn(arg, pool, (text) => encoder.encode(transform(decoder.decode(text))), binding);
    return (input) => codes(input);
  });
}

/** The node of an integer from 0 to 2^32 made from a text. */
export function measureTexts(expr: Expression, arg: Node, measure: (text: Uint8Array) => number, binding: Binding): Node {
  const { kernels } = binding.arena;
  const target = pageOf(binding, 65_536 * 4);
  const table = createTable(binding, (place, codes) => {
    const values = new Uint32Array(kernels.memory.buffer, place, codes.end - codes.start);
    const { offsets, bytes } = spaceOf(arg).texts();
    for (let code = codes.start; code < codes.end; code++) values[code - codes.start] = measure(bytes.subarray(offsets[code], offsets[code + 1]));
  });
  return {
    expr, dtype: "int64", sources: arg.sources,
    facts: (chunk) => ({ ...arg.facts(chunk), range: { least: 0n, greatest: 0xffff_ffffn } }),
    evaluate(input) {
      const run = arg.evaluate(input);
      translate(binding, run, table(spaceOf(arg).count()), target());
      if (run.nulls !== 0) kernels.fillNullsU32(target(), run.nulls, input.rows, 0);
      return { kind: "int", rows: input.rows, width: 4, values: target(), base: 0n, step: 1n, nulls: run.nulls, nullValue: 0n };
    },
  };
}

/** The node of two texts one after the other. */
export function joinTexts(expr: Expression, left: Node, right: Node, binding: Binding): Node {
  return pooledNode(expr, "string", [left, right], binding, (pool) => createJoiner(left, right, pool, binding));
}

/** A node whose codes are of a pool of its own. */
export function pooledNode(expr: Expression, dtype: TextDtype, args: readonly Node[], binding: Binding, start: (pool: () => TextPool) => (input: ChunkInput) => CodeRows): Node {
  let made: TextPool | undefined;
  const pool = (): TextPool => (made ??= createPool(binding.arena));
  const codes = start(pool);
  return {
    expr, dtype, sources: new Set(args.flatMap((arg) => [...arg.sources])), texts: poolSpace(pool, binding),
    facts: (chunk) => ({ ...noFacts, mayFail: args.some((arg) => arg.facts(chunk).mayFail) }),
    evaluate(input) {
      const { pointer, nulls } = codes(input);
      return { kind: "code", rows: input.rows, width: 4, values: pointer, base: 0n, step: 1n, nulls, nullValue: 0n };
    },
  };
}

/** Reads the texts of a node as codes of another pool, each put through a function on its way. */
export function codesIn(node: Node, pool: () => TextPool, transform: Transform | null, binding: Binding): (input: ChunkInput) => CodeRows {
  const target = pageOf(binding, 65_536 * 4);
  const table = createTable(binding, (place, codes) => {
    const { offsets, bytes } = spaceOf(node).texts();
    const texts: Uint8Array[] = [];
    for (let code = codes.start; code < codes.end; code++) {
      const text = bytes.subarray(offsets[code], offsets[code + 1]);
      texts.push(transform === null ? text : transform(text));
    }
    internTexts(texts, pool(), place, binding);
  });
  return (input) => {
    const run = node.evaluate(input);
    translate(binding, run, table(spaceOf(node).count()), target());
    return { pointer: target(), nulls: run.nulls };
  };
}

function spaceOf({ texts, dtype }: Node): TextSpace {
  if (texts === undefined) throw new Error(`a node of ${dtype} has no texts`);
  return texts;
}

function translate({ arena }: Binding, { width, values, rows }: Run, table: number, target: number): void {
  if (width === 8) throw new Error("codes are at most 4 bytes wide");
  arena.kernels[`translate${widthNames[width]}`](values, rows, table, target);
}

/** A table of a uint32 for each code, which `fill` writes from `start` on as more codes come. */
function createTable({ arena }: Binding, fill: (place: number, codes: { readonly start: number; readonly end: number }) => void): (count: number) => number {
  let [table, done, capacity] = [0, 0, 0];
  return (count) => {
    if (count > capacity || table === 0) {
      const larger = Math.max(256, capacity * 2, count);
      table = table === 0 ? arena.allocateZeroed(larger * 4) : arena.enlarge(table, done * 4, larger * 4);
      capacity = larger;
    }
    if (count > done) fill(table + done * 4, { start: done, end: count });
    done = Math.max(done, count);
    return table;
  };
}

/** Writes the codes that texts have in a pool, in which new ones are put. */
function internTexts(texts: readonly Uint8Array[], pool: TextPool, target: number, { arena }: Binding): void {
  const { kernels } = arena;
  const bytesTotal = texts.reduce((sum, text) => sum + text.length, 0);
  const [offsets, bytes] = [arena.allocate(4 * (texts.length + 1)), arena.allocate(Math.max(1, bytesTotal))];
  const ends = new Uint32Array(kernels.memory.buffer, offsets, texts.length + 1);
  let at = 0;
  texts.forEach((text, place) => {
    ends[place] = at;
    kernels.bytes.set(text, bytes + at);
    at += text.length;
  });
  ends[texts.length] = at;
  pool.intern({ values: offsets, text: bytes }, 0, texts.length, target);
  arena.free(offsets);
  arena.free(bytes);
}

/** Pairs of codes are numbered in order of appearance; the text of a pair is made once. */
function createJoiner(left: Node, right: Node, pool: () => TextPool, binding: Binding): (input: ChunkInput) => CodeRows {
  const { arena } = binding;
  const { kernels } = arena;
  const own = { left: createPool(arena), right: createPool(arena) };
  const [a, b] = [codesIn(left, () => own.left, null, binding), codesIn(right, () => own.right, null, binding)];
  const spaces = { left: poolSpace(() => own.left, binding), right: poolSpace(() => own.right, binding) };
  const [pairs, slots, nulls] = [pageOf(binding), pageOf(binding, 65_536 * 4), pageOf(binding, bitmapBytes)];
  const numbering = createNumbering(binding);
  const table = createTable(binding, (place, { start, end }) => {
    const [lefts, rights] = [spaces.left.texts(), spaces.right.texts()];
    const texts: Uint8Array[] = [];
    for (let pair = start; pair < end; pair++) {
      const { first, second } = numbering.pair(pair);
      texts.push(Buffer.concat([lefts.bytes.subarray(lefts.offsets[first], lefts.offsets[first + 1]), rights.bytes.subarray(rights.offsets[second], rights.offsets[second + 1])]));
    }
    internTexts(texts, pool(), place, binding);
  });
  return (input) => {
    const { rows } = input;
    const [x, y] = [a(input), b(input)];
    kernels.packSetU32(x.pointer, rows, 1n, 0n, pairs());
    kernels.packAddU32(y.pointer, rows, 1n << 32n, 0n, pairs());
    numbering.assign(pairs(), rows, slots());
    kernels.translateU32(slots(), rows, table(numbering.count()), slots());
    return { pointer: slots(), nulls: joinNulls(arena, x.nulls, y.nulls, rows, nulls) };
  };
}

interface Numbering {
  count(): number;
  assign(pairs: number, rows: number, slots: number): void;
  pair(number: number): { first: number; second: number };
}

function createNumbering({ arena }: Binding): Numbering {
  const { kernels } = arena;
  const state = arena.allocateZeroed(4);
  const count = new Uint32Array(kernels.memory.buffer, state, 1);
  let capacity = 4_096;
  let table = arena.allocateZeroed(capacity * 16);
  let keys = arena.allocate(capacity * 8);
  function grow(): void {
    arena.free(table);
    capacity *= 2;
    table = arena.allocateZeroed(capacity * 16);
    keys = arena.enlarge(keys, count[0]! * 8, capacity * 8);
    kernels.hashRebuild1(keys, count[0]!, table, capacity);
  }
  return {
    count: () => count[0]!,
    assign(pairs, rows, slots) {
      let row = 0;
      while ((row = kernels.hashGroup1(pairs, rows, row, table, capacity, keys, limitOf(capacity), state, slots)) < rows) grow();
    },
    pair(number) {
      const [first, second] = new Uint32Array(kernels.memory.buffer, keys + number * 8, 2);
      return { first: first!, second: second! };
    },
  };
}
