// Who changed which rule, when and why, and how it stood before and after.

import { part, why } from './api.js';
import { action, asked, field, fill, h, message, moment, table } from './dom.js';
import { tokensOf, untilOf } from './rules.js';
import { utc } from './words.js';

const PAGE = 50;

export const audit = {
  id: 'audit',
  title: 'Audit trail',
  open({ main, api, may, announce, argument, signal }) {
    const group = h('input', { type: 'search', autocomplete: 'off', spellcheck: 'false' });
    group.value = argument;
    const who = h('input', { type: 'search', autocomplete: 'off', spellcheck: 'false' });
    const told = h('div', {});
    const list = h('div', {});
    const more = h('div', { class: 'buttons' });
    let rows = [];
    const form = h(
      'form',
      { class: 'form line', role: 'search', onsubmit: (event) => { event.preventDefault(); begin(); } },
      field('User', group),
      field('Changed by', who),
      h('div', { class: 'buttons' }, h('button', { type: 'submit', class: 'main' }, 'Search')),
    );
    fill(main, h('h1', {}, 'Audit trail'), form, told, list, more);

    async function begin() {
      rows = [];
      await load();
    }

    async function load(cursor) {
      const chosen = { group: group.value.trim(), who: who.value.trim(), cursor };
      const query = Object.entries(chosen).filter(([, value]) => value).map(([name, value]) => `&${name}=${part(value)}`);
      try {
        const page = await api.get(`v1/audit?limit=${PAGE}${query.join('')}`, signal);
        rows.push(...page.entries);
        show(page.next);
      } catch (error) {
        if (!signal.aborted) fill(list, message('fault', why(error)));
      }
    }

    function show(next) {
      const now = Date.now();
      const columns = [
        { name: 'When (UTC)', kind: 'time', of: ({ at }) => [utc(at), ' ', h('small', {}, moment(at, now))] },
        { name: 'Who', of: ({ who, by }) => [who.name, by && h('small', {}, ` for ${by}`)] },
        { name: 'Did', kind: 'word', of: ({ action, undoes }) => [action === 'write' ? 'wrote' : 'removed', undoes && h('small', {}, ' (an undoing)')] },
        { name: 'User', of: (entry) => (entry.group === 'g' ? h('strong', {}, 'everybody') : entry.group) },
        { name: 'Rule', of: ({ rule }) => tokensOf(rule) },
        { name: 'Before', of: ({ before }) => standing(before, now) },
        { name: 'After', of: ({ after }) => standing(after, now) },
        { name: 'Why', of: ({ note }) => note },
      ];
      if (may('revoke')) columns.push({ name: '', kind: 'actions', of: undoButton });
      fill(list, table({ caption: 'Changes, the newest first', columns, rows, empty: 'No change is known.' }));
      fill(more, next && action('More', () => load(next)));
    }

    function undoButton(entry) {
      if (entry.group === 'g' && !may('admin')) return undefined;
      return asked('Undo', 'Undo this change?', async () => {
        try {
          await api.post(`v1/audit/${part(entry.id)}/undo`, {});
          announce('Undone');
          fill(told, message('good', h('strong', {}, 'Undone'), '. The rule is as it was before that change.'));
          await begin();
        } catch (error) {
          fill(told, message('fault', why(error)));
        }
      });
    }

    return begin();
  },
};

/** How a rule stood. */
function standing(stands, now) {
  if (!stands) return h('span', { class: 'quiet' }, 'not there');
  const mode = stands.mode === 'shadow' ? 'only tried, ' : '';
  return [mode, untilOf(stands.expireAt, now)];
}
