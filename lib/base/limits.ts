/** Limits that are not configuration: reaching one is an error that names it. */
export const limits = {
  /** Shards of one call, and tables of one worker. */
  shardsMax: 100_000,
  /** Tables that one worker cannot open and tells of. */
  brokenTablesMax: 1_000,
  /** Patterns among the tables of one call, and stars in one. */
  globsMax: 20,
  globStarsMax: 10,
  /** Generations that one table keeps. */
  generationsMax: 1_000,
  /** Columns of one table. */
  columnsMax: 10_000,
  /** Bytes of a footer: ten thousand columns of a hundred segments each. */
  footerBytesMax: 256 * 1024 * 1024,
  /** Characters of the name of a table or a pattern of such names, and of an affinity. */
  tableNameMax: 255,
  affinityMax: 255,
  /** Characters of a column name. */
  columnNameMax: 1_024,
  /** Values of one `in` list. */
  inListMax: 1_000_000,
  /** Terms of one where list. */
  termsMax: 1_000,
  /** Levels of or, and, not in one where list. */
  conditionDepthMax: 100,
  /** Characters of a pattern of like. */
  patternMax: 10_000,
  /** Keys of one query. */
  keysMax: 32,
  /** Measures of one query. */
  measuresMax: 1_000,
  /** Names that rows of one result are ordered by. */
  orderMax: 32,
  /** Characters of one expression or condition as text. */
  expressionCharactersMax: 1_000_000,
  /** How deep one expression or condition may be nested. */
  expressionDepthMax: 100,
  /** Nodes of the tree of one expression or condition as text. */
  expressionNodesMax: 50_000,
  /** Arithmetic operators of one expression. */
  expressionOperatorsMax: 1_000,
  /** Slices of rows that may be on their way to one client for one call. */
  sliceCreditMax: 256,
  /** Bytes of a message header. */
  headerBytesMax: 64 * 1024 * 1024,
  /** Bytes of one frame. */
  frameBytesMax: 1024 * 1024 * 1024,
  /** Frames of one message. */
  framesMax: 4_096,
  /** Bytes waiting in the outbox of one peer before it counts as stuck. */
  outboxBytesMax: 1024 * 1024 * 1024,
  /** Bytes of one chunk of a column before compression, where it is read. */
  chunkBytesMax: 1024 * 1024 * 1024,
  /** Bytes of the texts of one chunk that is written. */
  chunkTextBytesMax: 256 * 1024 * 1024,
  /** Bytes of memory for rows whose chunks are not full yet, in one write; what is more waits in temporary files. */
  waitingBytesMax: 96 * 1024 * 1024,
  /** Distinct values of a dictionary. */
  dictionaryValuesMax: 1 << 20,
  /** Bytes of a dictionary's values. */
  dictionaryBytesMax: 64 * 1024 * 1024,
} as const;
