import type { AISessionsClient } from './client.js';
import { APIError, errorOfAnswer } from './errors.js';
import { bindFetch, errorOfFailure, type FetchFunction } from './http.js';
import type { ErrorMessage, WebSocketMessage } from './messages.js';
import type { SessionWebSocket } from './session-websocket.js';

export interface TransferOptions {
  /** Called with the percentage that is transferred, 0 to 100. */
  onProgress?: (percent: number) => void;
}

export interface TransferConnection {
  fetch?: FetchFunction;
  /** Milliseconds without progress, or for an answer; default 30000. */
  timeout?: number;
}

const DEFAULT_TYPE = 'application/octet-stream';

/** Moves files by the REST routes. */
export class FileTransfer {
  readonly #client: AISessionsClient;

  constructor(client: AISessionsClient) {
    this.#client = client;
  }

  /** Upload a file; return its path in the session. Throw APIError. */
  async uploadFile(sessionId: string, file: Blob, filename: string, options: TransferOptions = {}): Promise<string> {
    const type = file.type || DEFAULT_TYPE;
    const place = await this.#client.requestUploadURL(sessionId, {
      filename,
      content_type: type,
      size: file.size,
    });
    await putFile(place.upload_url, file, type, options, this.#client);
    const done = await this.#client.notifyUploadComplete(sessionId, place.upload_id);
    return done.path ?? place.target_path;
  }

  /** Return the content of a download address. Throw APIError. */
  downloadFromURL(url: string, options: TransferOptions = {}): Promise<Blob> {
    return getFile(url, options, this.#client);
  }
}

/** Moves files with requests over the WebSocket of a session; the bytes go over HTTP. */
export class WebSocketFileTransfer {
  readonly #ws: SessionWebSocket;
  readonly #connection: Required<TransferConnection>;

  constructor(ws: SessionWebSocket, connection: TransferConnection = {}) {
    this.#ws = ws;
    this.#connection = {
      fetch: bindFetch(connection.fetch),
      timeout: connection.timeout ?? 30_000,
    };
  }

  /** Upload a file; return its path in the session. Throw APIError. */
  async uploadFile(file: Blob, filename: string, options: TransferOptions = {}): Promise<string> {
    const request_id = makeRequestId();
    const type = file.type || DEFAULT_TYPE;
    const request = { request_id, filename, content_type: type, size: file.size };
    const place = await this.#ask('upload_url', { request_id }, () => this.#ws.requestUpload(request));
    await putFile(place.payload.url, file, type, options, this.#connection);
    const path = place.payload.target_path;
    await this.#ask('system', { request_id, path }, () =>
      this.#ws.notifyUploadComplete({ request_id, filename, path }),
    );
    return path;
  }

  /** Return the content of a file of the session. Throw APIError. */
  async downloadFile(path: string, options: TransferOptions = {}): Promise<Blob> {
    const request_id = makeRequestId();
    const place = await this.#ask('download_url', { request_id }, () => this.#ws.requestDownload({ request_id, path }));
    return getFile(place.payload.url, options, this.#connection);
  }

  /** Send a request and return its answer: the message of a type with the request's id, or about its file. */
  #ask<Type extends 'upload_url' | 'download_url' | 'system'>(
    type: Type,
    request: FileRequest,
    send: () => void,
  ): Promise<Extract<WebSocketMessage, { type: Type }>> {
    const { timeout } = this.#connection;
    return new Promise((resolve, reject) => {
      const settle = (action: () => void): void => {
        stopMessages();
        stopLosses();
        clearTimeout(timer);
        action();
      };
      const stopMessages = this.#ws.addMessageListener((msg) => {
        if (msg.type === 'error' && msg.payload.request_id === request.request_id) {
          settle(() => reject(errorOfMessage(msg)));
        } else if (msg.type === type && isAnswer(msg, request)) {
          settle(() => resolve(msg as Extract<WebSocketMessage, { type: Type }>));
        }
      });
      const stopLosses = this.#ws.addLossListener((error) => settle(() => reject(error)));
      const timer = setTimeout(() => {
        settle(() => reject(new APIError('timeout', `no answer to ${request.request_id} within ${timeout} ms`)));
      }, timeout);
      try {
        send();
      } catch (problem) {
        settle(() => reject(problem));
      }
    });
  }
}

export function createFileTransfer(client: AISessionsClient): FileTransfer {
  return new FileTransfer(client);
}

export function createWebSocketFileTransfer(ws: SessionWebSocket, connection?: TransferConnection): WebSocketFileTransfer {
  return new WebSocketFileTransfer(ws, connection);
}

// ---------------------------------------------------------------- bytes

interface Transport {
  fetch: FetchFunction;
  timeout: number;
}

