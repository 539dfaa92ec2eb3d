// Every REST call of the client, answered by a real server.
import assert from 'node:assert/strict';
import { connectClient, failure } from './server.js';

const client = connectClient();

assert.equal((await client.deregister()).deregistered, true); // ends what others have started
const first = await client.register();
assert.equal(first.registered, true);
assert.deepEqual(await client.register(), first);

const empty = await client.listSessions({ status: 'running' });
assert.deepEqual(empty.sessions, []);

const request = { name: 'first', idempotent_key: 'key-1', allowed_tools: ['Read'], denied_tools: ['WebFetch'], prompt: '[say one]' };
const { session } = await client.createSession(request);
assert.ok(session.status === 'running' || session.status === 'starting', session.status);
assert.equal((await client.createSession(request)).session.id, session.id);
const { session: same } = await client.getSession(session.id);
assert.deepEqual([same.id, same.allowed_tools, same.denied_tools], [session.id, ['Read'], ['WebFetch']]);
assert.deepEqual((await client.listSessions({ limit: 5 })).sessions.map((each) => each.id), [session.id]);

const made = await client.createProfile({ name: 'Strict', description: 'text', denied_tools: ['Bash'], max_turns: 7 });
const id = made.profile.id;
assert.deepEqual((await client.getProfile(id)).profile, made.profile);
assert.ok((await client.listProfiles()).profiles.some((each) => each.id === id));
const { profile } = await client.updateProfile(id, { max_turns: 9 });
assert.deepEqual([profile.max_turns, profile.denied_tools, profile.name], [9, ['Bash'], 'Strict']);
assert.equal((await client.setDefaultProfile(id)).profile.is_default, true);
assert.deepEqual(await failure(client.deleteProfile(id)), [409, 'default_profile']);
assert.deepEqual(await failure(client.createProfile({ name: 'Strict' })), [409, 'profile_exists']);
const captured = await client.captureProfile(session.id, { name: 'Captured' });
assert.deepEqual(captured.profile.denied_tools, ['WebFetch']);
assert.equal((await client.deleteProfile(captured.profile.id)).deleted, true);
assert.deepEqual(await failure(client.getProfile(captured.profile.id)), [404, 'profile_not_found']);

assert.equal((await client.storeAPIKey('sk-ant-api03-of-the-test')).success, true);
const status = await client.getCredentialStatus();
assert.deepEqual([status.has_credentials, status.credential_type], [true, 'api_key']);
assert.equal((await client.getCredentials()).providers.anthropic?.has_credentials, true);
assert.equal((await client.storeProviderCredential('openai', { api_key: 'sk-of-the-test' })).success, true);
assert.equal((await client.getCredentials()).providers.openai?.type, 'api_key');
await client.deleteProviderCredential('openai');
assert.equal((await client.getCredentials()).providers.openai?.has_credentials, false);
assert.equal((await client.deleteCredentials()).success, true);

const { oauth_session_id } = await client.startOAuth();
let login = await client.pollOAuthURL(oauth_session_id);
while (login.status === 'pending') login = await client.pollOAuthURL(oauth_session_id);
assert.equal(login.status, 'url_ready');
assert.match(login.url ?? '', /^https:\/\/claude\.ai\//);
assert.equal((await client.submitOAuthCode(oauth_session_id, 'good#state')).success, true);
assert.equal((await client.getCredentialStatus()).credential_type, 'oauth_token');

const none = '00000000-0000-4000-8000-000000000000';
assert.deepEqual(await failure(client.getSession(none)), [404, 'session_not_found']);
assert.deepEqual(await failure(connectClient('wrong').getSession(session.id)), [401, 'unauthorized']);
assert.deepEqual(await failure(connectClient('wrong').register()), [401, 'unauthorized']);
const wrong = client.createSession({ max_turns: 'many' as unknown as number });
assert.deepEqual(await failure(wrong), [422, 'validation_failed']);

let preflight = await client.forkPreflight(session.id);
while (!preflight.is_forkable) preflight = await client.forkPreflight(session.id);
assert.deepEqual([preflight.source_session_id, preflight.is_forkable], [session.id, true]);
const fork = await client.forkSession(session.id, { name: preflight.default_fork_name });
assert.equal(fork.session.forked_from_session_id, session.id);
await client.terminateSession(fork.session.id);

assert.deepEqual(await failure(client.deleteSessionRecord(session.id)), [409, 'session_not_ended']);
assert.equal((await client.terminateSession(session.id)).terminated, true);
assert.equal((await client.getSession(session.id)).session.status, 'ended');
assert.equal((await client.deleteSessionRecord(session.id)).deleted, true);
assert.deepEqual(await failure(client.getSession(session.id)), [404, 'session_not_found']);
console.log('done');
