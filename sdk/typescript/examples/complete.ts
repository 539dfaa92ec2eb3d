// A program that registers when it must, waits for its session, shows the conversation and ends the session on Ctrl-C.
import { createClient, createSessionWebSocket } from '@limacharlie/ai-sessions';
import WebSocket from 'ws';

async function main() {
  const client = createClient({
    baseUrl: process.env.AI_SESSIONS_URL!,
    token: process.env.AI_SESSIONS_TOKEN!,
    fetch: globalThis.fetch,
  });

  try {
    await client.getCredentialStatus();
  } catch (e) {
    console.log('Registering...');
    await client.register();
    await client.storeAPIKey(process.env.ANTHROPIC_KEY!);
  }

  const { session } = await client.createSession({
    allowed_tools: ['Bash', 'Read', 'Grep', 'Glob'],
    denied_tools: ['Write', 'Edit'],
  });
  console.log('Session:', session.id);

  let status = session.status;
  while (status === 'pending' || status === 'starting') {
    await new Promise((r) => setTimeout(r, 1000));
    const resp = await client.getSession(session.id);
    status = resp.session.status;
  }
  if (status !== 'running') {
    throw new Error(`The session did not start: ${status}`);
  }

  const ws = createSessionWebSocket(
    client.getWebSocketURL(session.id),
    {
      onAssistant: (msg) => {
        for (const content of msg.payload.content) {
          if (content.type === 'text') {
            process.stdout.write(content.text);
          }
        }
      },
      onToolUse: (msg) => {
        console.log(`\n[${msg.payload.name}]`);
      },
      onToolResult: (msg) => {
        console.log(`[${msg.payload.content.substring(0, 100)}]`);
      },
      onSessionEnd: (msg) => {
        console.log(`\nEnd: ${msg.payload.reason}`);
        process.exit(0);
      },
      onError: (err) => {
        console.error('Error:', err);
      },
    },
    { autoReconnect: true },
    WebSocket as unknown as typeof globalThis.WebSocket,
  );
  await ws.connect();
  console.log('Connected');
  ws.sendPrompt(process.argv[2] ?? 'Find all Python files and show the first lines of each.');

  process.on('SIGINT', async () => {
    console.log('\nEnding the session...');
    ws.disconnect();
    await client.terminateSession(session.id);
    process.exit(0);
  });
}

main().catch(console.error);
