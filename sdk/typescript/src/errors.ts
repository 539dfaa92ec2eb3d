/** A call that failed: answered with an error, or not answered at all. */
export class APIError extends Error {
  /** Machine-readable code: that of the server, or network_error, timeout, not_connected, connection_lost, ... */
  readonly error: string;
  /** HTTP status; 0 if there was no HTTP answer. */
  readonly status: number;
  /** Fields that the server gave with the error. */
  readonly details: unknown;
  /** Seconds after which the server accepts the call again. */
  readonly retryAfter: number | undefined;

  constructor(error: string, message: string, status = 0, extra: APIErrorExtra = {}) {
    super(message, extra.cause === undefined ? undefined : { cause: extra.cause });
    this.name = 'APIError';
    this.error = error;
    this.status = status;
    this.details = extra.details;
    this.retryAfter = extra.retryAfter;
  }
}

export interface APIErrorExtra {
  details?: unknown;
  retryAfter?: number | undefined;
  cause?: unknown;
}

/** Return the error of an HTTP answer whose status is no success. */
export function errorOfAnswer(status: number, text: string, retryAfter?: number): APIError {
  const body = parseObject(text);
  const code = typeof body.error === 'string' ? body.error : `http_${status}`;
  const message = typeof body.message === 'string' ? body.message : text.slice(0, 300) || `HTTP status ${status}`;
  return new APIError(code, message, status, { details: body.details, retryAfter });
}

/** Return the JSON object in a text; an empty one if it holds anything else. */
export function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {};
  } catch {
    return {};
  }
}
