import type { WebSocketMessage } from './messages.js';

/** Messages whose repetition is recognized. */
const KEPT = 100_000;

/**
 * Finds what comes again at a further connection: the status, the open dialogs, the end; and all the messages that
 * were read, if the server begins anew (`reset`).
 */
export class RepeatFilter {
  readonly #requests = new Set<string>();
  readonly #asked = new Set<string>();
  #status = '';
  #dialog = '';
  #ended = false;
  readonly #read = new Set<number>();

  /** Return whether a message is new, and whether it is a request that must be answered now, for the first time. */
  note(message: WebSocketMessage, isLive: boolean): { isNew: boolean; isAsked: boolean } {
    switch (message.type) {
      case 'tool_approval_request':
        return this.#noteRequest(message.payload.tool_use_id, isLive);
      case 'ask_user_question':
        return this.#noteRequest(message.payload.question_id, isLive);
      case 'session_status': {
        const former = this.#status;
        this.#status = JSON.stringify(message.payload);
        return { isNew: this.#status !== former, isAsked: false };
      }
      case 'dialog': {
        const former = this.#dialog;
        this.#dialog = JSON.stringify(message.payload);
        return { isNew: this.#dialog !== former, isAsked: false };
      }
      case 'system':
        if (message.payload.subtype === 'dialog_closed') this.#dialog = '';
        return { isNew: this.#noteRead(message, isLive), isAsked: false };
      case 'session_end': {
        const isNew = !this.#ended;
        this.#ended = true;
        return { isNew, isAsked: false };
      }
      default:
        return { isNew: this.#noteRead(message, isLive), isAsked: false };
    }
  }

  #noteRead(message: WebSocketMessage, isLive: boolean): boolean {
    if (!message.cursor) return true;
    const key = hash(message.cursor + message.type + JSON.stringify(message.payload));
    if (!isLive && this.#read.has(key)) return false;
    this.#read.add(key);
    if (this.#read.size > KEPT) this.#read.delete(this.#read.values().next().value as number);
    return true;
  }

  /** A request inside a history may be decided already; one that is open comes again behind the history. */
  #noteRequest(id: string, isLive: boolean): { isNew: boolean; isAsked: boolean } {
    const isNew = !this.#requests.has(id);
    const isAsked = isLive && !this.#asked.has(id);
    this.#requests.add(id);
    if (isLive) this.#asked.add(id);
    return { isNew, isAsked };
  }
}

/** Return a number of 53 bits for a text (cyrb53). */
function hash(text: string): number {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}
