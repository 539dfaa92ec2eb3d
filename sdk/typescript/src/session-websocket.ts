import { APIError } from './errors.js';
import {
  parseMessage,
  type AssistantMessage,
  type HistoryMessage,
  type QuestionMessage,
  type ResultMessage,
  type SessionEndMessage,
  type SystemMessage,
  type ToolApprovalMessage,
  type ToolResultMessage,
  type ToolUseMessage,
  type UserMessage,
  type WebSocketMessage,
} from './messages.js';
import { judgeClose, ReconnectPolicy } from './reconnect.js';
import { RepeatFilter } from './repeat-filter.js';
import { findWebSocket } from './websocket-implementation.js';

export type ConnectionState = 'connecting' | 'connected' | 'reconnecting' | 'disconnected';

type WebSocketClass = typeof globalThis.WebSocket;

export interface WebSocketHandlers {
  /** Every message, each once and in order, those of the past first. */
  onMessage?: (msg: WebSocketMessage) => void;
  onAssistant?: (msg: AssistantMessage) => void;
  onToolUse?: (msg: ToolUseMessage) => void;
  onToolResult?: (msg: ToolResultMessage) => void;
  onUser?: (msg: UserMessage) => void;
  onSystem?: (msg: SystemMessage) => void;
  onResult?: (msg: ResultMessage) => void;
  /** An error of the session, or the connection is lost for good. */
  onError?: (err: APIError) => void;
  onSessionEnd?: (msg: SessionEndMessage) => void;
  onConnectionChange?: (state: ConnectionState) => void;
  /** A tool call waits for sendToolApproval. */
  onToolApproval?: (msg: ToolApprovalMessage) => void;
  /** Questions wait for sendAnswers. */
  onQuestion?: (msg: QuestionMessage) => void;
  /** The recorded messages, as a whole, before they are delivered one by one; at each connection. */
  onHistory?: (msg: HistoryMessage) => void;
}

export interface WebSocketOptions {
  /** Connect again after a lost connection; default true. */
  autoReconnect?: boolean;
  /** Attempts in a row; default 5. */
  maxReconnectAttempts?: number;
  /** Milliseconds before the first attempt, doubled for each further one up to 30 seconds; default 1000. */
  reconnectDelay?: number;
  /** Milliseconds between two heartbeats; default 30000. */
  heartbeatInterval?: number;
  /** Milliseconds until a connection must be there; default 30000. */
  connectTimeout?: number;
  /** Keep prompts while the connection is lost and send them afterwards; default false: sendPrompt throws. */
  queueWhileDisconnected?: boolean;
  /** Begin behind a message: its `cursor`. */
  since?: string;
}

export interface ToolApproval {
  tool_use_id: string;
  approved: boolean;
  approval_scope?: 'once' | 'session';
  approval_pattern?: string;
  updated_input?: Record<string, unknown>;
  /** For a denial: the reason, which the agent reads. */
  message?: string;
}

export interface Answers {
  question_id: string;
  /** By the header of the question, or its text if it has none. */
  answers: Record<string, string>;
}

export interface WebSocketUploadRequest {
  request_id: string;
  filename: string;
  content_type: string;
  size: number;
}

export interface WebSocketUploadComplete {
  request_id: string;
  filename: string;
  path: string;
}

export interface WebSocketDownloadRequest {
  request_id: string;
  path: string;
}

/** Bytes of one message that the server accepts. */
const LARGEST_MESSAGE = 1 << 20;
/** Milliseconds to wait for the first message, which this server always sends; other servers may be silent. */
const SILENT_START = 1000;

