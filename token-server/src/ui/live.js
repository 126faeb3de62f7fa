// What agents decide, as they decide it: the newest first, held still while it is read.

import { Refused, part, why } from './api.js';
import { field, fill, h } from './dom.js';
import { clock, count, number, REASONS, utc } from './words.js';

// Decisions that are kept and shown; older ones go.
const KEPT = 1_000;
const SHOWN = 200;

// Decisions that the server tells first, of those before the stream.
const LAST = 200;

// The pause before a lost stream is asked for again, in milliseconds.
const AGAIN = 1_000;

const COLUMNS = ['Time (UTC)', 'Refused for', 'Policy', 'Issuer', 'kid', 'alg', 'User', 'Agent', 'Token'];
const KINDS = ['word', undefined, 'word', undefined, 'word', 'word', undefined, 'word', 'word code'];

export const live = {
  id: 'live',
  title: 'Live refusals',
  open({ main, api, may, signal }) {
    let kept = [];
    let waiting = [];
    // How many are still to come that may have been told before, by a stream that was lost.
    let again = 0;
    let lost = 0;
    let paused = false;
    let drawing = false;

    const filter = h('input', { type: 'search', autocomplete: 'off', spellcheck: 'false', oninput: draw });
    const all = h('input', { type: 'checkbox', onchange: draw });
    const pause = h('button', { type: 'button', 'aria-pressed': 'false', onclick: toggle }, 'Pause');
    const state = h('p', { class: 'quiet', role: 'status' }, 'Connecting');
    const body = h('tbody', {});
    const empty = h('p', { class: 'empty' });
    const list = h(
      'div',
      { class: 'table live' },
      h('table', {}, h('caption', {}, 'Decisions, the newest first'), h('thead', {}, h('tr', {}, COLUMNS.map((name) => h('th', { scope: 'col' }, name)))), body),
    );
    fill(
      main,
      h('h1', {}, 'Live refusals'),
      h('p', { class: 'lead' }, 'A sample of what agents decide. All numbers are on the overview.'),
      h(
        'form',
        { class: 'form line', role: 'search', onsubmit: (event) => event.preventDefault() },
        field('Only with', filter, 'such as expired, or a policy'),
        h('label', { class: 'check' }, all, ' accepted ones too'),
        h('div', { class: 'buttons' }, pause),
      ),
      state,
      list,
      empty,
    );
    follow();

    async function follow() {
      while (!signal.aborted) {
        try {
          again = LAST;
          await api.lines(`v1/decisions?last=${LAST}`, signal, heard);
          tell('The server ended the stream; asking again');
        } catch (error) {
          if (signal.aborted) return;
          if (error instanceof Refused && error.status === 404) {
            list.hidden = true;
            fill(empty, 'Not available: this server does not tell of decisions. Agents tell them where JWT_DECISIONS is sample or full.');
            return tell('');
          }
          tell(`${why(error)} Asking again`);
        }
        await new Promise((done) => setTimeout(done, AGAIN));
      }
    }

    function heard(lines) {
      const decisions = unknown(lines.filter((line) => line.reason !== undefined)).reverse();
      lost += lines.reduce((sum, line) => sum + (line.lost ?? 0), 0);
      if (paused) waiting = [...decisions, ...waiting].slice(0, KEPT);
      else kept = [...decisions, ...kept].slice(0, KEPT);
      draw();
    }

    /** Without those that are told again. What is shown stays when a stream is lost. */
    function unknown(decisions) {
      const told = decisions.slice(0, again);
      if (told.length === 0) return decisions;
      again -= told.length;
      const known = new Set([...waiting, ...kept].map((decision) => JSON.stringify(decision)));
      return [...told.filter((decision) => !known.has(JSON.stringify(decision))), ...decisions.slice(told.length)];
    }

    function toggle() {
      paused = !paused;
      pause.setAttribute('aria-pressed', String(paused));
      fill(pause, paused ? 'Go on' : 'Pause');
      if (!paused) {
        kept = [...waiting, ...kept].slice(0, KEPT);
        waiting = [];
      }
      draw();
    }

    /** At most once for each picture that the screen shows. */
    function draw() {
      if (drawing) return;
      drawing = true;
      setTimeout(() => {
        drawing = false;
        if (!signal.aborted) show();
      }, 100);
    }

    function show() {
      const wanted = filter.value.trim().toLowerCase();
      const fits = (decision) =>
        (all.checked || decision.reason !== 'ok') &&
        (wanted === '' || Object.values(decision).some((value) => String(value).toLowerCase().includes(wanted)));
      const found = kept.filter(fits);
      fill(body, found.slice(0, SHOWN).map(row));
      fill(empty, found.length === 0 && (kept.length === 0 ? 'No decision was told yet.' : 'No decision that was told fits.'));
      const told = [paused ? 'Paused' : 'Live', `${count(found.length, 'decision', 'decisions')} shown`];
      if (waiting.length > 0) told.push(`${number(waiting.length)} new`);
      if (lost > 0) told.push(`${number(lost)} not shown, as there were too many`);
      tell(told.join(', '));
    }

    function tell(words) {
      if (state.textContent !== words) fill(state, words);
    }

    function row(decision) {
      const { at, reason, detail, policy, issuer, kid, alg, subject, agent, id } = decision;
      const user = subject !== undefined && subject !== null && (may('revoke') ? h('a', { href: `#revoke/${part(subject)}` }, subject) : subject);
      const cells = [
        h('time', { datetime: new Date(at).toISOString(), title: utc(at) }, clock(at)),
        [h('strong', {}, reason === 'ok' ? 'let in' : detail), ' ', h('small', { title: REASONS.get(reason) }, reason)],
        policy, issuer, kid, alg, user, agent, id,
      ];
      const kind = reason === 'ok' ? 'good' : reason === 'E_BACKEND_UNAVAIL' ? 'look' : 'fault';
      return h('tr', { class: kind }, cells.map((cell, place) => h('td', { 'data-name': COLUMNS[place], class: KINDS[place] }, cell)));
    }
  },
};
