// A conversation with a real session: prompts, dialogs, interrupt, files, end.
import assert from 'node:assert/strict';
import { createFileTransfer, createWebSocketFileTransfer, type ConnectionState } from 'lisa-sessions';
import { connectClient, failure, Listener } from './server.js';

const client = connectClient();
const { session } = await client.createSession({});
const states: ConnectionState[] = [];
const here: Listener = new Listener(client, session.id, {
  onConnectionChange: (state) => states.push(state),
  onToolApproval: ({ payload }) => {
    const approved = payload.tool_input.command.includes('allowed');
    here.ws.sendToolApproval({ tool_use_id: payload.tool_use_id, approved, ...(approved ? {} : { message: 'not that' }) });
  },
  onQuestion: ({ payload }) => {
    const key = payload.questions[0]?.header ?? payload.questions[0]?.question ?? '';
    here.ws.sendAnswers({ question_id: payload.question_id, answers: { [key]: 'blue' } });
  },
});
await here.ws.connect();

here.ws.sendPrompt('[say the first answer]');
assert.deepEqual((await here.waitFor('assistant', 'the first answer')).content, [{ type: 'text', text: 'the first answer' }]);
await here.waitFor('result');

here.ws.sendPrompt('[ask touch allowed] [say it is made]');
await here.waitFor('assistant', 'it is made');
const tool = await here.waitFor('tool_use', 'touch allowed');
assert.equal(tool.data.tool_name, tool.payload.name);
assert.equal(typeof (await here.waitFor('tool_result', tool.payload.id)).content, 'string');

here.ws.sendPrompt('[ask touch refused] [say after the refusal]');
await here.waitFor('assistant', 'after the refusal');

here.ws.sendPrompt('[question Which colour? | red | blue] [say thanks]');
await here.waitFor('assistant', 'thanks');

here.ws.sendPrompt('[think 60] [say never]');
await here.waitFor('user', '[think 60]');
await here.waitFor('session_status', 'in_progress');
here.ws.sendInterrupt();
await here.waitFor('system', 'interrupted');

const files = createFileTransfer(client);
const percents: number[] = [];
const content = new Blob(['x'.repeat(300_000)], { type: 'text/plain' });
const path = await files.uploadFile(session.id, content, '../notes.txt', { onProgress: (each) => percents.push(each) });
assert.match(path, /uploads\/notes\.txt$/);
assert.equal(percents.at(-1), 100);
const { download_url, size } = await client.requestDownloadURL(session.id, { path });
assert.equal(size, 300_000);
assert.equal(await (await files.downloadFromURL(download_url)).text(), await content.text());
const overSocket = createWebSocketFileTransfer(here.ws);
const second = await overSocket.uploadFile(new Blob(['second']), 'notes.txt');
assert.notEqual(second, path);
assert.equal(await (await overSocket.downloadFile(second)).text(), 'second');
assert.equal((await failure(overSocket.downloadFile('/etc/passwd')))[1], 'file_error');
assert.equal((await failure(client.requestDownloadURL(session.id, { path: '/etc/passwd' })))[0] >= 400, true);

here.ws.sendPrompt('[say after the departure]');
here.ws.disconnect();
const again = new Listener(client, session.id, {}, { since: here.ws.getCursor() });
await again.ws.connect();
await again.waitFor('assistant', 'after the departure');
assert.equal(again.messages.filter((msg) => msg.type === 'user').length, 1);

await client.terminateSession(session.id);
assert.equal((await again.waitFor('session_end')).payload.reason, 'user_requested');
assert.deepEqual(states, ['connecting', 'connected', 'disconnected']);

const late = new Listener(client, session.id);
await late.ws.connect();
await late.waitFor('session_end');
assert.equal(late.messages.filter((msg) => msg.type === 'assistant').length, 5);
console.log('done');
