import { APIError } from './errors.js';

const SHORTEST_LIFE = 10_000;
const LONGEST_DELAY = 30_000;

/** Close codes after which another connection may succeed; 1005 and 1006 are ends without a code. */
const PASSING_CODES: readonly number[] = [1001, 1005, 1006, 1011, 1012, 1013, 1014, 4101, 4500];
/** HTTP statuses of a refused handshake of which the same holds. */
const PASSING_STATUSES: readonly number[] = [429, 500, 502, 503, 504];
/** The server has sent everything. */
const QUIET_CODES: readonly number[] = [1000, 4100];

const ERRORS: ReadonlyMap<number, [error: string, status: number]> = new Map([
  [1000, ['closed', 0]],
  [1008, ['forbidden', 403]],
  [1009, ['too_large', 413]],
  [4001, ['unauthorized', 401]],
  [4003, ['forbidden', 403]],
  [4004, ['not_found', 404]],
  [4009, ['session_not_running', 409]],
  [4100, ['session_ended', 409]],
  [4400, ['invalid_request', 400]],
]);

/** Decides whether and when a lost connection is made again. */
export class ReconnectPolicy {
  #attempts = 0;

  constructor(
    readonly maxAttempts: number,
    readonly firstDelay: number,
    readonly jitter: () => number = Math.random,
  ) {}

  /** Return the milliseconds until the next attempt; undefined if there should be none. */
  nextDelay(lived: number): number | undefined {
    if (lived >= SHORTEST_LIFE) this.#attempts = 0;
    if (this.#attempts >= this.maxAttempts) return undefined;
    const delay = this.firstDelay * 2 ** this.#attempts * (1 + 0.3 * this.jitter());
    this.#attempts += 1;
    return Math.min(LONGEST_DELAY, delay);
  }

  reset(): void {
    this.#attempts = 0;
  }
}

export interface ConnectionEnd {
  error: APIError;
  /** Another connection would end like this one. */
  isFinal: boolean;
  /** The end is no failure. */
  isQuiet: boolean;
}

/** Return the meaning of a closed connection. */
export function judgeClose(code: number, reason: string, problem: string): ConnectionEnd {
  const refusal = /Unexpected server response: (\d{3})/.exec(problem); // the package ws; browsers hide the status
  if (refusal !== null) {
    const status = Number(refusal[1]);
    const error = new APIError(`http_${status}`, `the server refused the connection: HTTP ${status}`, status);
    return { error, isFinal: !PASSING_STATUSES.includes(status), isQuiet: false };
  }
  const isFinal = !PASSING_CODES.includes(code);
  const text = reason || problem || `closed with code ${code}`;
  const [name, status] = ERRORS.get(code) ?? ['connection_lost', 0];
  const error = new APIError(name, name === 'connection_lost' ? `connection lost: ${text}` : text, status);
  return { error, isFinal, isQuiet: QUIET_CODES.includes(code) };
}
