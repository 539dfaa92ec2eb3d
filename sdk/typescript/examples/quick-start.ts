// The shortest way from a token to the answer of an agent.
import { createClient, createSessionWebSocket } from '@limacharlie/ai-sessions';

const client = createClient({
  baseUrl: process.env.AI_SESSIONS_URL!,
  token: process.env.AI_SESSIONS_TOKEN!,
});

await client.register();
if (process.env.ANTHROPIC_KEY) await client.storeAPIKey(process.env.ANTHROPIC_KEY);

const { session } = await client.createSession({
  allowed_tools: ['Bash', 'Read', 'Write'],
});
console.log('Session:', session.id);

const ws = createSessionWebSocket(client.getWebSocketURL(session.id), {
  onAssistant: (msg) => {
    console.log('Agent:', msg.content);
  },
  onToolUse: (msg) => {
    console.log('Tool:', msg.data.tool_name, msg.data.input);
  },
  onResult: () => {
    ws.disconnect();
  },
  onError: (err) => {
    console.error('Error:', err);
  },
  onSessionEnd: (msg) => {
    console.log('End:', msg.data.reason);
  },
  onConnectionChange: (state) => {
    console.log('Connection:', state);
  },
});

await ws.connect();
ws.sendPrompt(process.argv[2] ?? 'Hello! List the files in this folder.');
