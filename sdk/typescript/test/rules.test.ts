// The rules of socket-cases.json, which the Python client keeps, too.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createSessionWebSocket, type SessionWebSocket } from 'lisa-sessions';
import { judgeClose, ReconnectPolicy } from '../dist/reconnect.js';

interface ReadingCase {
  case: string;
  connections: (string | string[] | { answered: string })[][];
  delivered: string[];
  asked?: string[];
  cursor: string;
}

interface Table {
  frames: Record<string, object>;
  reading: ReadingCase[];
  ends: { code?: number; status?: number; again: boolean; quiet?: boolean }[];
  delays: { case: string; first: number; attempts: number; jitter: number; lives: number[]; delays: (number | null)[] }[];
}

const TABLE: Table = JSON.parse(readFileSync(new URL('../test/socket-cases.json', import.meta.url), 'utf-8'));

/** A connection whose server is the test. */
class ScriptedSocket extends EventTarget {
  static readonly made: ScriptedSocket[] = [];
  binaryType = '';
  readyState = 1;

  constructor(readonly url: string) {
    super();
    ScriptedSocket.made.push(this);
  }

  send(): void {}

  close(): void {
    this.readyState = 3;
  }

  receive(message: object): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data: JSON.stringify(message) }));
  }

  lose(): void {
    this.dispatchEvent(Object.assign(new Event('close'), { code: 1006, reason: '' }));
  }
}

/** Return a frame whose time is its name in the table. */
function frame(name: string): object {
  return { ...TABLE.frames[name], timestamp: name };
}

function message(entry: string | string[]): object {
  if (typeof entry === 'string') return frame(entry);
  const messages = entry.map(frame) as { cursor?: string }[];
  return { type: 'history', payload: { messages }, cursor: messages.at(-1)?.cursor ?? '' };
}

function answer(ws: SessionWebSocket, name: string): void {
  const { payload } = TABLE.frames[name] as { payload: { tool_use_id?: string; question_id?: string } };
  if (payload.question_id !== undefined) ws.sendAnswers({ question_id: payload.question_id, answers: {} });
  else ws.sendToolApproval({ tool_use_id: payload.tool_use_id ?? '', approved: true });
}

for (const each of TABLE.reading) {
  test(each.case, async () => {
    ScriptedSocket.made.length = 0;
    const delivered: unknown[] = [];
    const asked: unknown[] = [];
    const ws = createSessionWebSocket(
      'ws://scripted/',
      {
        onMessage: (msg) => delivered.push(msg.timestamp),
        onToolApproval: (msg) => asked.push(msg.timestamp),
        onQuestion: (msg) => asked.push(msg.timestamp),
      },
      { reconnectDelay: 0 },
      ScriptedSocket as unknown as typeof globalThis.WebSocket,
    );
    const connected = ws.connect();
    for (const [index, entries] of each.connections.entries()) {
      while (ScriptedSocket.made.length <= index) await new Promise((resolve) => setTimeout(resolve, 1));
      const socket = ScriptedSocket.made[index]!;
      for (const entry of entries) {
        if (typeof entry === 'object' && 'answered' in entry) answer(ws, entry.answered);
        else socket.receive(message(entry));
      }
      if (index < each.connections.length - 1) socket.lose();
    }
    await connected;
    assert.deepEqual([delivered, asked, ws.getCursor()], [each.delivered, each.asked ?? [], each.cursor]);
    ws.disconnect();
  });
}

for (const { code, status, again, quiet } of TABLE.ends) {
  test(`end of a connection: ${code ?? `HTTP ${status}`}`, () => {
    const problem = status === undefined ? '' : `Unexpected server response: ${status}`;
    const judged = judgeClose(code ?? 1006, '', problem);
    assert.deepEqual([judged.isFinal, judged.isQuiet], [!again, quiet ?? false]);
    if (status !== undefined) assert.equal(judged.error.status, status);
  });
}

for (const each of TABLE.delays) {
  test(`delays: ${each.case}`, () => {
    const policy = new ReconnectPolicy(each.attempts, each.first * 1000, () => each.jitter);
    const delays = each.lives.map((lived) => policy.nextDelay(lived * 1000));
    assert.deepEqual(delays, each.delays.map((delay) => (delay === null ? undefined : delay * 1000)));
  });
}
