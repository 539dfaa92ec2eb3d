import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import {
  APIError,
  createClient,
  createFileTransfer,
  createSessionWebSocket,
  createWebSocketFileTransfer,
  type SessionWebSocket,
  type WebSocketFileTransfer,
} from 'lisa-sessions';
import type { WebSocket } from 'ws';
import { LoopbackServer, until } from './loopback-server.js';

let server: LoopbackServer;
let ws: SessionWebSocket;

beforeEach(async () => {
  server = await new LoopbackServer().start();
  server.routes.set('PUT /put/1', { status: 204, body: '' });
  server.routes.set('POST /v1/io/sessions/s/upload', {
    body: { upload_url: `${server.url}/put/1`, upload_id: 'u1', target_path: '/workspace/uploads/f.txt' },
  });
  server.routes.set('POST /v1/io/sessions/s/upload/complete', { body: { success: true, path: '/w/uploads/f-1.txt' } });
  ws = createSessionWebSocket(`${server.url.replace('http', 'ws')}/v1/ws/sessions/s?token=t`);
});
afterEach(async () => {
  ws.disconnect();
  await server.stop();
});

async function failure(call: Promise<unknown>): Promise<APIError> {
  try {
    await call;
  } catch (problem) {
    assert.ok(problem instanceof APIError, String(problem));
    return problem;
  }
  throw new Error('the call did not fail');
}

function rising(percents: number[]): boolean {
  return percents.every((each, index) => index === 0 || each > (percents[index - 1] ?? 0));
}

const restClient = () => createClient({ baseUrl: server.url, token: 't', timeout: 20_000, retry: { retryDelay: 1 } });

test('an upload asks for an address, puts the bytes there and confirms', async () => {
  const file = new Blob(['äöü'], { type: 'text/plain' });
  assert.equal(await createFileTransfer(restClient()).uploadFile('s', file, 'f.txt'), '/w/uploads/f-1.txt');
  const [asked, put, confirmed] = server.requests;
  assert.equal(asked?.body, '{"filename":"f.txt","content_type":"text/plain","size":6}');
  assert.equal(Buffer.from(put?.body ?? '', 'latin1').toString(), 'äöü');
  assert.deepEqual(
    [put?.headers['content-type'], put?.headers['content-length'], put?.headers.authorization],
    ['text/plain', '6', undefined],
  );
  assert.equal(confirmed?.body, '{"upload_id":"u1"}');
});

test('the progress of an upload rises to 100', async () => {
  const file = new File([new Uint8Array(3_000_000)], 'big.bin');
  const percents: number[] = [];
  await createFileTransfer(restClient()).uploadFile('s', file, 'big.bin', { onProgress: (each) => percents.push(each) });
  assert.equal(server.requests[1]?.body.length, 3_000_000);
  assert.equal(server.requests[1]?.headers['content-length'], '3000000');
  assert.ok(percents.length > 3 && rising(percents), String(percents));
  assert.equal(percents.at(-1), 100);
});

test('an empty file is uploaded', async () => {
  const percents: number[] = [];
  const options = { onProgress: (percent: number) => percents.push(percent) };
  await createFileTransfer(restClient()).uploadFile('s', new Blob([]), 'empty', options);
  assert.deepEqual([server.requests[1]?.body, percents], ['', [100]]);
});

test('bytes that are refused are not confirmed, and not sent again', async () => {
  server.routes.set('PUT /put/1', { status: 503, body: { error: 'busy', message: 'later' } });
  const problem = await failure(createFileTransfer(restClient()).uploadFile('s', new Blob(['x']), 'f'));
  assert.deepEqual([problem.error, problem.status], ['busy', 503]);
  assert.equal(server.requests.length, 2);
});

test('a transfer without progress ends', async () => {
  server.routes.set('PUT /put/1', { hang: true });
  server.routes.set('GET /get', { hang: true });
  const hasty = createFileTransfer(createClient({ baseUrl: server.url, token: 't', timeout: 100 }));
  assert.equal((await failure(hasty.uploadFile('s', new Blob(['x']), 'f'))).error, 'timeout');
  assert.equal((await failure(hasty.downloadFromURL(`${server.url}/get`))).error, 'timeout');
});

test('a download has the bytes, their type and its progress', async () => {
  const bytes = new Uint8Array(2_000_000).map((_, index) => index % 251);
  server.routes.set('GET /get/1', { body: bytes, headers: { 'Content-Length': String(bytes.length) } });
  const percents: number[] = [];
  const files = createFileTransfer(restClient());
  const blob = await files.downloadFromURL(`${server.url}/get/1`, { onProgress: (each) => percents.push(each) });
  assert.equal(blob.type, 'application/x-test');
  assert.ok(Buffer.from(await blob.arrayBuffer()).equals(Buffer.from(bytes)));
  assert.ok(percents.length > 3 && rising(percents), String(percents));
  assert.equal(percents.at(-1), 100);
});

test('a download that is refused is an error', async () => {
  server.routes.set('GET /get/1', { status: 404, body: { error: 'not_found', message: 'used' } });
  const problem = await failure(createFileTransfer(restClient()).downloadFromURL(`${server.url}/get/1`));
  assert.deepEqual([problem.error, problem.status], ['not_found', 404]);
});

// ------------------------------------------------------------------ over the WebSocket

type Answer = (socket: WebSocket, request: { type: string; payload: any }) => void;

