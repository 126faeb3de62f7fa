// Refuse the tokens that a user has now: looked at first, then done, and taken back with one button.

import { part, why } from './api.js';
import { action, facts, field, fill, h, message, moment } from './dom.js';
import { issuedBefore, pastTime, ruleLine, tokensOf, untilOf } from './rules.js';
import { count, length } from './words.js';

// Revocations from before that are told.
const MOST = 5;

const LENGTHS = [
  ['usual', 'as long as such tokens live'],
  [3600, '1 hour'],
  [43200, '12 hours'],
  [86400, '1 day'],
  [604800, '7 days'],
  [2592000, '30 days'],
  [7776000, '90 days'],
  ['forever', 'for ever'],
];

export const revoke = {
  id: 'revoke',
  title: 'Revoke',
  needs: 'revoke',
  open({ main, api, announce, argument }) {
    const subject = h('input', { name: 'subject', required: true, autocomplete: 'off', spellcheck: 'false', autofocus: true, maxlength: 512 });
    subject.value = argument;
    const since = h('input', { name: 'since', autocomplete: 'off', spellcheck: 'false' });
    since.value = 'now';
    const end = h('select', { name: 'end' }, LENGTHS.map(([value, label]) => h('option', { value }, label)));
    const note = h('input', { name: 'note', autocomplete: 'off', maxlength: 1000 });
    const below = h('section', { 'aria-live': 'polite' });
    const form = h(
      'form',
      { class: 'form', onsubmit: (event) => { event.preventDefault(); look(); } },
      field('User', subject, 'The subject of the tokens (sub), letter for letter.'),
      field('Issued before', since, 'now, 4h ago, 2026-11-27, 2026-11-27T10:00:00Z'),
      field('Holds', end),
      field('Why', note, 'Kept with the rule and in the audit trail.'),
      h('div', { class: 'buttons' }, h('button', { type: 'submit', class: 'main' }, 'Preview')),
    );
    // What was previewed is no longer what would be written.
    form.addEventListener('input', () => fill(below));
    fill(main, h('h1', {}, 'Revoke'), h('p', { class: 'lead' }, 'All tokens that the user has now are refused, on every device. A user who logs in again gets a new one, which is good.'), h('div', { class: 'sides' }, form, below));

    async function look() {
      try {
        const known = await api.get(`v1/subjects/${part(subject.value)}`);
        const now = Date.parse(known.now);
        const rule = issuedBefore(pastTime(since.value, now), now, known.iatUnit);
        const tried = await api.post('v1/rules?dry_run=true', { group: subject.value, rule });
        show({ known, now, rule, tried, subject: subject.value, end: end.value, note: note.value.trim() });
      } catch (error) {
        fill(below, message('fault', why(error)));
      }
    }

    function show(draft) {
      const { known, now, rule, tried } = draft;
      const expireAt = endOf(draft);
      const heading = h('h2', { tabindex: '-1' }, 'What it would do');
      const again = known.revocations.find((held) => JSON.stringify(held.rule) === JSON.stringify(rule));
      const sooner = again && expireAt !== 0 && (again.expireAt === 0 || expireAt < again.expireAt);
      fill(
        below,
        heading,
        facts([
          ['Refuses', `${tokensOf(rule)} of ${draft.subject}`],
          ['Holds', untilOf(expireAt, now)],
          ['Last seen', lastSeen(known, now)],
          ['Hits', hits(tried.preview)],
          ['Already', known.revocations.length > 0 && held(known, now)],
        ]),
        (tried.warnings ?? []).map((warning) => message('look', warning)),
        sooner && message('look', 'The user is revoked so already, for longer. This would end it sooner.'),
        h('div', { class: 'buttons' }, action(`Revoke ${draft.subject}`, () => write(draft, expireAt), { class: 'danger' })),
      );
      heading.focus();
    }

    function lastSeen(known, now) {
      if (known.lastSeen) return moment(known.lastSeen, now);
      const pick = (name) => action(name, () => { subject.value = name; return look(); }, { class: 'link' });
      return [
        `not in the last ${length(known.memory.seconds)}. Is the name spelled as the tokens have it?`,
        known.similar.length > 0 && [' Similar: ', known.similar.map((name) => [pick(name), ' '])],
      ];
    }

    async function write(draft, expireAt) {
      const document = { group: draft.subject, rule: draft.rule };
      if (draft.end === 'forever') document.forever = true;
      else document.expireAt = expireAt;
      if (draft.note) document.note = draft.note;
      try {
        await api.post('v1/rules', document);
        const told = `Revoked: ${draft.subject}`;
        announce(told);
        const place = h('span', {});
        fill(
          below,
          message('good', h('strong', {}, told), '. ', tokensOf(draft.rule), ' are refused, ', untilOf(expireAt, draft.now), '. New logins are not touched.'),
          h('div', { class: 'buttons' }, undoButton(draft, place), place),
        );
        below.querySelector('button').focus();
      } catch (error) {
        fill(below, message('fault', why(error)));
      }
    }

    function undoButton(draft, place) {
      return action('Undo', async () => {
        try {
          const group = part(draft.subject);
          const { entries } = await api.get(`v1/audit?limit=20&group=${group}`);
          const mine = entries.find((entry) => JSON.stringify(entry.rule) === JSON.stringify(draft.rule));
          if (!mine) throw new Error('The audit trail has no such change any more.');
          await api.post(`v1/audit/${part(mine.id)}/undo`, {});
          const told = `Taken back: ${draft.subject}`;
          announce(told);
          fill(below, message('good', h('strong', {}, told), '. All is as it was before.'));
          subject.focus();
        } catch (error) {
          fill(place, message('fault', why(error)));
        }
      });
    }
  },
};

/** Unix seconds, 0 for never. */
function endOf({ end, known, now }) {
  if (end === 'forever') return 0;
  return Math.floor(now / 1000) + (end === 'usual' ? known.usualEnd.seconds : Number(end));
}

/** Whether it would refuse what the user has. */
function hits({ subjects, hits, seconds }) {
  if (subjects === 0) return `no token of the user was seen in the last ${length(seconds)}`;
  return hits > 0 ? 'the last token of the user that was seen' : 'not the last token of the user that was seen, which was issued later';
}

function held(known, now) {
  const more = known.revocations.length - MOST + known.moreRevocations;
  return h(
    'ul',
    { class: 'plain' },
    known.revocations.slice(0, MOST).map((rule) => h('li', {}, ruleLine(rule, now))),
    more > 0 && h('li', {}, `and ${count(more, 'more', 'more')}`),
  );
}