/** One connection to a session that goes on where it was when it is lost. */
export class SessionWebSocket {
  readonly #url: string;
  readonly #handlers: WebSocketHandlers;
  readonly #options: Required<Omit<WebSocketOptions, 'since'>>;
  readonly #implementation: WebSocketClass | undefined;
  readonly #policy: ReconnectPolicy;
  readonly #listeners = new Set<(msg: WebSocketMessage) => void>();
  readonly #lossListeners = new Set<(error: APIError) => void>();
  readonly #filter = new RepeatFilter();
  readonly #queue: string[] = [];
  #state: ConnectionState = 'disconnected';
  #socket: WebSocket | undefined;
  /** Number of the present connection: events of an earlier one are ignored. */
  #connection = 0;
  #connecting: PendingConnection | undefined;
  #connectedAt: number | undefined;
  #timers: ReturnType<typeof setTimeout>[] = [];
  #cursor: string;
  #ended = false;

  constructor(
    url: string,
    handlers: WebSocketHandlers = {},
    options: WebSocketOptions = {},
    implementation?: WebSocketClass,
  ) {
    this.#url = url;
    this.#handlers = handlers;
    this.#options = {
      autoReconnect: options.autoReconnect ?? true,
      maxReconnectAttempts: options.maxReconnectAttempts ?? 5,
      reconnectDelay: options.reconnectDelay ?? 1000,
      heartbeatInterval: options.heartbeatInterval ?? 30_000,
      connectTimeout: options.connectTimeout ?? 30_000,
      queueWhileDisconnected: options.queueWhileDisconnected ?? false,
    };
    this.#implementation = implementation;
    this.#cursor = options.since ?? '';
    this.#policy = new ReconnectPolicy(this.#options.maxReconnectAttempts, this.#options.reconnectDelay);
  }

  // -------------------------------------------------------------- connection

  /** Connect. Resolve when the server has accepted the connection, reject with APIError if it does not. */
  connect(): Promise<void> {
    if (this.#ended) return Promise.reject(new APIError('session_ended', 'the session has ended', 409));
    if (this.#state === 'connected') return Promise.resolve();
    if (this.#connecting === undefined) {
      this.#connecting = new PendingConnection();
      this.#policy.reset();
      this.#clearTimers();
      this.#setState('connecting');
      void this.#open();
    }
    return this.#connecting.promise;
  }

  /** Close the connection. What was sent before is still delivered. */
  disconnect(): void {
    const socket = this.#socket;
    this.#connection += 1;
    this.#socket = undefined;
    socket?.close(1000);
    this.#finish(new APIError('disconnected', 'disconnect() was called'));
  }

  getState(): ConnectionState {
    return this.#state;
  }

  /** Return the position behind the last message, for the option `since` of a later connection. */
  getCursor(): string {
    return this.#cursor;
  }

  // -------------------------------------------------------------- sending

  /**
   * Send a prompt. Throw APIError(not_connected) while there is no connection.
   *
   * A `prompt_id` comes back in the payload of the user message, and the server sends a prompt of the same id once.
   */
  sendPrompt(text: string, options: { prompt_id?: string } = {}): void {
    this.#send('prompt', { text, ...options }, this.#options.queueWhileDisconnected);
  }

  /** End the present turn; the session continues. */
  sendInterrupt(): void {
    this.#send('interrupt');
  }

  sendHeartbeat(): void {
    this.#send('heartbeat');
  }

  /** Allow or deny a tool call. */
  sendToolApproval(approval: ToolApproval): void {
    this.#send('tool_approval_response', approval);
    this.#filter.noteAnswer(approval.tool_use_id);
  }

  /** Answer the questions of an ask_user_question message. */
  sendAnswers(answers: Answers): void {
    this.#send('ask_user_question_response', answers);
    this.#filter.noteAnswer(answers.question_id);
  }

  requestUpload(request: WebSocketUploadRequest): void {
    this.#send('upload_request', request);
  }

  notifyUploadComplete(complete: WebSocketUploadComplete): void {
    this.#send('upload_complete', complete);
  }

  requestDownload(request: WebSocketDownloadRequest): void {
    this.#send('download_request', request);
  }

  /** Call a function for every message; return the function that ends it. */
  addMessageListener(listener: (msg: WebSocketMessage) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Call a function whenever a connection ends; return the function that ends it. */
  addLossListener(listener: (error: APIError) => void): () => void {
    this.#lossListeners.add(listener);
    return () => this.#lossListeners.delete(listener);
  }

  #send(type: string, payload?: object, mayWait = false): void {
    const frame = JSON.stringify(payload === undefined ? { type } : { type, payload });
    if (new TextEncoder().encode(frame).length > LARGEST_MESSAGE) {
      throw new APIError('too_large', `a message has at most ${LARGEST_MESSAGE} bytes`, 413);
    }
    if (this.#socket?.readyState === OPEN && this.#state === 'connected') {
      this.#socket.send(frame);
    } else if (mayWait && this.#state !== 'disconnected') {
      this.#queue.push(frame);
    } else {
      throw new APIError('not_connected', `not sent, the connection is ${this.#state}: ${type}`);
    }
  }

  // -------------------------------------------------------------- one connection

  async #open(): Promise<void> {
    const connection = ++this.#connection;
    this.#socket?.close();
    this.#socket = undefined;
    let socket: WebSocket;
    try {
      const Implementation = this.#implementation ?? (await findWebSocket());
      if (connection !== this.#connection) return;
      socket = new Implementation(this.#address());
    } catch (problem) {
      // the platform's own text would show the address, and with it the token
      const error = problem instanceof APIError ? problem : new APIError('invalid_url', 'no valid address of a session');
      if (connection === this.#connection) this.#finish(error);
      return;
    }
    this.#socket = socket;
    this.#filter.begin();
    socket.binaryType = 'arraybuffer';
    this.#listen(socket, connection);
  }

  /** Set every listener in the same step in which the socket is made: no message can come before. */
  #listen(socket: WebSocket, connection: number): void {
    let problem = '';
    const isPresent = (): boolean => connection === this.#connection;
    const close = (code: number, reason: string): void => {
      if (isPresent()) this.#closed(code, reason, problem);
    };
    const abandon = (text: string): void => {
      problem = problem || text;
      socket.close();
      close(1006, '');
    };
    this.#after(this.#options.connectTimeout, () => abandon(`no connection within ${this.#options.connectTimeout} ms`));
    socket.addEventListener('open', () => {
      if (isPresent()) this.#after(SILENT_START, () => this.#accept());
    });
    socket.addEventListener('message', (event: MessageEvent) => {
      if (isPresent()) this.#receive(event.data);
    });
    socket.addEventListener('error', (event: Event) => {
      problem = (event as Event & { message?: string }).message ?? '';
      if (isPresent()) this.#after(1000, () => close(1006, '')); // some platforms give no close after a failed start
    });
    socket.addEventListener('close', (event: CloseEvent) => close(event.code, event.reason));
  }

  #address(): string {
    if (!this.#cursor) return this.#url;
    const url = new URL(this.#url);
    url.searchParams.set('since', this.#cursor);
    return url.href;
  }

  #accept(): void {
    if (this.#state === 'connected') return;
    this.#clearTimers();
    this.#connectedAt = Date.now();
    this.#beat();
    this.#setState('connected');
    this.#connecting?.resolve();
    this.#connecting = undefined;
    for (const frame of this.#queue.splice(0)) this.#socket?.send(frame);
  }

  #beat(): void {
    this.#after(this.#options.heartbeatInterval, () => {
      if (this.#socket?.readyState === OPEN) this.sendHeartbeat();
      this.#beat();
    });
  }

  #closed(code: number, reason: string, problem: string): void {
    const lived = this.#connectedAt === undefined ? 0 : Date.now() - this.#connectedAt;
    const { error, isFinal, isQuiet } = judgeClose(code, reason, problem);
    const isWanted = !isFinal && !this.#ended && this.#options.autoReconnect && this.#connecting === undefined;
    const delay = isWanted ? this.#policy.nextDelay(lived) : undefined;
    this.#connection += 1;
    this.#socket = undefined;
    if (delay === undefined) {
      const isFirst = this.#connecting !== undefined;
      this.#finish(error);
      if (!isFirst && !this.#ended && !isQuiet) this.#call(this.#handlers.onError, error);
      return;
    }
    this.#dropConnection(error);
    this.#setState('reconnecting');
    this.#after(delay, () => void this.#open());
  }

  /** End all that belongs to a connection. */
  #dropConnection(error: APIError): void {
    this.#clearTimers();
    this.#connectedAt = undefined;
    for (const listener of [...this.#lossListeners]) this.#call(listener, error);
  }

  #finish(error: APIError): void {
    this.#dropConnection(error);
    const connecting = this.#connecting;
    this.#connecting = undefined;
    const unsent = this.#queue.splice(0).length;
    this.#setState('disconnected');
    connecting?.reject(error);
    if (unsent) this.#call(this.#handlers.onError, new APIError('not_sent', `${unsent} prompts were not sent`));
  }

  // -------------------------------------------------------------- messages

  #receive(data: unknown): void {
    const message = parseMessage(data);
    if (message === undefined) return;
    const connection = this.#connection;
    this.#accept();
    if (message.type !== 'history') {
      this.#deliver(message, true);
    } else {
      this.#call(this.#handlers.onHistory, message);
      for (const each of message.payload.messages) {
        if (connection !== this.#connection) return; // a handler has called disconnect()
        this.#deliver(each, false);
      }
      this.#cursor = message.cursor || this.#cursor;
    }
    if (this.#ended && connection === this.#connection) this.#socket?.close(1000);
  }

  #deliver(message: WebSocketMessage, isLive: boolean): void {
    const { isNew, isAsked } = this.#filter.note(message, isLive);
    if (isNew) {
      this.#cursor = message.cursor || this.#cursor;
      for (const listener of [...this.#listeners]) this.#call(listener, message);
      this.#call(this.#handlers.onMessage, message);
      this.#callHandlerOf(message);
    }
    if (isAsked && message.type === 'tool_approval_request') this.#call(this.#handlers.onToolApproval, message);
    if (isAsked && message.type === 'ask_user_question') this.#call(this.#handlers.onQuestion, message);
  }

  #callHandlerOf(message: WebSocketMessage): void {
    const handlers = this.#handlers;
    switch (message.type) {
      case 'assistant':
        return this.#call(handlers.onAssistant, message);
      case 'tool_use':
        return this.#call(handlers.onToolUse, message);
      case 'tool_result':
        return this.#call(handlers.onToolResult, message);
      case 'user':
        return this.#call(handlers.onUser, message);
      case 'system':
        return this.#call(handlers.onSystem, message);
      case 'result':
        return this.#call(handlers.onResult, message);
      case 'session_end':
        this.#ended = true;
        return this.#call(handlers.onSessionEnd, message);
      case 'error': {
        const { code, message: text } = message.payload;
        return this.#call(handlers.onError, new APIError(code, text, 0, { details: message.payload }));
      }
      case 'session_error':
        return this.#call(handlers.onError, new APIError('session_error', message.payload.error));
    }
  }

  /** Call a handler; its exception is reported as uncaught and costs no other message. */
  #call<Value>(handler: ((value: Value) => void) | undefined, value: Value): void {
    try {
      handler?.(value);
    } catch (problem) {
      queueMicrotask(() => {
        throw problem;
      });
    }
  }

  // -------------------------------------------------------------- state

  #setState(state: ConnectionState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#call(this.#handlers.onConnectionChange, state);
  }

  #after(delay: number, action: () => void): void {
    this.#timers.push(setTimeout(action, delay));
  }

  #clearTimers(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
  }
}

/** `WebSocket.OPEN`, which is not there before a class is found. */
const OPEN = 1;

class PendingConnection {
  resolve!: () => void;
  reject!: (error: APIError) => void;
  readonly promise = new Promise<void>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor() {
    this.promise.catch(() => {}); // the state shows the failure to a caller that does not wait
  }
}

/** Return a connection to a session, not yet connected. */
export function createSessionWebSocket(
  url: string,
  handlers: WebSocketHandlers = {},
  options: WebSocketOptions = {},
  implementation?: WebSocketClass,
): SessionWebSocket {
  return new SessionWebSocket(url, handlers, options, implementation);
}