async function connect(answer: Answer): Promise<WebSocketFileTransfer> {
  server.onSocket = (socket) => {
    socket.on('message', (data) => answer(socket, JSON.parse(data.toString())));
    socket.send('{"type":"history","payload":{"messages":[]}}');
  };
  await ws.connect();
  return createWebSocketFileTransfer(ws);
}

function say(socket: WebSocket, type: string, payload: object): void {
  socket.send(JSON.stringify({ type, payload }));
}

test('an upload and a download over the WebSocket', async () => {
  server.routes.set('GET /get/1', { body: new Uint8Array([1, 2, 3]) });
  const files = await connect((socket, { type, payload }) => {
    const { request_id } = payload;
    if (type === 'upload_request') {
      say(socket, 'upload_url', { request_id: 'another', upload_id: 'u', url: 'http://wrong', target_path: '/wrong' });
      say(socket, 'upload_url', { request_id, upload_id: 'u', url: `${server.url}/put/1`, target_path: '/w/f.csv' });
    } else if (type === 'upload_complete') {
      say(socket, 'system', { subtype: 'file_uploaded', path: '/w/another.csv' });
      say(socket, 'system', { subtype: 'file_uploaded', path: '/w/f.csv' });
    } else {
      say(socket, 'download_url', { request_id, url: `${server.url}/get/1`, size: 3 });
    }
  });
  const percents: number[] = [];
  const options = { onProgress: (percent: number) => percents.push(percent) };
  assert.equal(await files.uploadFile(new Blob(['a,b']), 'f.csv', options), '/w/f.csv');
  assert.equal(server.requests[0]?.body, 'a,b');
  const [asked, confirmed] = server.received;
  const { request_id } = asked.payload;
  assert.deepEqual(asked.payload, { request_id, filename: 'f.csv', content_type: 'application/octet-stream', size: 3 });
  assert.deepEqual(confirmed.payload, { request_id, filename: 'f.csv', path: '/w/f.csv' });
  assert.equal(percents.at(-1), 100);
  const blob = await files.downloadFile('/w/result', options);
  assert.deepEqual([...new Uint8Array(await blob.arrayBuffer())], [1, 2, 3]);
});

test('a refused request rejects with its error', async () => {
  const files = await connect((socket, { payload }) => {
    say(socket, 'error', { code: 'file_error', message: 'outside of the folder', request_id: payload.request_id });
  });
  const problem = await failure(files.downloadFile('/etc/passwd'));
  assert.deepEqual([problem.error, problem.message], ['file_error', 'outside of the folder']);
  assert.equal((await failure(files.uploadFile(new Blob(['x']), 'f'))).error, 'file_error');
});

test('a request without an answer, and one on a lost connection, reject', async () => {
  const files = await connect((socket, { type }) => {
    if (type === 'upload_request') socket.terminate();
  });
  const hasty = createWebSocketFileTransfer(ws, { timeout: 30 });
  assert.equal((await failure(hasty.downloadFile('/silent'))).error, 'timeout');
  assert.equal((await failure(files.uploadFile(new Blob(['x']), 'f'))).error, 'connection_lost');
  ws.disconnect();
  await until(() => ws.getState() === 'disconnected', 'the end');
  assert.equal((await failure(files.downloadFile('/x'))).error, 'not_connected');
});

// ------------------------------------------------------------------ in browsers

/** What an upload needs of the browser's class. */
class FakeRequest {
  static answer = { status: 204, text: '' };
  upload: { onprogress?: (event: { loaded: number }) => void } = {};
  status = 0;
  responseText = '';
  onload = (): void => {};
  onerror = (): void => {};
  onabort = (): void => {};
  sent: string[] = [];
  open(method: string, url: string): void {
    this.sent.push(method, new URL(url).pathname);
  }
  setRequestHeader(name: string, value: string): void {
    this.sent.push(`${name}: ${value}`);
  }
  abort(): void {
    this.onabort();
  }
  send(body: Blob): void {
    assert.deepEqual(this.sent, ['PUT', '/put/1', 'Content-Type: text/plain']);
    this.status = FakeRequest.answer.status;
    this.responseText = FakeRequest.answer.text;
    this.upload.onprogress?.({ loaded: body.size / 2 });
    if (this.status) queueMicrotask(() => (this.status > 1 ? this.onload() : this.onerror()));
  }
}

test('where there is an XMLHttpRequest, it reports the progress', async () => {
  const { XMLHttpRequest: former } = globalThis;
  globalThis.XMLHttpRequest = FakeRequest as unknown as typeof XMLHttpRequest;
  const upload = async (): Promise<number[]> => {
    const percents: number[] = [];
    const files = createFileTransfer(createClient({ baseUrl: server.url, token: 't', timeout: 300 }));
    const file = new Blob(['abcd'], { type: 'text/plain' });
    await files.uploadFile('s', file, 'f', { onProgress: (each) => percents.push(each) });
    return percents;
  };
  try {
    assert.deepEqual(await upload(), [50, 100]);
    FakeRequest.answer = { status: 413, text: '{"error":"too_large","message":"at most 100 MB"}' };
    assert.deepEqual([(await failure(upload())).error, (await failure(upload())).status], ['too_large', 413]);
    FakeRequest.answer = { status: 1, text: '' };
    assert.equal((await failure(upload())).error, 'network_error');
    FakeRequest.answer = { status: 0, text: '' };
    assert.equal((await failure(upload())).error, 'timeout');
  } finally {
    globalThis.XMLHttpRequest = former;
  }
});
