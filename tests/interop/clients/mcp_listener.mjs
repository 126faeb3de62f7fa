// An MCP client that subscribes to changes of a server's tools (subscriptions/listen, revision 2026-07-28): the URL, a token that is
// going to end, and one that is not. Each step is a line of JSON, as stream_client.mjs has them.

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const [url, token, another] = process.argv.slice(2);
const tell = (step) => console.log(JSON.stringify(step));

async function subscribe(token) {
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit });
  const client = new Client({ name: 'a client', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  await client.connect(transport);
  return { client, ended: (await client.listen({ toolsListChanged: true })).closed };
}

const first = await subscribe(token).catch((error) => ({ refused: String(error) }));
if (first.refused) {
  tell({ refused: first.refused });
} else {
  tell({ open: true });
  const end = await first.ended;
  tell({ end, at: Date.now() });
  const again = first.client.listen({ toolsListChanged: true });
  tell({ again: await again.then(() => 'open', (error) => error.status ?? String(error)) });
  await subscribe(another);
  tell({ other: 'open' });
}
process.exit(0);
