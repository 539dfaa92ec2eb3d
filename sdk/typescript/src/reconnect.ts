import { APIError } from './errors.js';

const SHORTEST_LIFE = 10_000;
const LONGEST_DELAY = 30_000;

/** Close codes after which another connection would end like this one. */
const FINAL: ReadonlyMap<number, [error: string, status: number]> = new Map([
  [1000, ['closed', 0]],
  [1008, ['forbidden', 403]],
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
  ) {}

  /** Return the milliseconds until the next attempt; undefined if there should be none. */
  nextDelay(lived: number): number | undefined {
    if (lived >= SHORTEST_LIFE) this.#attempts = 0;
    if (this.#attempts >= this.maxAttempts) return undefined;
    const delay = this.firstDelay * 2 ** this.#attempts * (1 + 0.3 * Math.random());
    this.#attempts += 1;
    return Math.min(LONGEST_DELAY, delay);
  }

  reset(): void {
    this.#attempts = 0;
  }
}

/** Return the error of a closed connection, and whether a further one is of no use. */
export function judgeClose(code: number, reason: string, problem: string): { error: APIError; isFinal: boolean } {
  const known = FINAL.get(code);
  if (known !== undefined) {
    return { error: new APIError(known[0], reason || `closed with code ${code}`, known[1]), isFinal: true };
  }
  const refusal = /Unexpected server response: (\d{3})/.exec(problem); // the package ws; browsers hide the status
  if (refusal !== null) {
    const status = Number(refusal[1]);
    const isFinal = status === 401 || status === 403 || status === 404;
    return { error: new APIError(`http_${status}`, `the server refused the connection: HTTP ${status}`, status), isFinal };
  }
  const text = reason || problem || `closed with code ${code}`;
  return { error: new APIError('connection_lost', `connection lost: ${text}`), isFinal: false };
}
