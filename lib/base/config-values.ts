/** Texts of quantities as people write them in a configuration: sizes with a unit, durations in seconds, counts. */

const unitBytes = new Map([["", 1], ["b", 1], ["kb", 2 ** 10], ["mb", 2 ** 20], ["gb", 2 ** 30], ["tb", 2 ** 40]]);

/** The bytes of `512MB`, `1.5 gb` or `4096` (1 GB is 1024 MB, 1 MB is 1024 KB); undefined when the text is no size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = unitBytes.get((match?.[2] ?? "").toLowerCase());
  if (match === null || unit === undefined) return undefined;
  const bytes = Number(match[1]) * unit;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The shortest exact text of a size: `1GB`, `1536MB`, `1000`. `parseSize` reads it back. */
export function formatSize(bytes: number): string {
  for (const [unit, size] of [...unitBytes].reverse()) {
    if (size > 1 && bytes >= size && bytes % size === 0) return `${bytes / size}${unit.toUpperCase()}`;
  }
  return String(bytes);
}

/** The milliseconds of a duration in seconds, `120`, `0.5` or `5s`; undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*s?$/i.exec(text.trim());
  return match === null ? undefined : Number(match[1]) * 1_000;
}

/** A duration in milliseconds as seconds, `0.5`, which `parseDuration` reads back. */
export function formatDuration(milliseconds: number): string {
  return String(milliseconds / 1_000);
}

/** The whole number a text of digits stands for (underscores between them allowed); undefined when it is none. */
export function parseCount(text: string): number | undefined {
  const count = /^\d+(?:_\d+)*$/.test(text.trim()) ? Number(text.trim().replaceAll("_", "")) : Number.NaN;
  return Number.isSafeInteger(count) ? count : undefined;
}
