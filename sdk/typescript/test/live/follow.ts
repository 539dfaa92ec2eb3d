// Print every message of a session as a line of JSON until its end, and the states of the connection on stderr.
import { connectClient, Listener } from './server.js';

const follower = new Listener(
  connectClient(),
  process.argv[2] ?? '',
  {
    onMessage: (msg) => console.log(JSON.stringify(msg)),
    onConnectionChange: (state) => console.error(state),
    onError: (problem) => console.error(`error ${problem.error}: ${problem.message}`),
  },
  { reconnectDelay: 100, maxReconnectAttempts: 100 },
);
await follower.ws.connect();
