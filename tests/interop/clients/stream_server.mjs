// An application whose answers stay open, on PORT: WebSockets at any path, event streams at /events, downloads without an end at
// /download/, a download of a known length at /download/known, and a page for browsers at /public/. It knows nothing of tokens, and
// prints what that page tells.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const TICK = 20;
const KNOWN_LENGTH = 2 ** 30;
const script = readFileSync(new URL('stream_page.mjs', import.meta.url));

function stayOpen(response, headers, part) {
  response.writeHead(200, headers);
  response.write(part);
  const ticking = setInterval(() => response.write(part), TICK);
  response.on('close', () => clearInterval(ticking));
}

async function takeWord(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  console.log(Buffer.concat(chunks).toString());
  response.writeHead(204).end();
}

const server = createServer((request, response) => {
  const path = new URL(request.url, 'http://a').pathname;
  if (path === '/public/page') {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<!doctype html><script type="module" src="script.mjs"></script>');
  } else if (path === '/public/script.mjs') {
    response.writeHead(200, { 'content-type': 'text/javascript' });
    response.end(script);
  } else if (path === '/public/told') {
    takeWord(request, response);
  } else if (path === '/events') {
    stayOpen(response, { 'content-type': 'text/event-stream' }, 'retry: 50\ndata: tick\n\n');
  } else if (path === '/download/known') {
    stayOpen(response, { 'content-length': KNOWN_LENGTH }, 'part\n');
  } else if (path.startsWith('/download/')) {
    stayOpen(response, { 'content-type': 'application/octet-stream' }, 'part\n');
  } else {
    response.writeHead(404).end();
  }
});

// Of the subprotocols that a client offers none is chosen: what is answered then is the proxy's.
const sockets = new WebSocketServer({ server, handleProtocols: () => false });
sockets.on('connection', (socket) => {
  const ticking = setInterval(() => socket.send('tick'), TICK);
  socket.on('error', () => {});
  socket.on('close', () => clearInterval(ticking));
});

server.listen(Number(process.env.PORT), '127.0.0.1');
