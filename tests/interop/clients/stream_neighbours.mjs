// Ten event streams on one HTTP/2 connection to the URL (the first argument), with the tokens behind it in turn. Printed: when all
// are open, each one that ends, and, when as many have ended as the second token has, which of the others go on from there.

import http2 from 'node:http2';

const [url, ...tokens] = process.argv.slice(2);
const COUNT = 10;
const tell = (step) => console.log(JSON.stringify(step));

const session = http2.connect(url);
session.on('close', () => tell({ session: 'closed' }));
const streams = Array.from({ length: COUNT }, (_, number) => {
  const request = session.request({
    ':path': '/events', accept: 'text/event-stream', authorization: `Bearer ${tokens[number % tokens.length]}`,
  });
  const stream = { number, ticks: 0, isOpen: true };
  request.on('response', (headers) => { stream.status = headers[':status']; });
  request.on('data', () => { stream.ticks += 1; });
  request.on('error', () => {});
  request.on('close', () => { stream.isOpen = false; tell({ ended: number, status: stream.status }); });
  return stream;
});

const until = (holds) => new Promise((resolve) => {
  const looking = setInterval(() => { if (holds()) { clearInterval(looking); resolve(); } }, 5);
});
await until(() => streams.every(({ ticks }) => ticks > 0));
tell({ open: COUNT });
const ending = streams.filter(({ number }) => number % tokens.length === 1);
await until(() => ending.every(({ isOpen }) => !isOpen));
const others = streams.filter((stream) => !ending.includes(stream)).map((stream) => ({ stream, before: stream.ticks }));
await until(() => others.every(({ stream, before }) => stream.ticks > before + 3));
tell({ alive: others.map(({ stream }) => stream.number) });
process.exit(0);
