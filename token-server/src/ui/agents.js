// The agents that ask this server, how far each is behind, and the streams that each watches.

import { why } from './api.js';
import { every, fill, h, message, moment, table } from './dom.js';
import { length, number } from './words.js';

const NOT_TOLD = 'Not available: this server does not tell of its agents.';

/** The sum of numbers by name. */
export function sumOf(counts) {
  return Object.values(counts ?? {}).reduce((sum, value) => sum + value, 0);
}

/** How an agent does. */
export function stateOf(agent) {
  if (agent.ready === false) return 'fault';
  return agent.behind ? 'look' : 'good';
}

const STATES = { good: 'up to date', look: 'behind', fault: 'not ready' };

export const agents = view('agents', 'Agents', 'Agents poll this server for changes of rules. One that is behind asks about each token again, and lets in none that is revoked.', (list) => {
  const now = Date.now();
  return table({
    caption: 'Agents that were heard lately',
    rows: list,
    empty: 'No agent was heard lately.',
    columns: [
      { name: 'Name', of: ({ name, address }) => [name ?? 'unnamed', address && h('small', {}, ` ${address}`)] },
      { name: 'Version', kind: 'word', of: ({ version }) => version },
      { name: 'State', kind: 'word', of: (agent) => h('span', { class: `state ${stateOf(agent)}` }, STATES[stateOf(agent)]) },
      { name: 'Heard', kind: 'time', of: ({ last_poll_ms: heard }) => heardAt(heard, now) },
      { name: 'Lag', kind: 'number', of: ({ lag_ms: lag }) => (lag === null || lag === undefined ? undefined : `${number(lag)} ms`) },
      { name: 'Let in', kind: 'number', of: ({ totals }) => totals && number(totals.accepted) },
      { name: 'Refused', kind: 'number', of: ({ totals }) => totals && number(sumOf(totals.refused)) },
      { name: '503', kind: 'number', of: ({ totals }) => totals && number(sumOf(totals.undecided)) },
      { name: 'In HAProxy', kind: 'number', of: ({ edge }) => edge && number(edge.entries) },
      { name: 'Untold', kind: 'number', of: ({ dropped }) => dropped && number(dropped) },
    ],
  });
});

export const streams = view('streams', 'Open streams', 'WebSockets, event streams and long answers, which end when a request with the same token would be refused.', (list) => {
  const rows = list.filter((agent) => agent.streams);
  return table({
    caption: 'Streams by agent',
    rows,
    empty: 'No agent tells of streams.',
    columns: [
      { name: 'Agent', of: ({ name }) => name ?? 'unnamed' },
      { name: 'Open', kind: 'number', of: ({ streams: told }) => number(told.open) },
      { name: 'Ended', kind: 'number', of: ({ streams: told }) => number(sumOf(told.ended)) },
      { name: 'Why they ended', of: ({ streams: told }) => Object.entries(told.ended ?? {}).map(([cause, count]) => `${cause} ${number(count)}`).join(', ') },
    ],
  });
});

function view(id, title, lead, show) {
  return {
    id,
    title,
    open({ main, api, signal }) {
      const list = h('div', {});
      fill(main, h('h1', {}, title), h('p', { class: 'lead' }, lead), list);
      return every(2_000, signal, async () => {
        try {
          const told = await api.find('v1/agents', signal);
          fill(list, told ? show(told.agents) : h('p', { class: 'empty' }, NOT_TOLD));
        } catch (error) {
          if (!signal.aborted) fill(list, message('fault', why(error)));
        }
      });
    },
  };
}

/** When an agent was heard: a time of the clock, or milliseconds ago. */
function heardAt(heard, now) {
  if (heard === null || heard === undefined) return undefined;
  return heard > 1e12 ? moment(heard, now) : `${length(heard / 1000)} ago`;
}
