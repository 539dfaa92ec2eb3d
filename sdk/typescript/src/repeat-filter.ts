import type { WebSocketMessage } from './messages.js';

/** Messages whose repetition is recognized. */
const KEPT = 100_000;

/**
 * Finds what comes again at a further connection: the status, the open dialogs, the end; and all the messages that
 * were read, if the server begins anew (`reset`).
 */
export class RepeatFilter {
  readonly #open = new Map<string, OpenDialog>();
  readonly #answered = new Set<string>();
  #status = '';
  #ended = false;
  readonly #read = new Set<number>();

  /** Return whether a message is new, and whether it is a request that must be answered now, for the first time. */
  note(message: WebSocketMessage, isLive: boolean): { isNew: boolean; isAsked: boolean } {
    const dialog = findDialog(message);
    if (dialog !== undefined) return this.#noteDialog(message, dialog, isLive);
    if (message.type === 'session_status') {
      const former = this.#status;
      this.#status = JSON.stringify(message.payload);
      return { isNew: this.#status !== former, isAsked: false };
    }
    if (message.type === 'session_end') {
      const isNew = !this.#ended;
      this.#ended = true;
      return { isNew, isAsked: false };
    }
    if (message.type === 'system') this.#closeDialogs(message.payload);
    return { isNew: this.#noteRead(message, isLive), isAsked: isLive };
  }

  /** Note a further connection. A dialog that was answered and comes again is a new one, or the answer was lost. */
  begin(): void {
    for (const id of this.#answered) this.#open.delete(id);
    this.#answered.clear();
  }

  /** Note an answer that was sent; its dialog may still come from the present connection. */
  noteAnswer(id: string): void {
    this.#answered.add(id);
  }

  #noteRead(message: WebSocketMessage, isLive: boolean): boolean {
    const place = message.cursor || message.timestamp;
    if (!place) return true;
    const key = hash(place + message.type + JSON.stringify(message.payload));
    if (!isLive && this.#read.has(key)) return false;
    this.#read.add(key);
    if (this.#read.size > KEPT) this.#read.delete(this.#read.values().next().value as number);
    return true;
  }

  /** A request inside a history may be decided already; one that is open comes again behind the history. */
  #noteDialog(message: WebSocketMessage, { id, kind }: Dialog, isLive: boolean): { isNew: boolean; isAsked: boolean } {
    const known = this.#open.get(id);
    const isNew = this.#noteRead(message, isLive) && known === undefined;
    const isAsked = isLive && known?.isAsked !== true;
    this.#open.set(id, { kind, isAsked: isLive || known?.isAsked === true });
    return { isNew, isAsked };
  }

  #closeDialogs(payload: { subtype?: string; message?: string; tool_use_id?: string }): void {
    if (payload.subtype === 'approval_decided') this.#open.delete(payload.tool_use_id ?? '');
    if (payload.subtype !== 'dialog_closed') return;
    for (const [id, { kind }] of this.#open) if (kind === payload.message) this.#open.delete(id);
  }
}

interface Dialog {
  id: string;
  kind: string;
}

interface OpenDialog {
  kind: string;
  isAsked: boolean;
}

/** Return id and kind of the dialog that a message opens. */
function findDialog(message: WebSocketMessage): Dialog | undefined {
  let id: string | undefined;
  let kind: string = message.type;
  if (message.type === 'tool_approval_request') id = message.payload.tool_use_id;
  else if (message.type === 'ask_user_question') id = message.payload.question_id;
  else if (message.type === 'dialog') {
    kind = message.payload.kind;
    id = message.payload.id || kind;
  }
  return id ? { id, kind } : undefined;
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
