import type { WebSocketMessage } from './messages.js';

/** Finds what the server sends anew at each connection: the status, the open dialogs, the end. */
export class RepeatFilter {
  readonly #requests = new Set<string>();
  readonly #asked = new Set<string>();
  #status = '';
  #dialog = '';
  #ended = false;

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
        return { isNew: true, isAsked: false };
      case 'session_end': {
        const isNew = !this.#ended;
        this.#ended = true;
        return { isNew, isAsked: false };
      }
      default:
        return { isNew: true, isAsked: false };
    }
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
