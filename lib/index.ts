/** The public API of bqueryd: what another program imports. */
export { connect, type ConnectOptions, type Rpc } from "./client/connect.js";
export type { CallOptions } from "./client/call-options.js";
export type { DistributeOptions, DownloadRequest, DownloadsOptions, DownloadVerbs } from "./client/downloads.js";
export type { TransferProgress } from "./client/transfer-progress.js";
export type { DownloadInfo, DownloadNode, DownloadPlace } from "./wire/download-documents.js";
export type { CodeOptions, ErrandOptions, Verbs } from "./client/verbs.js";
export type { OnPartial, PartialProgress } from "./client/drafts.js";
export type { GroupbyOptions, GroupbyQuery } from "./client/arguments.js";
export type { CarrierInfo, ClusterInfo, ControllerInfo, DepartureInfo, GenerationInfo, LogLevelSet, QueryInfo, QueueInfo, Rollback, Stopped, TableInfo, WorkerInfo } from "./wire/documents.js";
export type { RowStream } from "./client/row-stream.js";
export type { Coverage, Summary } from "./client/summary.js";
export type { Cell, ItemCell } from "./client/cells.js";
export type { ColumnValues, ItemValues } from "./client/column-values.js";
export { Table, type Bins, type Column, type ColumnType, type CsvOptions, type Row } from "./client/table.js";
export { BquerydError, errorCodes, type ErrorCode, type ErrorDetails, type Retry } from "./base/errors.js";
export type { Dtype } from "./columns/dtypes.js";
