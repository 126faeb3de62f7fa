// Whose keys are in use, from where and how old, and which keys were left out and why: of this server and of its agents.

import { why } from './api.js';
import { every, fill, h, message, table } from './dom.js';
import { count, length } from './words.js';

/** The sources of each place: this server, then agents by name. */
export function placesOf(view) {
  const agents = Object.entries(view.agents ?? {}).map(([name, told]) => ({ name, sources: listOf(told).map(sourceOf) }));
  return [{ name: undefined, sources: listOf(view.sources).map(sourceOf) }, ...agents];
}

/** A list of objects, whatever an agent has told in its place. */
function listOf(told) {
  return Array.isArray(told) ? told.filter((one) => typeof one === 'object' && one !== null) : [];
}

function sourceOf(told) {
  const issuers = Array.isArray(told.issuers) ? told.issuers : [];
  return { ...told, issuers, keys: listOf(told.keys), left_out: listOf(told.left_out), warnings: listOf(told.warnings) };
}

export const keys = {
  id: 'keys',
  title: 'Keys',
  open({ main, api, signal }) {
    const list = h('div', {});
    fill(main, h('h1', {}, 'Keys'), h('p', { class: 'lead' }, 'Which keys verify tokens, where they come from, and which were left out and why.'), list);
    return every(15_000, signal, async () => {
      try {
        fill(list, placesOf(await api.get('v1/keys', signal)).map(place));
      } catch (error) {
        if (!signal.aborted) fill(list, message('fault', why(error)));
      }
    });
  },
};

function place({ name, sources }) {
  const empty = name === undefined ? 'This server verifies no signatures: no source of keys is configured.' : 'It told of no keys.';
  return h(
    'section',
    {},
    h('h2', {}, name === undefined ? 'This server' : `Agent ${name}`),
    sources.length === 0 ? h('p', { class: 'empty' }, empty) : sources.map(source),
  );
}

function source(told) {
  const issuers = told.issuers.join(', ') || 'any issuer';
  const age = told.age_seconds === null || told.age_seconds === undefined ? 'never loaded' : `loaded ${length(told.age_seconds)} ago`;
  const leftOut = told.left_out.length;
  const state = told.keys.length === 0 ? 'fault' : told.stale || told.error || leftOut > 0 ? 'look' : 'good';
  return h(
    'article',
    { class: `card ${state}` },
    h('h3', {}, told.source),
    h('p', { class: 'quiet' }, `For tokens of ${issuers}; ${age}; ${count(told.keys.length, 'key', 'keys')}.`),
    told.error && message('fault', `The last load failed (${count(told.failures ?? 1, 'time', 'times')} in a row): ${told.error}`),
    table({
      caption: 'Keys in use',
      rows: told.keys,
      empty: 'No key can be used.',
      columns: [
        { name: 'kid', of: ({ kid }) => kid ?? h('span', { class: 'quiet' }, 'none') },
        { name: 'Type', of: kindOf },
        { name: 'Algorithms', of: ({ alg }) => [alg ?? []].flat().join(', ') },
        { name: 'Thumbprint', kind: 'code', of: ({ thumbprint }) => thumbprint },
      ],
    }),
    leftOut > 0 &&
      table({
        caption: 'Left out',
        rows: told.left_out,
        empty: '',
        columns: [
          { name: 'kid', of: ({ kid }) => kid ?? h('span', { class: 'quiet' }, 'none') },
          { name: 'Place', kind: 'number', of: ({ position }) => position },
          { name: 'Why', of: (key) => key.why },
        ],
      }),
    told.warnings.map(({ kid, why }) => message('look', `${kid ?? 'a key'}: ${why}`)),
  );
}

function kindOf(key) {
  const bits = key.bits ? ` ${key.bits} bits` : key.at_least_bits !== undefined ? ` at least ${key.at_least_bits} bits` : '';
  return `${key.kty ?? key.type ?? ''}${key.crv ? ` ${key.crv}` : ''}${bits}`;
}
