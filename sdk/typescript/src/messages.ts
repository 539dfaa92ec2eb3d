import { parseObject } from './errors.js';

/** A message of the server. `data` is another name of `payload`; neither it nor `content` is enumerable. */
interface Message<Type extends string, Payload> {
  type: Type;
  payload: Payload;
  /** Time of the event, ISO 8601. */
  timestamp?: string;
  session_id?: string;
  /** Position behind this message: a connection with `since` goes on there. */
  cursor?: string;
  readonly data: Payload;
}

export type ContentBlock =
  | { type: 'text'; text: string }
  | { type: 'thinking'; thinking: string }
  | { type: 'tool_use'; id: string; name: string; input: unknown }
  | { type: 'tool_result'; tool_use_id: string; content: unknown };

export interface UserMessage
  extends Message<'user', { content: string | ContentBlock[]; queued?: boolean; prompt_id?: string }> {
  readonly content: string | ContentBlock[];
}

export interface AssistantMessage
  extends Message<
    'assistant',
    {
      content: ContentBlock[];
      model?: string;
      message_id?: string;
      /** `pane` for a line of the terminal of a session without a transcript. */
      source?: string;
    }
  > {
  readonly content: ContentBlock[];
}

export interface ToolUsePayload {
  id: string;
  name: string;
  input: any;
  /** Another name of `name`, not enumerable. */
  readonly tool_name: string;
}

export type ToolUseMessage = Message<'tool_use', ToolUsePayload>;

export interface ToolResultMessage
  extends Message<'tool_result', { tool_use_id: string; content: string; is_error?: boolean }> {
  readonly content: string;
}

export type SystemMessage = Message<
  'system',
  {
    subtype?: string;
    message?: string;
    /** For approval_decided: id of the dialog, and who decided what. */
    tool_use_id?: string;
    decided_by?: string;
    decision?: string;
    /** For file_uploaded. */
    path?: string;
    [field: string]: unknown;
  }
>;

export type ResultMessage = Message<
  'result',
  { success?: boolean; subtype?: string; summary?: string; duration_ms?: number; [field: string]: unknown }
>;

export type ErrorMessage = Message<
  'error',
  { code: string; message: string; reason?: string; request_id?: string; prompt_id?: string; tool_use_id?: string }
>;

export type SessionErrorMessage = Message<'session_error', { error: string; details?: unknown }>;

export type SessionEndMessage = Message<'session_end', { reason: string; exit_code?: number | null }>;

export type SessionStatusMessage = Message<
  'session_status',
  { status: string; agent_state?: string; waiting_for?: string; detail?: string }
>;

export type UsageMessage = Message<
  'usage_delta',
  {
    input_tokens: number;
    output_tokens: number;
    cached_tokens?: number;
    model?: string;
    /** The time of the turn that has just ended; then there are no tokens. */
    duration_ms?: number;
    [field: string]: unknown;
  }
>;

export type ToolApprovalMessage = Message<
  'tool_approval_request',
  { tool_use_id: string; tool_name: string; tool_input: any }
>;

export interface Question {
  question: string;
  header?: string;
  options?: (string | { label: string; description?: string })[];
  multiSelect?: boolean;
}

export type QuestionMessage = Message<'ask_user_question', { question_id: string; questions: Question[] }>;

export type DialogMessage = Message<'dialog', { kind: string; message: string; id?: string; choices?: unknown[] }>;

export type UploadURLMessage = Message<
  'upload_url',
  { request_id: string; upload_id: string; url: string; upload_url?: string; target_path: string; expires_at?: string }
>;

export type DownloadURLMessage = Message<
  'download_url',
  { request_id: string; url: string; download_url?: string; expires_at?: string; size?: number }
>;

/** What a connection begins with. Its messages are delivered one by one, too. */
export type HistoryMessage = Message<
  'history',
  {
    messages: WebSocketMessage[];
    /** Older messages are left out. */
    truncated?: boolean;
    /** The number of all messages, of which the newest are here; absent where it would take long to count them. */
    total?: number;
    /** The reason why messages are repeated from the beginning. */
    reset?: string | boolean;
  }
>;

export type WebSocketMessage =
  | UserMessage
  | AssistantMessage
  | ToolUseMessage
  | ToolResultMessage
  | SystemMessage
  | ResultMessage
  | ErrorMessage
  | SessionErrorMessage
  | SessionEndMessage
  | SessionStatusMessage
  | UsageMessage
  | ToolApprovalMessage
  | QuestionMessage
  | DialogMessage
  | UploadURLMessage
  | DownloadURLMessage;

type RawMessage = { type: string; payload: Record<string, unknown> };

/** Return the message in a frame of the server; undefined for anything else. */
export function parseMessage(frame: unknown): WebSocketMessage | HistoryMessage | undefined {
  const text = frame instanceof ArrayBuffer ? new TextDecoder().decode(frame) : frame;
  if (typeof text !== 'string') return undefined;
  return completeMessage(parseObject(text)) as WebSocketMessage | HistoryMessage | undefined;
}

/** Add the accessors to a message, and to those in a history. */
function completeMessage(value: unknown): RawMessage | undefined {
  if (!isObject(value) || typeof value.type !== 'string') return undefined;
  const message = value as RawMessage;
  if (!isObject(message.payload)) message.payload = {};
  const payload = message.payload;
  if (message.type === 'history') {
    const messages = Array.isArray(payload.messages) ? payload.messages : [];
    payload.messages = messages.flatMap((each) => completeMessage(each) ?? []);
  }
  if (message.type === 'assistant' && !Array.isArray(payload.content)) {
    const text = payload.content ?? payload.text ?? '';
    payload.content = [{ type: 'text', text: asText(text) }];
  }
  if (message.type === 'tool_result') payload.content = asText(payload.content ?? '');
  if (message.type === 'tool_use') addAccessor(payload, 'tool_name', () => payload.name);
  addAccessor(message, 'data', () => message.payload);
  addAccessor(message, 'content', () => message.payload.content ?? message.payload.text ?? message.payload.message);
  return message;
}

function addAccessor(target: object, name: string, get: () => unknown): void {
  if (!(name in target)) Object.defineProperty(target, name, { get, enumerable: false, configurable: true });
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
