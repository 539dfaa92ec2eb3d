// Connections that the server refuses.
import assert from 'node:assert/strict';
import { connectClient, failure, Listener } from './server.js';

const session = process.argv[2] ?? '';
const none = '00000000-0000-4000-8000-000000000000';
assert.deepEqual(await failure(new Listener(connectClient('wrong'), session).ws.connect()), [401, 'unauthorized']);
assert.deepEqual(await failure(new Listener(connectClient(''), session).ws.connect()), [401, 'unauthorized']);
assert.deepEqual(await failure(new Listener(connectClient(), none).ws.connect()), [404, 'not_found']);
console.log('done');
