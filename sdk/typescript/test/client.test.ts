import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { APIError, createClient, type AISessionsClient } from 'lisa-sessions';
import { LoopbackServer } from './loopback-server.js';

const server = new LoopbackServer();
let client: AISessionsClient;

before(async () => void (await server.start()));
after(() => server.stop());
beforeEach(() => {
  server.requests.length = 0;
  server.routes.clear();
  client = createClient({ baseUrl: `${server.url}/`, token: 'key+of/test', retry: { retryDelay: 1 } });
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

function lines(): string[] {
  return server.requests.map(({ method, url, body }) => `${method} ${url} ${body}`.trim());
}

const CALLS: [name: string, call: (client: AISessionsClient) => Promise<unknown>, request: string][] = [
  ['register', (c) => c.register(), 'POST /v1/register'],
  ['deregister', (c) => c.deregister(), 'DELETE /v1/register'],
  ['listSessions', (c) => c.listSessions(), 'GET /v1/sessions'],
  [
    'listSessions of a page',
    (c) => c.listSessions({ status: 'running', limit: 5, cursor: 'a=' }),
    'GET /v1/sessions?status=running&limit=5&cursor=a%3D',
  ],
  ['createSession', (c) => c.createSession({ allowed_tools: ['Bash'] }), 'POST /v1/sessions {"allowed_tools":["Bash"]}'],
  ['createSession of nothing', (c) => c.createSession(), 'POST /v1/sessions {}'],
  ['getSession', (c) => c.getSession('a/b'), 'GET /v1/sessions/a%2Fb'],
  ['terminateSession', (c) => c.terminateSession('s1'), 'DELETE /v1/sessions/s1'],
  ['deleteSessionRecord', (c) => c.deleteSessionRecord('s1'), 'DELETE /v1/sessions/s1/record'],
  ['forkPreflight', (c) => c.forkPreflight('s1', { profile_id: 'p' }), 'GET /v1/sessions/s1/fork-preflight?profile_id=p'],
  ['forkSession', (c) => c.forkSession('s1', { name: 'n' }), 'POST /v1/sessions/s1/fork {"name":"n"}'],
  ['storeAPIKey', (c) => c.storeAPIKey('k'), 'POST /v1/auth/claude/apikey {"api_key":"k"}'],
  ['getCredentialStatus', (c) => c.getCredentialStatus(), 'GET /v1/auth/claude/status'],
  ['deleteCredentials', (c) => c.deleteCredentials(), 'DELETE /v1/auth/claude'],
  ['startOAuth', (c) => c.startOAuth(), 'POST /v1/auth/claude/start'],
  ['pollOAuthURL', (c) => c.pollOAuthURL('o'), 'GET /v1/auth/claude/url?session_id=o'],
  ['submitOAuthCode', (c) => c.submitOAuthCode('o', 'c'), 'POST /v1/auth/claude/code {"session_id":"o","code":"c"}'],
  ['getCredentials', (c) => c.getCredentials(), 'GET /v1/credentials'],
  [
    'storeProviderCredential',
    (c) => c.storeProviderCredential('openai', { api_key: 'k' }),
    'POST /v1/credentials/openai {"api_key":"k"}',
  ],
  ['deleteProviderCredential', (c) => c.deleteProviderCredential('google'), 'DELETE /v1/credentials/google'],
  ['listProfiles', (c) => c.listProfiles(), 'GET /v1/profiles'],
  ['createProfile', (c) => c.createProfile({ name: 'n' }), 'POST /v1/profiles {"name":"n"}'],
  ['getProfile', (c) => c.getProfile('p'), 'GET /v1/profiles/p'],
  ['updateProfile', (c) => c.updateProfile('p', { max_turns: 5 }), 'PUT /v1/profiles/p {"max_turns":5}'],
  ['deleteProfile', (c) => c.deleteProfile('p'), 'DELETE /v1/profiles/p'],
  ['setDefaultProfile', (c) => c.setDefaultProfile('p'), 'POST /v1/profiles/p/default'],
  ['captureProfile', (c) => c.captureProfile('s1', { name: 'n' }), 'POST /v1/sessions/s1/capture-profile {"name":"n"}'],
  [
    'requestUploadURL',
    (c) => c.requestUploadURL('s1', { filename: 'f', content_type: 't', size: 1 }),
    'POST /v1/io/sessions/s1/upload {"filename":"f","content_type":"t","size":1}',
  ],
  ['notifyUploadComplete', (c) => c.notifyUploadComplete('s1', 'u'), 'POST /v1/io/sessions/s1/upload/complete {"upload_id":"u"}'],
  ['requestDownloadURL', (c) => c.requestDownloadURL('s1', { path: '/p' }), 'POST /v1/io/sessions/s1/download {"path":"/p"}'],
];

test('createSession registers a user who is not registered, once', async () => {
  const refused = (error: string) => ({ status: 403, body: { error, message: 'no' } });
  const session = { id: 's' };
  server.routes.set('POST /v1/sessions', [refused('not_registered'), { status: 201, body: { session } }]);
  server.routes.set('POST /v1/register', { body: { registered: true } });
  assert.deepEqual(await client.createSession({ name: 'n' }), { session });
  const start = 'POST /v1/sessions {"name":"n"}';
  assert.deepEqual(lines(), [start, 'POST /v1/register', start]);
  for (const code of ['not_registered', 'no_credentials']) {
    server.routes.set('POST /v1/sessions', refused(code));
    assert.equal((await failure(client.createSession())).error, code);
  }
  assert.equal(server.requests.length, 7);
});

for (const [name, call, request] of CALLS) {
  test(`${name} sends ${request}`, async () => {
    server.routes.set('*', { body: { answer: name, sessions: [] } });
    const answer = (await call(client)) as { answer: string };
    assert.equal(answer.answer, name);
    assert.deepEqual(lines(), [request]);
    assert.equal(server.requests[0]?.headers.authorization, 'Bearer key+of/test');
    const hasBody = server.requests[0]?.body !== '';
    assert.equal(server.requests[0]?.headers['content-type'], hasBody ? 'application/json' : undefined);
  });
}

test('an empty answer, and one that is not JSON, are read as an empty object', async () => {
  server.routes.set('*', [{ status: 204, body: '' }, { body: 'done' }]);
  assert.deepEqual(await client.deleteProfile('p'), {});
  assert.deepEqual(await client.deleteProfile('p'), {});
});

test('a list without sessions has none', async () => {
  server.routes.set('*', { body: { sessions: null, next_cursor: '' } });
  assert.deepEqual(await client.listSessions(), { sessions: [], next_cursor: '' });
});

test('an error has the code, the text and the status of the answer', async () => {
  const body = { error: 'validation_failed', message: 'max_turns is 0', details: { fields: ['max_turns'] } };
  server.routes.set('*', { status: 422, body });
  const problem = await failure(client.createSession({ max_turns: 0 }));
  assert.deepEqual(
    [problem.error, problem.message, problem.status, problem.details],
    ['validation_failed', 'max_turns is 0', 422, { fields: ['max_turns'] }],
  );
  assert.ok('error' in problem && 'message' in problem && problem instanceof Error);
});

test('an error without a JSON body has its text', async () => {
  server.routes.set('*', { status: 500, body: 'broken' });
  const problem = await failure(client.listProfiles());
  assert.deepEqual([problem.error, problem.message, problem.status], ['http_500', 'broken', 500]);
  assert.equal(lines().length, 1);
});

for (const status of [429, 502, 503, 504]) {
  test(`GET, PUT and DELETE are repeated after ${status}`, async () => {
    const good = { body: { sessions: [] } };
    for (const call of [() => client.listSessions(), () => client.updateProfile('p', {}), () => client.deregister()]) {
      server.requests.length = 0;
      server.routes.set('*', [{ status }, { status }, good]);
      await call();
      assert.equal(lines().length, 3);
    }
  });
}

test('the last of the further attempts decides', async () => {
  server.routes.set('*', { status: 503, body: { error: 'busy', message: 'later' } });
  assert.equal((await failure(client.listSessions())).error, 'busy');
  assert.equal(lines().length, 4);
});

test('a status that is not in retryOn is final', async () => {
  const retry = { maxRetries: 2, retryDelay: 1, retryOn: [500] };
  const other = createClient({ baseUrl: server.url, token: 't', retry });
  server.routes.set('*', { status: 503 });
  await failure(other.listSessions());
  server.routes.set('*', { status: 500 });
  await failure(other.listSessions());
  assert.equal(lines().length, 4);
});

test('a creation is sent once whatever happens', async () => {
  for (const reply of [{ status: 503 }, { status: 429, headers: { 'Retry-After': '0' } }, { drop: true }]) {
    server.requests.length = 0;
    server.routes.set('*', reply);
    await failure(client.createSession({ name: 'x' }));
    await failure(client.register());
    assert.equal(lines().length, 2);
  }
});

test('a creation with an idempotent key is repeated', async () => {
  server.routes.set('*', [{ drop: true }, { status: 503 }, { body: { session: { id: 's1' } } }]);
  const { session } = await client.createSession({ idempotent_key: 'k' });
  assert.equal(session.id, 's1');
  assert.deepEqual(new Set(lines()), new Set(['POST /v1/sessions {"idempotent_key":"k"}']));
  assert.equal(lines().length, 3);
});

test('a lost connection is repeated, then reported', async () => {
  server.routes.set('*', [{ drop: true }, { body: { profiles: [] } }]);
  assert.deepEqual(await client.listProfiles(), { profiles: [] });
  server.routes.set('*', { drop: true });
  const problem = await failure(client.listProfiles());
  assert.deepEqual([problem.error, problem.status], ['network_error', 0]);
  assert.match(problem.message, /^GET \/v1\/profiles: ./);
});

test('Retry-After is longer than the own pause', async () => {
  server.routes.set('*', [{ status: 429, headers: { 'Retry-After': '1' } }, { body: { profiles: [] } }]);
  const begin = performance.now();
  await client.listProfiles();
  assert.ok(performance.now() - begin > 950);
});

test('Retry-After, as seconds or as a date, is shorter than the own pause', async () => {
  const slow = createClient({ baseUrl: server.url, token: 't', retry: { retryDelay: 30_000 } });
  for (const value of ['0', new Date(Date.now() - 5000).toUTCString()]) {
    server.routes.set('*', [{ status: 503, headers: { 'Retry-After': value } }, { body: { profiles: [] } }]);
    const begin = performance.now();
    await slow.listProfiles();
    assert.ok(performance.now() - begin < 5000, value);
  }
});

test('a long Retry-After is given to the caller at once', async () => {
  server.routes.set('*', { status: 429, headers: { 'Retry-After': '3600' } });
  const problem = await failure(client.listProfiles());
  assert.deepEqual([problem.status, problem.retryAfter, lines().length], [429, 3600, 1]);
});

test('each attempt has a time limit', async () => {
  const hasty = createClient({ baseUrl: server.url, token: 't', timeout: 300, retry: { maxRetries: 1, retryDelay: 1 } });
  server.routes.set('*', { hang: true });
  const problem = await failure(hasty.getSession('s'));
  assert.deepEqual([problem.error, problem.status], ['timeout', 0]);
  await failure(hasty.createSession({}));
  assert.deepEqual(lines(), ['GET /v1/sessions/s', 'GET /v1/sessions/s', 'POST /v1/sessions {}']);
});

test('a given fetch is used', async () => {
  const seen: string[] = [];
  const own: typeof fetch = async (input) => {
    seen.push(String(input));
    return new Response('{"profiles":[]}');
  };
  await createClient({ baseUrl: 'http://x', token: 't', fetch: own }).listProfiles();
  assert.deepEqual(seen, ['http://x/v1/profiles']);
});

test('the address of the socket holds id and token, encoded', () => {
  const url = client.getWebSocketURL('a b');
  assert.equal(url, `ws://127.0.0.1:${server.port}/v1/ws/sessions/a%20b?token=key%2Bof%2Ftest`);
  const secure = createClient({ baseUrl: 'https://h', token: 't' });
  assert.equal(secure.getWebSocketURL('i'), 'wss://h/v1/ws/sessions/i?token=t');
});
