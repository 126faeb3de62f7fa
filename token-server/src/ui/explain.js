// Why a token is let in or refused: the verdict, by whose keys and policy, and each rule that matches with its conditions.

import { why } from './api.js';
import { exactly, facts, field, fill, h, message } from './dom.js';
import { ruleLine } from './rules.js';
import { REASONS } from './words.js';

export const explain = {
  id: 'explain',
  title: 'Explain a token',
  open({ main, api }) {
    const input = h('textarea', { rows: '6', required: true, autocomplete: 'off', spellcheck: 'false', autofocus: true, class: 'code' });
    const below = h('section', { 'aria-live': 'polite' });
    const form = h(
      'form',
      { class: 'form', onsubmit: (event) => { event.preventDefault(); judge(); } },
      field('Token, or its claims as JSON', input, 'It is sent to this server alone, judged, and forgotten.'),
      h('div', { class: 'buttons' }, h('button', { type: 'submit', class: 'main' }, 'Explain')),
    );
    fill(main, h('h1', {}, 'Explain a token'), form, below);

    async function judge() {
      try {
        show(await api.post('v1/explain', question(input.value)));
      } catch (error) {
        fill(below, message('fault', why(error)));
      }
    }

    function show(told) {
      const now = Date.now();
      const verdict = told.valid ? 'The rules let it in' : `Refused: ${told.detail}`;
      fill(
        below,
        message(told.valid ? 'good' : 'fault', h('strong', {}, verdict), ` (${told.reason}, ${REASONS.get(told.reason) ?? ''})`),
        facts([
          ['User', told.subject],
          ['Expires', told.exp !== undefined && exactly(told.exp * 1000, now)],
          ['Signature', signature(told)],
          ['Policies', told.policies && policies(told.policies)],
          ['Issued', told.issued && 'it does not say when: rules on what was issued before some time hit it'],
        ]),
        told.matches.length > 0 && h('h2', {}, 'Rules that match'),
        told.matches.map((match) => rule(match, now)),
        told.payload && [h('h2', {}, 'Claims'), h('pre', { tabindex: '0' }, JSON.stringify(told.payload, null, 2))],
      );
    }
  },
};

/** A JSON object is claims, and is passed on as it stands; anything else is a token, perhaps with its scheme before it. */
function question(text) {
  const said = text.trim();
  if (!said.startsWith('{')) return { token: said.split(/\s+/).at(-1) };
  JSON.parse(said);
  return `{"payload":${said}}`;
}

function signature({ signature, signatureDetail }) {
  if (signature === undefined) return 'none was shown';
  return signatureDetail ? `${signature}: ${signatureDetail}` : signature;
}

function policies(list) {
  const line = ({ policy, valid, detail }) => h('li', {}, h('strong', {}, policy), valid ? ': signature and claims are good' : `: refused, ${detail}`);
  return h('ul', { class: 'plain' }, list.map(line));
}

function rule(match, now) {
  const condition = ({ condition, claim, holds }) =>
    h('li', {}, holds ? 'holds: ' : 'does not hold: ', h('code', {}, JSON.stringify(condition)), claim !== undefined && [', the token has ', h('code', {}, JSON.stringify(claim))]);
  return h(
    'article',
    { class: 'card' },
    h('h3', {}, match.group === 'g' ? 'For everybody' : `For ${match.group}`, match.mode === 'shadow' && ' (only tried: it refuses nothing)'),
    h('p', {}, ruleLine(match, now)),
    match.conditions.length > 0 && h('p', { class: 'quiet' }, match.needs === 'any' ? 'Any of these:' : 'All of these:'),
    h('ul', { class: 'plain' }, match.conditions.map(condition)),
  );
}
