// Files to and from a real session, over REST and the WebSocket.
import assert from 'node:assert/strict';
import { createFileTransfer, createWebSocketFileTransfer } from 'lisa-sessions';
import { connectClient, failure, Listener } from './server.js';

const client = connectClient();
const { session } = await client.createSession({});
const files = createFileTransfer(client);
const percents: number[] = [];
const content = new Blob(['x'.repeat(300_000)], { type: 'text/plain' });
const path = await files.uploadFile(session.id, content, '../notes.txt', { onProgress: (each) => percents.push(each) });
assert.match(path, /uploads\/notes\.txt$/);
assert.equal(percents.at(-1), 100);
const { download_url, size } = await client.requestDownloadURL(session.id, { path });
assert.equal(size, 300_000);
assert.equal(await (await files.downloadFromURL(download_url)).text(), await content.text());

const here = new Listener(client, session.id);
await here.ws.connect();
const overSocket = createWebSocketFileTransfer(here.ws);
const second = await overSocket.uploadFile(new Blob(['second']), 'notes.txt');
assert.notEqual(second, path);
assert.equal(await (await overSocket.downloadFile(second)).text(), 'second');
assert.equal((await failure(overSocket.downloadFile('/etc/passwd')))[1], 'file_error');
assert.equal((await failure(client.requestDownloadURL(session.id, { path: '/etc/passwd' })))[0] >= 400, true);

here.ws.disconnect();
await client.terminateSession(session.id);
console.log('done');
