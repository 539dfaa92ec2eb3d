// A server that allows one running session and two creations a minute: a refusal is final, and nothing is repeated.
import assert from 'node:assert/strict';
import { APIError, createClient } from 'lisa-sessions';
import { failure, TOKEN, URL } from './server.js';

let requests = 0;
const counting: typeof fetch = (input, init) => {
  requests += 1;
  return fetch(input, init);
};
const client = createClient({ baseUrl: URL, token: TOKEN, fetch: counting });
const { session } = await client.createSession({});
assert.deepEqual(await failure(client.createSession({})), [409, 'max_sessions_reached']);
await client.terminateSession(session.id);
const second = await client.createSession({});
await client.terminateSession(second.session.id);
requests = 0;
try {
  await client.createSession({});
  assert.fail('created');
} catch (problem) {
  assert.ok(problem instanceof APIError);
  assert.deepEqual([problem.status, problem.error], [429, 'rate_limited']);
  assert.ok((problem.retryAfter ?? 0) > 0);
}
assert.equal(requests, 1);
assert.equal((await client.listSessions()).sessions.length, 2);
console.log('done');
