// An MCP server of revision 2026-07-28 with the tools `read_x` and `delete_x`, on PORT. It knows nothing of tokens, and
// prints the Authorization header of each request and the name of each tool that runs.

import { createServer } from 'node:http';
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server';

const answers = { read_x: 'x was read', delete_x: 'x was deleted' };

function server() {
  const server = new McpServer({ name: 'x', version: '1' });
  for (const [name, text] of Object.entries(answers)) {
    server.registerTool(name, { description: name }, () => {
      console.log(JSON.stringify({ ran: name }));
      return { content: [{ type: 'text', text }] };
    });
  }
  return server;
}

const handler = createMcpHandler(server);

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { method, headers } = request;
  console.log(JSON.stringify({ authorization: headers.authorization ?? null }));
  const body = method === 'GET' || method === 'HEAD' ? undefined : Buffer.concat(chunks);
  const answer = await handler.fetch(new Request(`http://${headers.host}${request.url}`, { method, headers, body }));
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  if (answer.body) for await (const chunk of answer.body) response.write(chunk);
  response.end();
}).listen(Number(process.env.PORT), '127.0.0.1');
