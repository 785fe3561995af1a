// Follows a portal's activities with graphql-ws as a page would, through every loss of its connection:
// node follow.mjs URL TOKEN CURSOR. Prints one JSON object a line, and ends when its input does.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, token, cursor] = process.argv.slice(2);
const print = (line) => console.log(JSON.stringify(line));
const client = createClient({
  url: url.replace(/^http/, 'ws'),
  webSocketImpl: WebSocket,
  connectionParams: { Authorization: `Bearer ${token}` },
  keepAlive: 1_000,
  retryAttempts: 1_000,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 50)),
  shouldRetry: () => true,
  on: {
    connected: () => print({ event: 'connected' }),
    closed: ({ code }) => print({ event: 'closed', code }),
  },
});

for await (const { data, errors } of client.iterate({ query: '{ viewer { name } }' })) {
  print({ event: 'viewer', name: data?.viewer.name, errors });
}

// When it comes back, the client sends the same operation again: after is by then what it saw last.
const variables = { after: cursor };
client.subscribe(
  { query: 'subscription ($after: String) { activity(after: $after) { cursor } }', variables },
  {
    next: ({ data, errors }) => {
      if (data) variables.after = data.activity.cursor;
      print({ event: 'next', cursor: data?.activity.cursor, errors });
    },
    error: (error) => print({ event: 'error', error: String(error?.message ?? JSON.stringify(error)), code: error?.code }),
    complete: () => print({ event: 'complete' }),
  },
);
process.stdin.resume();
process.stdin.on('end', () => client.dispose());
