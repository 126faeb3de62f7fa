// A client of an answer that stays open: which one (the first argument), the URL, a token that is going to end, and one that is not.
// Each step is a line of JSON: that it is open, how and when the client learns of the end, what the same token gets then, and what
// the other token gets.

import { spawn } from 'node:child_process';
import { EventSource } from 'eventsource';
import { WebSocket as Ws } from 'ws';

const [kind, url, token, another] = process.argv.slice(2);
const tell = (step) => console.log(JSON.stringify(step));
// `eventsource` waits to ask again by a timer that keeps no process alive.
setInterval(() => {}, 1000);
const bearer = (token) => ({ authorization: `Bearer ${token}` });

function download(path, ...options) {
  return (token) => new Promise((resolve) => {
    const named = ['--header', `Authorization: Bearer ${token}`, `${url}download/${path}`];
    const curl = spawn('curl', ['--silent', '--fail', '--no-buffer', '--write-out', '%{stderr}%{http_code}', ...options, ...named]);
    process.on('exit', () => curl.kill());
    let status = '';
    curl.stderr.on('data', (text) => { status += text; });
    const ended = new Promise((end) => curl.on('close', (code) => end({ exit: code })));
    curl.stdout.once('data', () => resolve({ ended }));
    curl.stdout.resume();
    ended.then(() => resolve({ status: Number(status) }));
  });
}

// Each opens with a token and gives a status where that is refused, else a promise of the end; and, where it asks again by itself,
// one of what comes of that.
const clients = {
  // `ws` of npm.
  ws: (token) => new Promise((resolve) => {
    const socket = new Ws(url.replace('http', 'ws'), { headers: bearer(token) });
    const ended = new Promise((end) => socket.on('close', (code) => end({ code })));
    socket.on('error', () => {});
    socket.on('unexpected-response', (_, response) => resolve({ status: response.statusCode }));
    socket.once('message', () => resolve({ ended }));
  }),

  // The interface of browsers, which Node has too: a script learns of no status.
  node: (token) => new Promise((resolve) => {
    const socket = new WebSocket(url.replace('http', 'ws'), ['bearer', token]);
    const ended = new Promise((end) => {
      socket.addEventListener('close', ({ code, wasClean }) => end({ code, wasClean }));
    });
    socket.addEventListener('message', () => resolve({ ended }), { once: true });
    ended.then(({ code }) => resolve({ status: code }));
  }),

  // `eventsource` of npm.
  eventsource: (token) => new Promise((resolve) => {
    const withToken = (address, init) => fetch(address, { ...init, headers: { ...init.headers, ...bearer(token) } });
    const source = new EventSource(`${url}events`, { fetch: withToken });
    const nextError = () => new Promise((end) => { source.addEventListener('error', end, { once: true }); });
    const again = Promise.withResolvers();
    const ended = nextError().then(({ code, message }) => {
      if (code === undefined) nextError().then((error) => again.resolve(error.code));
      return { code, message };
    });
    source.addEventListener('message', () => resolve({ ended, again: again.promise }), { once: true });
    ended.then(({ code }) => resolve({ status: code }));
  }),

  chunked: download('a'),
  length: download('known'),
  http2: download('a', '--http2-prior-knowledge'),
  http2length: download('known', '--http2-prior-knowledge'),
};

const open = clients[kind];
const first = await open(token);
if (first.ended) {
  tell({ open: true });
  const end = await first.ended;
  tell({ end, at: Date.now() });
  tell({ again: first.again ? await first.again : (await open(token)).status });
  const other = await open(another);
  tell({ other: other.ended ? 'open' : other.status });
} else {
  tell({ refused: first.status });
}
process.exit(0);
