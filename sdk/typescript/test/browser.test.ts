// The SDK in a context that has the globals of browsers only.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import vm from 'node:vm';
import type * as Sdk from 'lisa-sessions';
import { WebSocket as WsPackage } from 'ws';
import { LoopbackServer, until } from './loopback-server.js';

const BROWSER_GLOBALS = {
  AbortController, AbortSignal, Blob, clearTimeout, fetch, Headers, queueMicrotask, ReadableStream, Request, Response, setTimeout,
  TextDecoder, TextEncoder, TransformStream, URL, URLSearchParams,
};

/** As in browsers, it may not be called as a method of another object. */
function browserFetch(this: unknown, ...words: Parameters<typeof fetch>): Promise<Response> {
  if (this !== undefined) throw new TypeError('Illegal invocation');
  return fetch(...words);
}

/** Import a module of `dist` into the context. */
async function importIn(context: vm.Context, name: string): Promise<typeof Sdk> {
  const loaded = new Map<string, vm.SourceTextModule>();
  const load = (url: URL): vm.SourceTextModule => {
    const known = loaded.get(url.href);
    if (known !== undefined) return known;
    const importModuleDynamically = (specifier: string): never => {
      throw new TypeError(`Failed to resolve module specifier "${specifier}"`);
    };
    const made = new vm.SourceTextModule(readFileSync(url, 'utf-8'), { context, identifier: url.href, importModuleDynamically });
    loaded.set(url.href, made);
    return made;
  };
  const main = load(new URL(`../dist/${name}`, import.meta.url));
  await main.link((specifier, referrer) => load(new URL(specifier, referrer.identifier)));
  await main.evaluate();
  return main.namespace as typeof Sdk;
}

test('the SDK needs no global of node', async () => {
  const server = await new LoopbackServer().start();
  server.onSocket = (socket) => {
    const message = { type: 'assistant', payload: { content: 'hi' }, cursor: 'c1' };
    socket.send(JSON.stringify({ type: 'history', payload: { messages: [message] } }));
  };
  server.routes.set('POST /v1/sessions', { body: { session: { id: 's' } } });
  server.routes.set('POST /v1/io/sessions/s/upload', { body: { upload_url: `${server.url}/put`, upload_id: 'u', target_path: '/p' } });
  server.routes.set('PUT /put', {});
  server.routes.set('POST /v1/io/sessions/s/upload/complete', { body: { success: true, path: '/p' } });
  server.routes.set('GET /file', { body: 'content' });
  const context = vm.createContext({ ...BROWSER_GLOBALS, WebSocket: globalThis.WebSocket ?? WsPackage });
  const seen: string[] = [];
  try {
    const sdk = await importIn(context, 'index.js');
    const client = sdk.createClient({ baseUrl: server.url, token: 't', fetch: browserFetch as typeof fetch });
    const { session } = await client.createSession();
    const ws = sdk.createSessionWebSocket(client.getWebSocketURL(session.id), {
      onAssistant: (msg) => seen.push(JSON.stringify(msg.content)),
      onConnectionChange: (state) => seen.push(state),
    });
    await ws.connect();
    ws.sendPrompt('hello');
    ws.disconnect();
    const files = sdk.createFileTransfer(client);
    seen.push(await files.uploadFile(session.id, new Blob(['abc']), 'a.txt'));
    seen.push(await (await files.downloadFromURL(`${server.url}/file`)).text());
    delete context.WebSocket;
    await assert.rejects(sdk.createSessionWebSocket(client.getWebSocketURL(session.id)).connect(), { error: 'no_websocket' });
    await until(() => server.received.length > 0, 'the prompt');
    assert.deepEqual(server.received, [{ type: 'prompt', payload: { text: 'hello' } }]);
    assert.deepEqual(seen, ['connecting', 'connected', '[{"type":"text","text":"hi"}]', 'disconnected', '/p', 'content']);
  } finally {
    await server.stop();
  }
});
