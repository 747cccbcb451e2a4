/** Nodes of strings and bytes: work is done once a distinct text, and rows look their codes up. */
import type { TextDtype } from "../../../columns/dtypes.js";
import type { ChunkInput, Run } from "../../scan-column.js";
import { createPool, type TextPool } from "../../strings.js";
import { widthNames } from "../../states/slab.js";
import type { Expression } from "../tree.js";
import { bitmapBytes, pageOf, poolSpace, type Binding, type Facts, type Node, type TextSpace } from "./node.js";

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
    const rest = createRest(binding);
    for (let code = codes.start; code < codes.end; code++) {
      values[code - codes.start] = measure(bytes.subarray(offsets[code], offsets[code + 1]));
      rest(offsets[code + 1]! - offsets[code]!);
    }
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
    internEach(codes, (code) => {
      const text = bytes.subarray(offsets[code], offsets[code + 1]);
      return transform === null ? text : transform(text);
    }, pool(), place, binding);
  });
  return (input) => {
    const run = node.evaluate(input);
    translate(binding, run, table(spaceOf(node).count()), target());
    return { pointer: target(), nulls: run.nulls };
  };
}

/** The texts of a node. */
export function spaceOf({ texts, dtype }: Node): TextSpace {
  if (texts === undefined) throw new Error(`a node of ${dtype} has no texts`);
  return texts;
}

function translate({ arena }: Binding, { width, values, rows }: Run, table: number, target: number): void {
  if (width === 8) throw new Error("codes are at most 4 bytes wide");
  arena.kernels[`translate${widthNames[width]}`](values, rows, table, target);
}

/** Codes from `start` to `end`, that one excluded. */
interface CodeRange {
  readonly start: number;
  readonly end: number;
}

/** A table of a uint32 for each code, which `fill` writes from `start` on as more codes come. */
export function createTable({ arena }: Binding, fill: (place: number, codes: CodeRange) => void): (count: number) => number {
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

/** Bytes of texts after which a binding is asked whether to go on; as much as a text costs that has none is added for each. */
const restBytes = 1 << 18;
const textCost = 64;

/** What is told of the bytes worked on, and lets the binding end the work every so often. */
function createRest({ stop }: Binding): (bytes: number) => void {
  let worked = 0;
  return (bytes) => {
    worked += bytes + textCost;
    if (worked < restBytes) return;
    worked = 0;
    stop?.();
  };
}

/** Writes the codes that the text of each of the given codes has in a pool, in which new ones are put; a few at once, so that texts are not all there twice. */
export function internEach({ start, end }: CodeRange, textOf: (code: number) => Uint8Array, pool: TextPool, target: number, binding: Binding): void {
  const rest = createRest(binding);
  let texts: Uint8Array[] = [];
  let [first, bytes] = [start, 0];
  for (let code = start; code < end; code++) {
    const text = textOf(code);
    texts.push(text);
    bytes += text.length;
    rest(text.length);
    if (bytes < restBytes && code + 1 < end) continue;
    internTexts(texts, pool, target + (first - start) * 4, binding);
    [texts, first, bytes] = [[], code + 1, 0];
  }
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
