// Creations beyond the limit of a minute: refused with the time to wait, and not repeated by the client.
import assert from 'node:assert/strict';
import { APIError, createClient } from 'lisa-sessions';
import { TOKEN, URL } from './server.js';

let requests = 0;
const counting: typeof fetch = (input, init) => {
  requests += 1;
  return fetch(input, init);
};
const client = createClient({ baseUrl: URL, token: TOKEN, fetch: counting });
for (let call = 1; ; call += 1) {
  try {
    await client.createSession({ max_turns: 0 }); // refused, so that nothing is started; it counts
  } catch (problem) {
    assert.ok(problem instanceof APIError);
    if (problem.status !== 429) {
      assert.ok(call <= 30, `${call} calls without a limit: ${problem.status} ${problem.error}`);
      continue;
    }
    assert.equal(problem.error, 'rate_limited');
    assert.ok((problem.retryAfter ?? 0) > 0);
    assert.equal(requests, call);
    break;
  }
}
console.log('done');
