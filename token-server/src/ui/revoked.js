// Who is revoked, since when, until when, by whom and why; and back again.

import { part, why } from './api.js';
import { action, asked, field, fill, h, message, table } from './dom.js';
import { tokensOf, untilOf } from './rules.js';

const PAGE = 50;

export const revoked = {
  id: 'revoked',
  title: 'Who is revoked',
  open({ main, api, may, announce, signal }) {
    const search = h('input', { type: 'search', autocomplete: 'off', spellcheck: 'false' });
    const told = h('div', {});
    const list = h('div', {});
    const more = h('div', { class: 'buttons' });
    let rows = [];
    const form = h(
      'form',
      { class: 'form line', role: 'search', onsubmit: (event) => { event.preventDefault(); begin(); } },
      field('Name has in it', search),
      h('div', { class: 'buttons' }, h('button', { type: 'submit', class: 'main' }, 'Search')),
    );
    fill(main, h('h1', {}, 'Who is revoked'), form, told, list, more);

    async function begin() {
      rows = [];
      await load();
    }

    async function load(after) {
      const asked = search.value.trim();
      const query = `limit=${PAGE}${asked && `&search=${part(asked)}`}${after ? `&after=${part(after)}` : ''}`;
      try {
        const page = await api.get(`v1/revoked?${query}`, signal);
        const now = Date.parse(page.now);
        rows.push(...(page.everybody?.rules ?? []).map((rule) => ({ subject: undefined, rule, now })));
        for (const { subject, revocations } of page.subjects) rows.push(...revocations.map((rule) => ({ subject, rule, now })));
        show(page.next, asked);
      } catch (error) {
        if (!signal.aborted) fill(list, message('fault', why(error)));
      }
    }

    function show(next, searched) {
      const columns = [
        { name: 'User', of: ({ subject }) => (subject === undefined ? h('strong', {}, 'everybody') : subject) },
        { name: 'Refused', of: ({ rule }) => tokensOf(rule.rule ?? rule.text) },
        { name: 'Holds', kind: 'time', of: ({ rule, now }) => untilOf(rule.expireAt, now) },
        { name: 'By', of: ({ rule }) => rule.by },
        { name: 'Why', of: ({ rule }) => rule.note },
      ];
      if (may('revoke')) columns.push({ name: '', kind: 'actions', of: restoreButton });
      const empty = searched ? 'No such user is revoked.' : 'No user is revoked.';
      fill(list, table({ caption: 'Revocations, those for everybody first', columns, rows, empty }));
      fill(more, next && action('More', () => load(next)));
    }

    function restoreButton({ subject, rule }) {
      if (subject === undefined || rule.rule === undefined) return undefined;
      return asked('Restore', `Restore ${subject}?`, async () => {
        try {
          const { deleted } = await api.remove(`v1/rules/${part(subject)}`, { rule: rule.rule });
          if (deleted === 0) throw new Error('Nothing was removed: the rule is gone, or has numbers that no browser can hold. The command token-server restore removes it.');
          announce(`Restored: ${subject}`);
          fill(told, message('good', h('strong', {}, `Restored: ${subject}`), `. No longer refused: ${tokensOf(rule.rule)}. `, h('a', { href: `#audit/${part(subject)}` }, 'Undo it in the audit trail')));
          await begin();
        } catch (error) {
          fill(told, message('fault', why(error)));
        }
      });
    }

    return begin();
  },
};
