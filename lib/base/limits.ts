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
  /** Tickets that a registry keeps, slots of one, and characters of a reason. A hundred nodes of a thousand shards are 100,000 slots. */
  ticketsMax: 1_000,
  ticketSlotsMax: 200_000,
  ticketReasonMax: 1_000,
  /** Seconds that the lease of a slot may be set to. */
  leaseSecondsMax: 3_600,
  /** Slots that one answer of downloads() is made of. */
  slotsListedMax: 20_000,
  /** Characters of the name of a bucket, and of a key in it. */
  objectKeyMax: 1_024,
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
  /** Bytes of a text that an expression joins of others. */
  madeTextBytesMax: 16 * 1024 * 1024,
  /** How deep one expression or condition may be nested. */
  expressionDepthMax: 100,
  /** Nodes of the tree of one expression or condition as text. */
  expressionNodesMax: 50_000,
  /** Arithmetic operators of one expression. */
  expressionOperatorsMax: 1_000,
  /** Milliseconds from which on an answered call is slow, and told of in the log. */
  slowQueryMs: 5_000,
  /** Errands of one call, and seconds that one sleep may take. */
  errandsMax: 1_000,
  sleepSecondsMax: 3_600,
  /** Characters of the path of a file to be read, and of the name of a function to be called. */
  filePathMax: 4_096,
  functionNameMax: 255,
  /** Bytes of the arguments of a function, as JSON. */
  functionArgumentsBytesMax: 16 * 1024 * 1024,
  /** Bytes that readfile and execute_code answer. */
  errandAnswerBytesMax: 64 * 1024 * 1024,
  /** Characters in which a downloader or a mover says what it is at. */
  doingMax: 256,
  /** Queries that one answer of queries() lists of a controller. */
  queriesListedMax: 10_000,
  /** Slices of rows that may be on their way to one client for one call. */
  sliceCreditMax: 256,
  /** Bytes of a message header. */
  headerBytesMax: 64 * 1024 * 1024,
  /** Values in a message header: an empty map is one byte there, and many when it is decoded. */
  headerValuesMax: 4_000_000,
  /** Members of the maps in a message header, of maps with the same names in the same order but once: each is a microsecond and more to build. */
  headerNamesMax: 100_000,
  /** Bytes of one frame. */
  frameBytesMax: 1024 * 1024 * 1024,
  /** Frames of one message. */
  framesMax: 4_096,
  /** Bytes waiting in the outbox of one peer before it counts as stuck. */
  outboxBytesMax: 1024 * 1024 * 1024,
  /** Messages waiting there, however small: a partial of every shard of several calls. */
  outboxMessagesMax: 400_000,
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
