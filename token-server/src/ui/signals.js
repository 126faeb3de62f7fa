// Streams of shared signals: when each was heard, what its transmitter says of it, and what went wrong last.

import { part, why } from './api.js';
import { action, every, fill, h, message, moment, table } from './dom.js';

/** How a stream does. */
export function signalState({ status, trouble }) {
  if (status && status.status !== 'enabled') return 'fault';
  return trouble ? 'look' : 'good';
}

export const signals = {
  id: 'signals',
  title: 'Signals',
  open({ main, api, may, announce, signal }) {
    const told = h('div', {});
    const list = h('div', {});
    fill(main, h('h1', {}, 'Signals'), h('p', { class: 'lead' }, 'What identity providers tell of their users: logouts, revoked sessions, disabled accounts.'), told, list);
    return every(5_000, signal, async () => {
      try {
        const view = await api.get('v1/signals', signal);
        show(view.streams, Date.parse(view.now ?? new Date().toISOString()));
      } catch (error) {
        if (!signal.aborted) fill(list, message('fault', why(error)));
      }
    });

    function show(rows, now) {
      const columns = [
        { name: 'Stream', of: ({ stream }) => stream },
        { name: 'Issuer', of: ({ issuer }) => issuer },
        { name: 'Comes by', of: ({ delivery }) => delivery.join(', ') },
        { name: 'Heard', kind: 'time', of: ({ heard }) => (heard ? moment(heard, now) : 'not yet') },
        { name: 'Verified', kind: 'time', of: ({ verified }) => (verified ? moment(verified, now) : 'not yet') },
        { name: 'Status', of: (row) => h('span', { class: `state ${signalState(row)}` }, row.status ? [row.status.status, row.status.reason && `: ${row.status.reason}`] : 'not told') },
        { name: 'Went wrong last', of: ({ trouble }) => trouble && [trouble.why, ' ', h('small', {}, moment(trouble.at, now))] },
      ];
      if (may('admin')) columns.push({ name: '', kind: 'actions', of: verifyButton });
      fill(list, table({ caption: 'Streams', columns, rows, empty: 'No stream is configured.' }));
    }

    function verifyButton({ stream }) {
      return action('Verify', async () => {
        try {
          const { state } = await api.post(`v1/signals/${part(stream)}/verify`, {});
          const { heard, trouble } = await api.get(`v1/signals/${part(stream)}/verifications/${part(state)}`, signal);
          const words = heard ? `${stream}: the event came, the stream works` : `${stream}: the event did not come${trouble ? `: ${trouble.why}` : ' yet'}`;
          announce(words);
          fill(told, message(heard ? 'good' : 'look', words));
        } catch (error) {
          if (!signal.aborted) fill(told, message('fault', why(error)));
        }
      });
    }
  },
};
