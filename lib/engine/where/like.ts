/** Patterns of like: % stands for any characters, _ for one code point, a backslash takes the next character as it is. */

/** A pattern cut at its % signs. */
export interface LikePattern {
  /** Tokens of all parts, one after another: a byte of UTF-8, or 256 for any one code point. */
  readonly tokens: Uint16Array;
  /** Of each token of a long part without `_`: how many of the part's first tokens end there once more; of others 2^32 - 1. */
  readonly borders: Uint32Array;
  /**
   * Of each part null or, of a long one with `_`, words of 64 of its tokens each, the first in the lowest bit: for every byte
   * those that it may be the first or next byte of, then those that are `_`.
   */
  readonly tables: readonly (BigUint64Array | null)[];
  /** Part p is tokens[ends[p], ends[p + 1]). One part alone must be the whole text; else a text begins with the first, ends with the last, and has the others, none of which is empty, between. */
  readonly ends: Uint32Array;
  /** Bytes that every text begins with that is like it. */
  readonly prefix: Uint8Array;
  /** Whether every text with that prefix is like it. */
  readonly isPrefixOnly: boolean;
}

const anyOne = 256;
const none = 0xffff_ffff;
/** Shorter parts are found faster by trying each place where their first byte is. */
const longMin = 16;

/** The pattern of a text that does not end in a lone backslash. */
export function compileLike(pattern: string): LikePattern {
  const parts = splitPattern(pattern);
  // Two % signs next to each other are one.
  const kept = parts.filter((part, place) => place === 0 || place === parts.length - 1 || part.length > 0);
  const ends = new Uint32Array(kept.length + 1);
  kept.forEach((part, place) => (ends[place + 1] = ends[place]! + part.length));
  const first = kept[0]!;
  const fixed = first.includes(anyOne) ? first.slice(0, first.indexOf(anyOne)) : first;
  const isPrefixOnly = kept.length === 2 && kept[1]!.length === 0 && fixed.length === first.length;
  return { tokens: Uint16Array.from(kept.flat()), borders: Uint32Array.from(kept.flatMap(bordersOf)), tables: kept.map(tableOf), ends, prefix: Uint8Array.from(fixed), isPrefixOnly };
}

function splitPattern(pattern: string): number[][] {
  const parts: number[][] = [[]];
  const characters = [...pattern];
  for (let place = 0; place < characters.length; place++) {
    const character = characters[place]!;
    if (character === "%") parts.push([]);
    else if (character === "_") parts.at(-1)!.push(anyOne);
    else parts.at(-1)!.push(...new TextEncoder().encode(character === "\\" ? characters[++place] : character));
  }
  return parts;
}

function tableOf(part: readonly number[], place: number, { length }: readonly unknown[]): BigUint64Array | null {
  // The first and the last part are not searched for.
  if (place === 0 || place === length - 1 || part.length < longMin || !part.includes(anyOne)) return null;
  const words = Math.ceil(part.length / 64);
  const table = new BigUint64Array(257 * words);
  const halves = new Uint32Array(table.buffer);
  part.forEach((token, at) => {
    const set = (row: number): void => { halves[2 * row * words + (at >> 5)]! |= 1 << (at & 31); };
    if (token !== anyOne) set(token);
    // Any byte but one that goes on with a code point.
    else for (let row = 0; row <= 256; row++) if ((row & 0xc0) !== 0x80) set(row);
  });
  return table;
}

function bordersOf(part: readonly number[]): number[] {
  if (part.length < longMin || part.includes(anyOne)) return part.map(() => none);
  const borders = [0];
  for (let at = 1, border = 0; at < part.length; at++) {
    while (border > 0 && part[border] !== part[at]) border = borders[border - 1]!;
    if (part[border] === part[at]) border += 1;
    borders.push(border);
  }
  return borders;
}
