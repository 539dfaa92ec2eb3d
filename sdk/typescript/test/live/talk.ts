// A conversation with a real session: prompts, dialogs, interrupt, end.
import assert from 'node:assert/strict';
import type { ConnectionState } from 'lisa-sessions';
import { connectClient, Listener } from './server.js';

const client = connectClient();
const { session } = await client.createSession({});
const states: ConnectionState[] = [];
const here: Listener = new Listener(client, session.id, {
  onConnectionChange: (state) => states.push(state),
  onToolApproval: ({ payload }) => {
    const approved = JSON.stringify(payload.tool_input).includes('allowed');
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
await here.waitFor('result', 'interrupted');

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
const answers = late.messages.flatMap((msg) => (msg.type === 'assistant' ? msg.content : []));
assert.deepEqual(
  answers.flatMap((block) => (block.type === 'text' ? [block.text] : [])),
  [
    'the first answer',
    'it is made',
    'after the refusal',
    'You chose: Which colour?=blue',
    'thanks',
    'after the departure',
  ],
);
console.log('done');
