import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';

export interface Reply {
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
  /** Close the TCP connection instead of an answer. */
  drop?: boolean;
  /** Never answer. */
  hang?: boolean;
}

export interface RecordedRequest {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

type Route = Reply | Reply[] | ((request: RecordedRequest) => Reply);

/** A server whose answers and messages the test decides. */
export class LoopbackServer {
  readonly requests: RecordedRequest[] = [];
  readonly routes = new Map<string, Route>();
  /** Called for each WebSocket with its number, from 0. */
  onSocket: (socket: WebSocket, request: IncomingMessage, index: number) => void = () => {};
  /** Messages of the client, of all sockets. */
  readonly received: any[] = [];
  readonly socketUrls: string[] = [];
  readonly sockets: WebSocket[] = [];
  /** Refuse the handshake with this status. */
  refuse = 0;
  #http: Server;
  #ws = new WebSocketServer({ noServer: true, perMessageDeflate: true });
  #connections = new Set<Socket>();
  port = 0;

  constructor() {
    this.#http = this.#makeServer();
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<this> {
    this.#http.listen(this.port, '127.0.0.1');
    await once(this.#http, 'listening');
    this.port = (this.#http.address() as AddressInfo).port;
    return this;
  }

  /** End everything at once, as a killed process does. */
  async stop(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  async restart(): Promise<void> {
    this.#http = this.#makeServer();
    await this.start();
  }

  #makeServer(): Server {
    const server = createServer((request, response) => void this.#answer(request, response));
    server.on('connection', (socket) => {
      this.#connections.add(socket);
      socket.on('close', () => this.#connections.delete(socket));
    });
    server.on('upgrade', (request, socket, head) => {
      this.socketUrls.push(request.url ?? '');
      if (this.refuse) {
        socket.end(`HTTP/1.1 ${this.refuse} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
        return;
      }
      this.#ws.handleUpgrade(request, socket, head, (made) => {
        const index = this.sockets.push(made) - 1;
        made.on('message', (data) => this.received.push(JSON.parse(data.toString())));
        this.onSocket(made, request, index);
      });
    });
    return server;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const recorded = {
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks).toString('latin1'),
    };
    this.requests.push(recorded);
    const reply = this.#choose(recorded);
    if (reply.hang) return;
    if (reply.drop) return void request.socket.destroy();
    const isBytes = reply.body instanceof Uint8Array;
    response.writeHead(reply.status ?? 200, {
      'Content-Type': isBytes ? 'application/x-test' : 'application/json',
      ...reply.headers,
    });
    response.end(isBytes || typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? {}));
  }

  #choose(request: RecordedRequest): Reply {
    const route = this.routes.get(`${request.method} ${request.url}`) ?? this.routes.get('*');
    if (route === undefined) return { status: 404, body: { error: 'not_found', message: request.url } };
    if (typeof route === 'function') return route(request);
    if (!Array.isArray(route)) return route;
    return (route.length > 1 ? route.shift() : route[0]) as Reply;
  }
}

/** Wait until a condition holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
