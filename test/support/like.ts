/** like, plainly: a table of which prefixes of the pattern match which prefixes of the text. */

/** Whether a text is like a pattern of %, _ and backslashes. */
export function isLike(text: string, pattern: string): boolean {
  const tokens: { any?: boolean; one?: boolean; character?: string }[] = [];
  const letters = [...pattern];
  for (let place = 0; place < letters.length; place++) {
    const letter = letters[place]!;
    if (letter === "%") tokens.push({ any: true });
    else if (letter === "_") tokens.push({ one: true });
    else tokens.push({ character: letter === "\\" ? letters[++place]! : letter });
  }
  const characters = [...text];
  let reachable = [true, ...characters.map(() => false)];
  for (const { any, one, character } of tokens) {
    const next = reachable.map(() => false);
    for (let at = 0; at <= characters.length; at++) {
      if (any === true) next[at] = reachable[at] === true || (at > 0 && next[at - 1] === true);
      else if (at > 0) next[at] = reachable[at - 1] === true && (one === true || characters[at - 1] === character);
    }
    reachable = next;
  }
  return reachable[characters.length]!;
}
