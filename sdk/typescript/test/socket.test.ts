import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import {
  APIError,
  createSessionWebSocket,
  type ConnectionState,
  type SessionWebSocket,
  type WebSocketHandlers,
  type WebSocketMessage,
  type WebSocketOptions,
} from 'lisa-sessions';
import { WebSocket as WsPackage, type WebSocket as WsSocket } from 'ws';
import { LoopbackServer, until } from './loopback-server.js';

const FAST: WebSocketOptions = { reconnectDelay: 5 };
let server: LoopbackServer;
let open: SessionWebSocket[] = [];

beforeEach(async () => {
  server = await new LoopbackServer().start();
});
afterEach(async () => {
  for (const ws of open.splice(0)) ws.disconnect();
  await server.stop();
});

/** A session of text messages; each connection gets those behind its cursor. */
class Conversation {
  readonly frames: object[] = [];
  #live = new Set<WsSocket>();

  constructor() {
    server.onSocket = (socket, request) => {
      const since = new URL(request.url ?? '', 'http://x').searchParams.get('since') ?? '';
      const known = this.frames.findIndex((each) => (each as { cursor: string }).cursor === since) + 1;
      send(socket, history(this.frames.slice(known)));
      this.#live.add(socket);
      socket.on('close', () => this.#live.delete(socket));
    };
  }

  add(text: string): void {
    const frame = assistant(text, `c${this.frames.length + 1}`);
    this.frames.push(frame);
    for (const socket of this.#live) send(socket, frame);
  }
}

function send(socket: WsSocket, frame: unknown): void {
  socket.send(JSON.stringify(frame));
}

function history(messages: object[], more: object = {}): object {
  return { type: 'history', payload: { messages, ...more } };
}

function assistant(text: string, cursor: string): object {
  return { type: 'assistant', payload: { content: text }, cursor, session_id: 's', timestamp: 'now' };
}

function make(
  handlers: WebSocketHandlers = {},
  options: WebSocketOptions = FAST,
  Implementation?: unknown,
): SessionWebSocket {
  const url = `${server.url.replace('http', 'ws')}/v1/ws/sessions/s?token=secret-token`;
  const ws = createSessionWebSocket(url, handlers, options, Implementation as typeof globalThis.WebSocket);
  open.push(ws);
  return ws;
}

async function failure(call: Promise<unknown>): Promise<APIError> {
  try {
    await call;
  } catch (problem) {
    assert.ok(problem instanceof APIError, String(problem));
    return problem;
  }
  throw new Error('the call did not fail');
}

function texts(messages: WebSocketMessage[]): string[] {
  return messages.flatMap((msg) => (msg.type === 'assistant' ? msg.content.map((each) => (each as any).text) : []));
}

// ------------------------------------------------------------------ messages

test('messages in the packet of the handshake arrive', async () => {
  server.onSocket = (socket) => {
    send(socket, history([assistant('one', 'c1')]));
    send(socket, assistant('two', 'c2'));
  };
  const seen: WebSocketMessage[] = [];
  const ws = make({ onMessage: (msg) => seen.push(msg) });
  await ws.connect();
  await until(() => seen.length === 2, 'both messages');
  assert.deepEqual(texts(seen), ['one', 'two']);
  assert.equal(ws.getCursor(), 'c2');
});

test('each type of message has its handler', async () => {
  const frames = [
    { type: 'user', payload: { content: 'hello' } },
    { type: 'assistant', payload: { content: [{ type: 'text', text: 'hi' }], model: 'm' } },
    { type: 'tool_use', payload: { id: 't1', name: 'Bash', input: { command: 'ls' } } },
    { type: 'tool_result', payload: { tool_use_id: 't1', content: 'a.txt' } },
    { type: 'system', payload: { subtype: 'x', message: 'note' } },
    { type: 'result', payload: { success: true } },
    { type: 'error', payload: { code: 'agent_overloaded', message: 'busy' } },
    { type: 'surprise', payload: { a: 1 } },
    { type: 'session_end', payload: { reason: 'completed' } },
  ];
  server.onSocket = (socket) => {
    send(socket, history([]));
    for (const frame of frames) send(socket, frame);
    socket.close(1000);
  };
  const seen: string[] = [];
  const all: string[] = [];
  const ws = make({
    onMessage: (msg) => all.push(msg.type),
    onUser: (msg) => seen.push(`user ${msg.payload.content}`),
    onAssistant: (msg) => seen.push(`assistant ${JSON.stringify(msg.payload.content)}`),
    onToolUse: (msg) => seen.push(`tool_use ${msg.payload.name} ${msg.payload.input.command}`),
    onToolResult: (msg) => seen.push(`tool_result ${msg.payload.content.substring(0, 3)}`),
    onSystem: (msg) => seen.push(`system ${msg.payload.message}`),
    onResult: (msg) => seen.push(`result ${msg.payload.success}`),
    onError: (err) => seen.push(`error ${err.error} ${err.message}`),
    onSessionEnd: (msg) => seen.push(`end ${msg.payload.reason}`),
  });
  await ws.connect();
  await until(() => ws.getState() === 'disconnected', 'the end');
  assert.deepEqual(seen, [
    'user hello',
    'assistant [{"type":"text","text":"hi"}]',
    'tool_use Bash ls',
    'tool_result a.t',
    'system note',
    'result true',
    'error agent_overloaded busy',
    'end completed',
  ]);
  assert.deepEqual(all, frames.map((frame) => frame.type));
});

test('data and content are other names of the payload, and not enumerable', async () => {
  const frame = { type: 'tool_use', payload: { id: 't', name: 'Bash', input: { command: 'ls' } }, cursor: 'c' };
  server.onSocket = (socket) => {
    send(socket, history([frame]));
    send(socket, { type: 'assistant', payload: { content: 'text' } });
    send(socket, { type: 'tool_result', payload: { tool_use_id: 't', content: { a: 1 } } });
    send(socket, { type: 'session_end', payload: { reason: 'failed' } });
  };
  const seen: any[] = [];
  const ws = make({ onMessage: (msg) => seen.push(msg) });
  await ws.connect();
  await until(() => seen.length === 4, 'all messages');
  const [tool, text, result, end] = seen;
  assert.deepEqual(tool as unknown, frame);
  assert.deepEqual([tool.data.tool_name, tool.data.input.command, tool.data === tool.payload], ['Bash', 'ls', true]);
  assert.deepEqual(text.content, [{ type: 'text', text: 'text' }]);
  assert.equal(text.content, text.payload.content);
  assert.equal(result.content, '{"a":1}');
  assert.equal(end.data.reason, 'failed');
  assert.deepEqual(JSON.parse(JSON.stringify(tool)), frame);
});

test('what is no message is left out', async () => {
  server.onSocket = (socket) => {
    for (const text of ['no json', '[]', '{"payload":{}}', 'null']) socket.send(text);
    socket.send(Buffer.from(JSON.stringify(assistant('binary', 'c1'))), { binary: true });
    socket.send('{"type":"user","payload":"text"}');
  };
  const seen: WebSocketMessage[] = [];
  const ws = make({ onMessage: (msg) => seen.push(msg) });
  await ws.connect();
  await until(() => seen.length === 2, 'the messages');
  assert.deepEqual([texts(seen), seen[1]?.payload], [['binary'], {}]);
});

test('a handler that fails costs no other message', async () => {
  server.onSocket = (socket) => send(socket, history(['1', '2', '3'].map((each) => assistant(each, each))));
  const uncaught: unknown[] = [];
  const former = process.rawListeners('uncaughtException');
  process.removeAllListeners('uncaughtException').on('uncaughtException', (problem) => uncaught.push(problem));
  try {
    const seen: WebSocketMessage[] = [];
    const ws = make({
      onMessage: (msg) => seen.push(msg),
      onAssistant: () => {
        throw new Error('of the handler');
      },
    });
    await ws.connect();
    await until(() => uncaught.length === 3, 'three errors');
    assert.deepEqual(texts(seen), ['1', '2', '3']);
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const each of former) process.on('uncaughtException', each as NodeJS.UncaughtExceptionListener);
  }
});

// ------------------------------------------------------------------ connection

test('states follow each other', async () => {
  server.onSocket = (socket) => send(socket, history([]));
  const states: ConnectionState[] = [];
  const ws = make({ onConnectionChange: (state) => states.push(state) });
  assert.equal(ws.getState(), 'disconnected');
  const connecting = ws.connect();
  assert.equal(ws.getState(), 'connecting');
  assert.equal(ws.connect(), connecting);
  await connecting;
  assert.equal(ws.getState(), 'connected');
  await ws.connect();
  ws.disconnect();
  assert.equal(ws.getState(), 'disconnected');
  ws.disconnect();
  assert.deepEqual(states, ['connecting', 'connected', 'disconnected']);
  assert.equal(server.sockets.length, 1);
});

test('a server that is silent at first counts as connected', async () => {
  const ws = make();
  await ws.connect();
  ws.sendPrompt('hello');
  await until(() => server.received.length === 1, 'the prompt');
});

test('nothing that listens: connect fails at once', async () => {
  await server.stop();
  const errors: APIError[] = [];
  const ws = make({ onError: (err) => errors.push(err) });
  const problem = await failure(ws.connect());
  assert.deepEqual([problem.error, problem.status, ws.getState(), errors.length], ['connection_lost', 0, 'disconnected', 0]);
  await server.restart();
  server.onSocket = (socket) => send(socket, history([]));
  await ws.connect();
});

test('no error text shows the token', async () => {
  const ws = createSessionWebSocket('nonsense://x?token=secret-token');
  const problem = await failure(ws.connect());
  assert.deepEqual([problem.error, String(problem).includes('secret')], ['invalid_url', false]);
});

for (const [code, error, status] of [
  [4001, 'unauthorized', 401],
  [4003, 'forbidden', 403],
  [4004, 'not_found', 404],
  [4009, 'session_not_running', 409],
  [4400, 'invalid_request', 400],
] as const) {
  test(`close code ${code} refuses a connection, and ends one for good`, async () => {
    server.onSocket = (socket, _, index) => {
      if (index === 0) return socket.close(code, 'the reason');
      send(socket, history([]));
      setTimeout(() => socket.close(code, 'the reason'), 5);
    };
    const errors: APIError[] = [];
    const ws = make({ onError: (err) => errors.push(err) });
    const problem = await failure(ws.connect());
    assert.deepEqual([problem.error, problem.message, problem.status], [error, 'the reason', status]);
    assert.equal(errors.length, 0);
    await ws.connect();
    await until(() => errors.length === 1, 'the error');
    assert.deepEqual([errors[0]?.error, ws.getState(), server.sockets.length], [error, 'disconnected', 2]);
  });
}

test('close code 4100 refuses a connection, and is a quiet end of one', async () => {
  server.onSocket = (socket, _, index) => {
    if (index === 0) return socket.close(4100, 'the reason');
    send(socket, history([]));
    setTimeout(() => socket.close(4100, 'the reason'), 5);
  };
  const errors: APIError[] = [];
  const states: ConnectionState[] = [];
  const ws = make({ onError: (err) => errors.push(err), onConnectionChange: (state) => states.push(state) });
  assert.equal((await failure(ws.connect())).error, 'session_ended');
  await ws.connect();
  await until(() => ws.getState() === 'disconnected', 'the end');
  assert.deepEqual([states, errors], [['connecting', 'disconnected', 'connecting', 'connected', 'disconnected'], []]);
});

for (const status of [401, 403, 404]) {
  test(`a handshake that is refused with ${status} is not repeated`, async () => {
    server.onSocket = (socket) => send(socket, history([]));
    const errors: APIError[] = [];
    const ws = make({ onError: (err) => errors.push(err) }, FAST, WsPackage);
    await ws.connect();
    server.refuse = status;
    server.sockets[0]?.terminate();
    await until(() => errors.length === 1, 'the error');
    assert.deepEqual([errors[0]?.error, errors[0]?.status], [`http_${status}`, status]);
    assert.equal(server.socketUrls.length, 2);
  });
}

for (const code of [1001, 1011, 1012, 1013, 4101, 4500]) {
  test(`close code ${code} connects again, and nothing is lost`, async () => {
    const talk = new Conversation();
    const seen: WebSocketMessage[] = [];
    const states: ConnectionState[] = [];
    const ws = make({ onMessage: (msg) => seen.push(msg), onConnectionChange: (state) => states.push(state) });
    await ws.connect();
    talk.add('one');
    await until(() => seen.length === 1, 'the first message');
    server.sockets[0]?.close(code);
    talk.add('two');
    await until(() => states.length === 4, 'connected again');
    talk.add('three');
    await until(() => seen.length === 3, 'the third message');
    assert.deepEqual(texts(seen), ['one', 'two', 'three']);
    assert.deepEqual(states, ['connecting', 'connected', 'reconnecting', 'connected']);
  });
}

test('a restart of the server costs no message, and none comes twice', async () => {
  const talk = new Conversation();
  const seen: WebSocketMessage[] = [];
  let connections = 0;
  const ws = make({
    onMessage: (msg) => seen.push(msg),
    onConnectionChange: (state) => {
      if (state === 'connected') connections += 1;
    },
  }, { reconnectDelay: 20 });
  await ws.connect();
  for (let restart = 1; restart <= 3; restart += 1) {
    talk.add(`live ${restart}`);
    await until(() => ws.getCursor() === `c${talk.frames.length}`, 'the live message');
    await server.stop();
    talk.add(`missed ${restart}`);
    await server.restart();
    await until(() => connections === restart + 1, 'connected again');
  }
  await until(() => seen.length === 6, 'all messages');
  assert.deepEqual(texts(seen), ['live 1', 'missed 1', 'live 2', 'missed 2', 'live 3', 'missed 3']);
  assert.match(server.socketUrls.at(-1) ?? '', /token=secret-token&since=c5$/);
});

test('a server that begins anew repeats nothing', async () => {
  const one = assistant('one', 'c1');
  server.onSocket = (socket, _, index) => {
    if (index === 0) return send(socket, history([one, one]));
    send(socket, history([one, assistant('two', 'c2')], { reset: 'transcript_rewritten' }));
    send(socket, assistant('two', 'c2'));
  };
  const seen: WebSocketMessage[] = [];
  const resets: unknown[] = [];
  const ws = make({ onMessage: (msg) => seen.push(msg), onHistory: (msg) => resets.push(msg.payload.reset) });
  await ws.connect();
  server.sockets[0]?.terminate();
  await until(() => seen.length === 3, 'the new messages');
  assert.deepEqual([texts(seen), resets], [['one', 'two', 'two'], [undefined, 'transcript_rewritten']]);
});

test('attempts end after maxReconnectAttempts', async () => {
  server.onSocket = (socket) => send(socket, history([]));
  const errors: APIError[] = [];
  const options = { reconnectDelay: 2, maxReconnectAttempts: 3 };
  const ws = make({ onError: (err) => errors.push(err) }, options, WsPackage);
  await ws.connect();
  server.refuse = 503;
  server.sockets[0]?.terminate();
  await until(() => errors.length === 1, 'the error');
  assert.deepEqual([errors[0]?.error, errors[0]?.status, ws.getState()], ['http_503', 503, 'disconnected']);
  assert.equal(server.socketUrls.length, 4);
});

test('autoReconnect: false leaves a lost connection', async () => {
  server.onSocket = (socket) => send(socket, history([]));
  const errors: APIError[] = [];
  const ws = make({ onError: (err) => errors.push(err) }, { ...FAST, autoReconnect: false });
  await ws.connect();
  server.sockets[0]?.terminate();
  await until(() => errors.length === 1, 'the error');
  assert.deepEqual([errors[0]?.error, ws.getState(), server.sockets.length], ['connection_lost', 'disconnected', 1]);
});

test('no connection is made after the end of the session', async () => {
  server.onSocket = (socket) => {
    send(socket, history([assistant('old', 'c1'), { type: 'session_end', payload: { reason: 'completed' }, cursor: 'c2' }]));
    send(socket, { type: 'session_end', payload: { reason: 'completed' }, cursor: 'c2' });
  };
  const ends: string[] = [];
  const errors: APIError[] = [];
  const ws = make({ onSessionEnd: (msg) => ends.push(msg.payload.reason), onError: (err) => errors.push(err) });
  await ws.connect();
  await server.stop();
  await server.restart();
  await until(() => ws.getState() === 'disconnected', 'the end');
  assert.deepEqual([ends, errors, server.sockets.length], [['completed'], [], 1]);
  assert.equal((await failure(ws.connect())).error, 'session_ended');
});

test('the own end of a session closes with 1000', async () => {
  let code = 0;
  server.onSocket = (socket) => {
    socket.on('close', (received) => (code = received));
    send(socket, { type: 'session_end', payload: { reason: 'completed' } });
  };
  await make().connect();
  await until(() => code === 1000, 'closed by the client');
});

test('disconnect while connecting again ends the attempts', async () => {
  server.onSocket = (socket) => send(socket, history([]));
  const ws = make({}, { reconnectDelay: 30 });
  await ws.connect();
  server.sockets[0]?.terminate();
  await until(() => ws.getState() === 'reconnecting', 'the loss');
  ws.disconnect();
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.deepEqual([ws.getState(), server.sockets.length], ['disconnected', 1]);
});

test('disconnect while connecting rejects', async () => {
  const ws = make();
  const connecting = ws.connect();
  ws.disconnect();
  assert.equal((await failure(connecting)).error, 'disconnected');
  assert.equal(ws.getState(), 'disconnected');
});

test('disconnect in a handler ends the messages of a history there', async () => {
  const talk = new Conversation();
  for (const each of ['1', '2', '3']) talk.frames.push(assistant(each, each));
  const seen: WebSocketMessage[] = [];
  const ws = make({
    onMessage: (msg) => {
      seen.push(msg);
      if (seen.length === 2) ws.disconnect();
    },
  });
  await ws.connect().catch(() => {});
  await until(() => ws.getState() === 'disconnected', 'the end');
  assert.deepEqual([texts(seen), ws.getCursor()], [['1', '2'], '2']);
  await ws.connect();
  assert.deepEqual(texts(seen), ['1', '2', '3']);
});

test('a handshake without an answer has a time limit', async () => {
  const ws = make({}, { ...FAST, connectTimeout: 40 }, class extends EventTarget {
    binaryType = 'blob';
    readyState = 0;
    close(): void {}
  });
  const problem = await failure(ws.connect());
  assert.match(problem.message, /no connection within 40 ms/);
});

// ------------------------------------------------------------------ sending

test('disconnect right after a prompt still delivers it', async () => {
  server.onSocket = (socket) => send(socket, history([]));
  const ws = make();
  await ws.connect();
  const long = 'long '.repeat(100_000);
  ws.sendPrompt(long);
  ws.sendPrompt('last');
  ws.disconnect();
  await until(() => server.received.length === 2, 'both prompts');
  assert.deepEqual(server.received, [
    { type: 'prompt', payload: { text: long } },
    { type: 'prompt', payload: { text: 'last' } },
  ]);
});

test('every kind of message is sent as the server expects it', async () => {
  server.onSocket = (socket) => send(socket, history([]));
  const ws = make();
  await ws.connect();
  ws.sendPrompt('p', { prompt_id: 'p1' });
  ws.sendInterrupt();
  ws.sendHeartbeat();
  ws.requestUpload({ request_id: 'r', filename: 'f', content_type: 't', size: 1 });
  ws.notifyUploadComplete({ request_id: 'r', filename: 'f', path: '/p' });
  ws.requestDownload({ request_id: 'r', path: '/p' });
  ws.sendToolApproval({ tool_use_id: 't', approved: true, approval_scope: 'session' });
  ws.sendAnswers({ question_id: 'q', answers: { Color: 'red' } });
  await until(() => server.received.length === 8, 'all messages');
  assert.deepEqual(server.received, [
    { type: 'prompt', payload: { text: 'p', prompt_id: 'p1' } },
    { type: 'interrupt' },
    { type: 'heartbeat' },
    { type: 'upload_request', payload: { request_id: 'r', filename: 'f', content_type: 't', size: 1 } },
    { type: 'upload_complete', payload: { request_id: 'r', filename: 'f', path: '/p' } },
    { type: 'download_request', payload: { request_id: 'r', path: '/p' } },
    { type: 'tool_approval_response', payload: { tool_use_id: 't', approved: true, approval_scope: 'session' } },
    { type: 'ask_user_question_response', payload: { question_id: 'q', answers: { Color: 'red' } } },
  ]);
});

test('heartbeats are sent by themselves', async () => {
  server.onSocket = (socket) => send(socket, history([]));
  await make({}, { heartbeatInterval: 10 }).connect();
  await until(() => server.received.length >= 2, 'two heartbeats');
  assert.deepEqual(server.received[0], { type: 'heartbeat' });
});

test('a prompt without a connection is refused', async () => {
  server.onSocket = (socket) => send(socket, history([]));
  const ws = make({}, { reconnectDelay: 10_000 });
  assert.throws(() => ws.sendPrompt('x'), { error: 'not_connected' });
  await ws.connect();
  server.sockets[0]?.terminate();
  await until(() => ws.getState() === 'reconnecting', 'the loss');
  assert.throws(() => ws.sendPrompt('x'), { error: 'not_connected', message: /reconnecting/ });
});

test('with queueWhileDisconnected prompts are sent afterwards, in order', async () => {
  server.onSocket = (socket) => send(socket, history([]));
  const errors: APIError[] = [];
  const ws = make({ onError: (err) => errors.push(err) }, { ...FAST, queueWhileDisconnected: true });
  await ws.connect();
  server.sockets[0]?.terminate();
  await until(() => ws.getState() === 'reconnecting', 'the loss');
  ws.sendPrompt('one');
  ws.sendPrompt('two');
  await until(() => server.received.length === 2, 'both prompts');
  assert.deepEqual(server.received.map((each) => each.payload.text), ['one', 'two']);
  server.sockets[1]?.terminate();
  await until(() => ws.getState() === 'reconnecting', 'the second loss');
  ws.sendPrompt('three');
  ws.disconnect();
  assert.deepEqual(errors.map((each) => each.error), ['not_sent']);
});

test('a message that the server would refuse for its size is not sent', async () => {
  server.onSocket = (socket) => send(socket, history([]));
  const ws = make();
  await ws.connect();
  assert.throws(() => ws.sendPrompt('ä'.repeat(600_000)), { error: 'too_large', status: 413 });
  assert.equal(ws.getState(), 'connected');
});

// ------------------------------------------------------------------ requests

test('a request is asked once, also after a new connection', async () => {
  const request = { type: 'tool_approval_request', payload: { tool_use_id: 't', tool_name: 'Bash', tool_input: {} }, cursor: 'c2' };
  const old = { type: 'tool_approval_request', payload: { tool_use_id: 'old', tool_name: 'Bash', tool_input: {} }, cursor: 'c1' };
  const status = { type: 'session_status', payload: { status: 'waiting_input' }, cursor: 'c2' };
  const question = { type: 'ask_user_question', payload: { question_id: 'q', questions: [] }, cursor: 'c2' };
  server.onSocket = (socket, _, index) => {
    send(socket, history(index === 0 ? [old, request, status] : []));
    for (const frame of [status, request, question]) send(socket, frame);
  };
  const asked: string[] = [];
  const seen: string[] = [];
  let connections = 0;
  const ws = make({
    onMessage: (msg) => seen.push(msg.type),
    onToolApproval: (msg) => asked.push(msg.payload.tool_use_id),
    onQuestion: (msg) => asked.push(msg.payload.question_id),
    onHistory: () => (connections += 1),
  });
  await ws.connect();
  await until(() => asked.length === 2, 'both requests');
  server.sockets[0]?.terminate();
  await until(() => connections === 2, 'the second connection');
  send(server.sockets[1]!, assistant('after', 'c3'));
  await until(() => seen.includes('assistant'), 'the message');
  assert.deepEqual(asked, ['t', 'q']);
  assert.deepEqual(seen, [
    'tool_approval_request',
    'tool_approval_request',
    'session_status',
    'ask_user_question',
    'assistant',
  ]);
});

test('the option since begins behind a message', async () => {
  const talk = new Conversation();
  for (const each of ['1', '2', '3']) talk.add(each);
  const seen: WebSocketMessage[] = [];
  const ws = make({ onMessage: (msg) => seen.push(msg) }, { since: 'c2' });
  await ws.connect();
  assert.deepEqual(texts(seen), ['3']);
});
