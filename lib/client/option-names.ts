/** The options that each verb takes, by name: the client refuses others, and Tab at the prompt offers these. */

const callNames = ["timeout", "signal"];
const errandNames = [...callNames, "affinity", "worker"];
const ticketNames = [...callNames, "replicas", "wait", "onProgress"];
const rowsNames = [...callNames, "affinity", "cache", "expand_filter_column", "having", "order", "limit", "offset", "aggregate", "missing", "partial", "generations"];

/** What may stand in one object with the options of a query, in place of the arguments before them; in their order. */
export const listNames: readonly string[] = ["tables", "keys", "measures", "where"];

const optionsOf = {
  groupby: [...rowsNames, "onPartial"],
  rows: rowsNames,
  ping: callNames, info: callNames, files: callNames, queries: callNames, cancel: callNames, loglevel: callNames, generations: callNames, rollback: callNames,
  kill: callNames, killworkers: callNames, killall: callNames,
  distribute: ticketNames, download: [...ticketNames, "filenames", "bucket"], downloads: [...callNames, "verbose"], delete_download: callNames,
  sleep: errandNames, readfile: errandNames,
  execute_code: [...errandNames, "function", "args", "kwargs", "wait"],
} satisfies Readonly<Record<string, readonly string[]>>;

/** A verb that takes options. */
export type VerbName = keyof typeof optionsOf;

/** The names of the options of a verb. */
export function optionNames(verb: VerbName): readonly string[] {
  return optionsOf[verb];
}

/** All of them. */
export const verbNames: readonly string[] = Object.keys(optionsOf);

/** Whether a word is a verb that takes options. */
export function isVerbName(word: string): word is VerbName {
  return Object.hasOwn(optionsOf, word);
}