/** Ends a transfer that makes no progress. */
class StallTimer {
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly timeout: number) {
    this.restart();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  restart(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(), this.timeout);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

async function putFile(url: string, file: Blob, type: string, options: TransferOptions, by: Transport): Promise<void> {
  const stall = new StallTimer(by.timeout);
  const progress = new Progress(file.size, options.onProgress, stall);
  try {
    const { status, text } =
      typeof globalThis.XMLHttpRequest === 'function'
        ? await putByXhr(url, file, type, progress, stall.signal)
        : await putByFetch(url, file, type, progress, stall.signal, by.fetch);
    if (status < 200 || status > 299) throw errorOfAnswer(status, text);
    progress.finish();
  } catch (cause) {
    throw cause instanceof APIError ? cause : errorOfFailure('upload', cause, stall.signal.aborted, by.timeout);
  } finally {
    stall.stop();
  }
}

interface PutAnswer {
  status: number;
  text: string;
}

async function putByFetch(
  url: string,
  file: Blob,
  type: string,
  progress: Progress,
  signal: AbortSignal,
  fetch: FetchFunction,
): Promise<PutAnswer> {
  const headers: Record<string, string> = { 'Content-Type': type };
  const init: RequestInit & { duplex?: 'half' } = { method: 'PUT', headers, signal };
  if (isNode() && file.size > 0) {
    headers['Content-Length'] = String(file.size);
    init.body = readPieces(file).pipeThrough(progress.counter());
    init.duplex = 'half';
  } else {
    init.body = file;
  }
  const response = await fetch(url, init);
  return { status: response.status, text: await response.text() };
}

const PIECE = 1 << 16;

/** Return the bytes of a file as a stream of small pieces; `file.stream()` gives a file in memory as one. */
function readPieces(file: Blob): ReadableStream<Uint8Array<ArrayBuffer>> {
  let offset = 0;
  return new ReadableStream({
    pull: async (controller) => {
      const piece = await file.slice(offset, offset + PIECE).arrayBuffer();
      offset += piece.byteLength;
      if (piece.byteLength > 0) controller.enqueue(new Uint8Array(piece));
      else controller.close();
    },
  });
}

/** Elsewhere a stream as body is refused, or sent as the text "[object ReadableStream]". */
function isNode(): boolean {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  return process?.versions?.node !== undefined;
}

/** In browsers only XMLHttpRequest reports how much of a body is sent. */
function putByXhr(url: string, file: Blob, type: string, progress: Progress, signal: AbortSignal): Promise<PutAnswer> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('PUT', url);
    request.setRequestHeader('Content-Type', type);
    request.upload.onprogress = (event) => progress.set(event.loaded);
    request.onload = () => resolve({ status: request.status, text: request.responseText });
    request.onerror = () => reject(new Error('connection failed'));
    request.onabort = () => reject(new Error('aborted'));
    signal.addEventListener('abort', () => request.abort());
    request.send(file);
  });
}

async function getFile(url: string, options: TransferOptions, by: Transport): Promise<Blob> {
  const stall = new StallTimer(by.timeout);
  try {
    const response = await by.fetch(url, { signal: stall.signal });
    if (!response.ok) throw errorOfAnswer(response.status, await response.text());
    const progress = new Progress(Number(response.headers.get('Content-Length')), options.onProgress, stall);
    const type = response.headers.get('Content-Type') ?? '';
    const body = response.body?.pipeThrough(progress.counter()) ?? null;
    const content = await new Response(body).arrayBuffer();
    progress.finish();
    return new Blob([content], { type });
  } catch (cause) {
    throw cause instanceof APIError ? cause : errorOfFailure('download', cause, stall.signal.aborted, by.timeout);
  } finally {
    stall.stop();
  }
}

/** Reports each new percentage once, and 100 when all is done. */
class Progress {
  #bytes = 0;
  #reported = -1;

  constructor(
    readonly size: number,
    readonly report: ((percent: number) => void) | undefined,
    readonly stall: StallTimer,
  ) {}

  /** Return a stream that counts what passes. */
  counter(): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
    return new TransformStream({
      transform: (chunk, controller) => {
        this.set(this.#bytes + chunk.byteLength);
        controller.enqueue(chunk);
      },
    });
  }

  set(bytes: number): void {
    this.stall.restart();
    this.#bytes = bytes;
    if (this.size > 0) this.#tell(Math.min(99, Math.floor((bytes * 100) / this.size)));
  }

  finish(): void {
    this.#tell(100);
  }

  #tell(percent: number): void {
    if (percent <= this.#reported) return;
    this.#reported = percent;
    this.report?.(percent);
  }
}

/** What an answer is recognized by. */
interface FileRequest {
  request_id: string;
  /** For the end of an upload, of which every reader of the session gets the path alone. */
  path?: string;
}

function isAnswer(msg: WebSocketMessage, request: FileRequest): boolean {
  const payload = msg.payload as { request_id?: unknown; path?: unknown; subtype?: unknown };
  if (msg.type !== 'system') return payload.request_id === request.request_id;
  return payload.subtype === 'file_uploaded' && payload.path === request.path;
}

function errorOfMessage(msg: ErrorMessage): APIError {
  return new APIError(msg.payload.code, msg.payload.message, 0, { details: msg.payload });
}

function makeRequestId(): string {
  // crypto.randomUUID is missing on pages without TLS
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `req_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
