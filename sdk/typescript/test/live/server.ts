import { createClient, createSessionWebSocket, type AISessionsClient, type SessionWebSocket } from 'lisa-sessions';
import { APIError, type WebSocketHandlers, type WebSocketMessage, type WebSocketOptions } from 'lisa-sessions';

/** The running server that the test names. */
export const URL = process.env.AI_SESSIONS_URL ?? '';
export const TOKEN = process.env.AI_SESSIONS_TOKEN ?? '';

export function connectClient(token = TOKEN): AISessionsClient {
  return createClient({ baseUrl: URL, token, retry: { retryDelay: 20 } });
}

export async function failure(call: Promise<unknown>): Promise<[status: number, error: string]> {
  try {
    await call;
  } catch (problem) {
    if (problem instanceof APIError) return [problem.status, problem.error];
    throw problem;
  }
  throw new Error('the call did not fail');
}

/** A connection that keeps what it receives. */
export class Listener {
  readonly ws: SessionWebSocket;
  readonly messages: WebSocketMessage[] = [];
  #checks = new Set<() => void>();

  constructor(client: AISessionsClient, sessionId: string, handlers: WebSocketHandlers = {}, options?: WebSocketOptions) {
    const all = handlers.onMessage;
    this.ws = createSessionWebSocket(
      client.getWebSocketURL(sessionId),
      {
        ...handlers,
        onMessage: (msg) => {
          this.messages.push(msg);
          all?.(msg);
          for (const check of [...this.#checks]) check();
        },
      },
      options,
    );
  }

  /** Wait until a message matches; return it. */
  waitFor<Type extends WebSocketMessage['type']>(type: Type, part = ''): Promise<Extract<WebSocketMessage, { type: Type }>> {
    return new Promise((resolve, reject) => {
      const find = () => this.messages.find((msg) => msg.type === type && JSON.stringify(msg.payload).includes(part));
      const timer = setTimeout(() => {
        reject(new Error(`no ${type} with ${part}; got ${JSON.stringify(this.messages.map((msg) => [msg.type, msg.payload]))}`));
      }, 30_000);
      const check = (): void => {
        const found = find();
        if (found === undefined) return;
        clearTimeout(timer);
        this.#checks.delete(check);
        resolve(found as Extract<WebSocketMessage, { type: Type }>);
      };
      this.#checks.add(check);
      check();
    });
  }
}
