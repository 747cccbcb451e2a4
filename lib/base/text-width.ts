/** How wide text is in the cells of a terminal. */

const printableAscii = /^[\x20-\x7e]*$/;
/** Made when it is first needed: that takes longer than all else that a process loads of this. */
let segmenter: Intl.Segmenter | undefined;

/** Characters that move the cursor, start an escape sequence or reorder what is around them. */
const unprintable = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const zeroWidth = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;
const emoji = /\p{Emoji_Presentation}|\p{Emoji}\ufe0f/u;

/** First and last code points of the blocks that Unicode's EastAsianWidth.txt gives as wide or full width. */
const wideBlocks: readonly (readonly [first: number, last: number])[] = [
  [0x1100, 0x115f], [0x2329, 0x232a], [0x2e80, 0x303e], [0x3041, 0xa4cf], [0xa960, 0xa97f], [0xac00, 0xd7a3],
  [0xf900, 0xfaff], [0xfe10, 0xfe19], [0xfe30, 0xfe6f], [0xff00, 0xff60], [0xffe0, 0xffe6], [0x16fe0, 0x18cff],
  [0x1aff0, 0x1b2ff], [0x1f200, 0x1f2ff], [0x20000, 0x3fffd],
];

/** The text with every character that could disturb a terminal written as an escape, such as `\n` or `\u{1b}`. */
export function escapeUnprintable(text: string): string {
  if (printableAscii.test(text)) return text;
  return text.replace(unprintable, (character) => {
    switch (character) {
      case "\n": return "\\n";
      case "\r": return "\\r";
      case "\t": return "\\t";
      default: return `\\u{${character.codePointAt(0)!.toString(16)}}`;
    }
  });
}

/** Terminal cells that a text without control characters takes: 2 for wide characters and emoji, 0 for marks. */
export function displayWidth(text: string): number {
  if (printableAscii.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemesOf(text)) width += graphemeWidth(segment);
  return width;
}

/** The text itself when it fits into `width` cells, else as much of its beginning as fits before an ellipsis. */
export function truncateToWidth(text: string, width: number): string {
  if (text.length <= width && printableAscii.test(text)) return text;
  let used = 0;
  let fitting = 0;
  for (const { segment, index } of graphemesOf(text)) {
    used += graphemeWidth(segment);
    if (used <= width - 1) fitting = index + segment.length;
    if (used > width) return `${text.slice(0, fitting)}…`;
  }
  return text;
}

function graphemesOf(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  return segmenter.segment(text);
}

function graphemeWidth(grapheme: string): number {
  const codePoint = grapheme.codePointAt(0)!;
  if (codePoint < 0x300) return emoji.test(grapheme) ? 2 : 1;
  if (zeroWidth.test(grapheme)) return 0;
  if (emoji.test(grapheme)) return 2;
  return wideBlocks.some(([first, last]) => codePoint >= first && codePoint <= last) ? 2 : 1;
}
