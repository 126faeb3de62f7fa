// A page that keeps a WebSocket, an event stream and a download open, with a token in a cookie that is going to end, and then with
// one that is not. Behind the # of its address: whose page it is, and both tokens. Each step is told to the server, as JSON.

const [whose, token, another] = location.hash.slice(1).split(',');
const tell = (step) => fetch('told', { method: 'POST', body: JSON.stringify({ [whose]: step }) });
const useToken = (token) => { document.cookie = `__Host-token=${token}; Path=/; Secure; SameSite=Strict`; };

// Each opens and gives a promise of the end, or says how it was refused.
const clients = {
  webSocket: () => new Promise((resolve) => {
    const socket = new WebSocket(new URL('/live', location));
    const ended = new Promise((end) => {
      socket.addEventListener('close', ({ code, wasClean }) => end({ code, wasClean }));
    });
    socket.addEventListener('message', () => resolve({ ended }), { once: true });
    ended.then(({ code }) => resolve({ refused: code }));
  }),

  // It asks again by itself when it has ended, so that what comes of this is told with the end.
  events: () => new Promise((resolve) => {
    const source = new EventSource('/events');
    const states = ['connecting', 'open', 'closed'];
    const nextError = () => new Promise((end) => {
      source.addEventListener('error', () => end(states[source.readyState]), { once: true });
    });
    const ended = nextError().then(async (state) => ({ state, again: state === 'closed' ? undefined : await nextError() }));
    source.addEventListener('message', () => resolve({ ended }), { once: true });
    ended.then(({ state }) => resolve({ refused: state }));
  }),

  download: async () => {
    const response = await fetch('/download/a');
    if (!response.ok) return { refused: response.status };
    const reader = response.body.getReader();
    await reader.read();
    const readOn = async () => { while (!(await reader.read()).done); };
    return { ended: readOn().then(() => ({ whole: true }), (error) => ({ error: error.name })) };
  },
};

const openAll = async () => {
  const opened = Object.entries(clients).map(async ([name, open]) => [name, await open()]);
  return Object.fromEntries(await Promise.all(opened));
};
const each = (all, pick) => Object.fromEntries(Object.entries(all).map(([name, one]) => [name, pick(one)]));

useToken(token);
const first = await openAll();
if (Object.values(first).every(({ ended }) => ended)) {
  await tell({ open: true });
  const at = [];
  const ends = Object.entries(first).map(async ([name, { ended }]) => {
    const end = await ended;
    at.push(Date.now());
    return [name, end];
  });
  const end = Object.fromEntries(await Promise.all(ends));
  await tell({ end, at: Math.min(...at) });
  await tell({ again: each(await openAll(), ({ refused }) => refused) });
  useToken(another);
  await tell({ other: each(await openAll(), ({ ended }) => (ended ? 'open' : 'refused')) });
} else {
  await tell({ refused: each(first, ({ refused }) => refused ?? 'open') });
}
