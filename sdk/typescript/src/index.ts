export { AISessionsClient, createClient } from './client.js';
export { APIError } from './errors.js';
export {
  createFileTransfer,
  createWebSocketFileTransfer,
  FileTransfer,
  WebSocketFileTransfer,
  type TransferConnection,
  type TransferOptions,
} from './file-transfer.js';
export type { FetchFunction, RetryOptions } from './http.js';
export type * from './messages.js';
export {
  createSessionWebSocket,
  SessionWebSocket,
  type Answers,
  type ConnectionState,
  type ToolApproval,
  type WebSocketDownloadRequest,
  type WebSocketHandlers,
  type WebSocketOptions,
  type WebSocketUploadComplete,
  type WebSocketUploadRequest,
} from './session-websocket.js';
export type * from './types.js';
