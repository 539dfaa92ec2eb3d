import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReconnectPolicy } from '../dist/reconnect.js';

test('delays double from the first one, with jitter, up to 30 seconds', () => {
  const policy = new ReconnectPolicy(8, 1000);
  const delays = Array.from({ length: 8 }, () => policy.nextDelay(0));
  [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000].forEach((least, index) => {
    const delay = delays[index] ?? 0;
    assert.ok(delay >= least && delay <= Math.min(30_000, least * 1.3), `${index}: ${delay}`);
  });
  assert.equal(policy.nextDelay(0), undefined);
});

test('two clients do not come back at the same moment', () => {
  const delays = new Set(Array.from({ length: 20 }, () => new ReconnectPolicy(1, 1000).nextDelay(0)));
  assert.ok(delays.size > 10);
});

test('a connection that lived ten seconds begins anew', () => {
  const policy = new ReconnectPolicy(1, 1000);
  assert.notEqual(policy.nextDelay(0), undefined);
  assert.equal(policy.nextDelay(9_999), undefined);
  assert.ok((policy.nextDelay(10_000) ?? 0) < 1300);
});
