import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReconnectPolicy } from '../dist/reconnect.js';

test('two clients do not come back at the same moment', () => {
  const delays = new Set(Array.from({ length: 20 }, () => new ReconnectPolicy(1, 1000).nextDelay(0)));
  assert.ok(delays.size > 10);
});
