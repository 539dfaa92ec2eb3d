import { APIError, errorOfAnswer, parseObject } from './errors.js';

export type FetchFunction = typeof globalThis.fetch;

/** Return a function that calls the given one, or that of the platform, as browsers demand: not as a method of an object. */
export function bindFetch(given: FetchFunction | undefined): FetchFunction {
  return (input, init) => (given ?? globalThis.fetch)(input, init);
}

export interface RetryOptions {
  /** Further attempts after the first one; default 3. */
  maxRetries?: number;
  /** Milliseconds before the second attempt, doubled for each further one; default 1000. */
  retryDelay?: number;
  /** HTTP statuses that are tried again; default 429, 502, 503, 504. */
  retryOn?: readonly number[];
}

export interface HttpOptions {
  baseUrl: string;
  token: string;
  timeout: number;
  retry: RetryOptions;
  fetch: FetchFunction;
}

export type Query = Record<string, string | number | undefined>;

/** A server that asks for a longer pause gets no further attempt. */
const LONGEST_PAUSE = 60_000;

/** Sends requests to one server: with a time limit each, and again where that cannot do anything twice. */
export class HttpConnection {
  readonly baseUrl: string;
  readonly #options: HttpOptions;
  readonly #retry: Required<RetryOptions>;

  constructor(options: HttpOptions) {
    this.baseUrl = options.baseUrl.replace(/\/+$/, '');
    this.#options = options;
    this.#retry = {
      maxRetries: options.retry.maxRetries ?? 3,
      retryDelay: options.retry.retryDelay ?? 1000,
      retryOn: options.retry.retryOn ?? [429, 502, 503, 504],
    };
  }

  /** Return the JSON object of the answer. Throw APIError. */
  async request<T>(method: string, path: string, body?: object, query: Query = {}): Promise<T> {
    const attempts = isRepeatable(method, body) ? this.#retry.maxRetries : 0;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return (await this.#send(method, path, body, query)) as T;
      } catch (problem) {
        const pause = this.#pauseBefore(attempt, problem);
        if (attempt >= attempts || pause === undefined) throw problem;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  /** Return the milliseconds to wait before the next attempt; undefined if there should be none. */
  #pauseBefore(attempt: number, problem: unknown): number | undefined {
    if (!(problem instanceof APIError)) return undefined;
    if (problem.status !== 0 && !this.#retry.retryOn.includes(problem.status)) return undefined;
    const pause =
      problem.retryAfter === undefined ? this.#retry.retryDelay * 2 ** attempt : problem.retryAfter * 1000;
    return pause > LONGEST_PAUSE ? undefined : pause;
  }

  async #send(method: string, path: string, body: object | undefined, query: Query): Promise<unknown> {
    const headers: Record<string, string> = {
      Accept: 'application/json',
      Authorization: `Bearer ${this.#options.token}`,
    };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const signal = AbortSignal.timeout(this.#options.timeout);
    let response: Response;
    let text: string;
    try {
      response = await this.#options.fetch(this.baseUrl + path + encodeQuery(query), {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        signal,
      });
      text = await response.text();
    } catch (cause) {
      throw errorOfFailure(`${method} ${path}`, cause, signal.aborted, this.#options.timeout);
    }
    if (!response.ok) {
      throw errorOfAnswer(response.status, text, parseRetryAfter(response.headers.get('Retry-After')));
    }
    return parseObject(text);
  }
}

/** Return the error of a request that got no answer. */
export function errorOfFailure(what: string, cause: unknown, timedOut: boolean, timeout: number): APIError {
  if (timedOut) return new APIError('timeout', `${what}: no answer within ${timeout} ms`, 0, { cause });
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const reason = inner instanceof Error ? inner.message : String(inner);
  return new APIError('network_error', `${what}: ${reason || 'connection failed'}`, 0, { cause });
}

function isRepeatable(method: string, body: object | undefined): boolean {
  if (method !== 'POST') return true;
  return body !== undefined && 'idempotent_key' in body && Boolean(body.idempotent_key);
}

function encodeQuery(query: Query): string {
  const words = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return words.length ? `?${new URLSearchParams(words)}` : '';
}

/** Return the seconds of a Retry-After header: a number or an HTTP date. */
export function parseRetryAfter(header: string | null): number | undefined {
  if (!header) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - Date.now()) / 1000);
}
