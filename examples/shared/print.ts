/** What an example prints: what one would type, and what is answered. */

/** Prints a command, as it is typed. */
export function type(before: string, args: readonly string[]): void {
  print(`\n${before} ${args.join(" ")}`);
}

/** Prints a text, as a line at least. */
export function print(text: string): void {
  process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
}
