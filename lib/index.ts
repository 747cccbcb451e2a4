/** The public API of bqueryd: what another program imports. */
export { connect, type CallOptions, type ConnectOptions, type Rpc } from "./client/connect.js";
export type { ClusterInfo, ControllerInfo, QueueInfo, TableInfo, WorkerInfo } from "./wire/documents.js";
export type { GroupbyOptions, GroupbyQuery } from "./client/groupby.js";
export type { Summary } from "./client/summary.js";
export type { Cell } from "./client/cells.js";
export type { ColumnValues } from "./client/column-values.js";
export { Table, type Column, type Row } from "./client/table.js";
export { BquerydError, errorCodes, type ErrorCode, type ErrorDetails, type Retry } from "./base/errors.js";
export type { Dtype } from "./columns/dtypes.js";
