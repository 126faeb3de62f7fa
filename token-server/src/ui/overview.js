// Is all well, and if not, where: one light for each part, and what was decided.

import { stateOf, sumOf } from './agents.js';
import { why } from './api.js';
import { every, fill, h, message, table } from './dom.js';
import { placesOf } from './keys.js';
import { Measures } from './measures.js';
import { signalState } from './signals.js';
import { count, length, number, REASONS } from './words.js';

const GOOD = 'good';
const LOOK = 'look';
const FAULT = 'fault';
const UNKNOWN = 'unknown';

// A sign for each state beside its colour, which not everybody can tell from another.
const SIGNS = { [GOOD]: '●', [LOOK]: '▲', [FAULT]: '■', [UNKNOWN]: '○' };
const WORDS = { [GOOD]: 'good', [LOOK]: 'look here', [FAULT]: 'fault', [UNKNOWN]: 'unknown' };

export const overview = {
  id: 'overview',
  title: 'Overview',
  open({ main, api, signal }) {
    const lights = h('ul', { class: 'lights' });
    const decisions = h('section', {});
    fill(main, h('h1', {}, 'Overview'), lights, decisions);
    let before;

    return every(2_000, signal, async () => {
      const asked = ['v1/keys', 'v1/signals'].map((path) => api.get(path, signal));
      const answers = await Promise.allSettled([api.text('ready', signal), api.text('metrics', signal), ...asked, api.find('v1/agents', signal)]);
      if (signal.aborted) return;
      const [ready, metrics, keys, signals, agents] = answers.map(({ value, reason }) => ({ value, fault: reason && why(reason) }));
      const measures = new Measures(metrics.value?.text ?? '');
      const list = agents.value?.agents;
      fill(
        lights,
        light('Server', undefined, ready.value ? ofServer(ready.value) : [UNKNOWN, ready.fault]),
        light('Store', 'revoked', metrics.value ? ofStore(measures) : [UNKNOWN, metrics.fault]),
        light('Keys', 'keys', keys.value ? ofKeys(keys.value) : [UNKNOWN, keys.fault]),
        light('Agents', 'agents', agents.fault ? [UNKNOWN, agents.fault] : ofAgents(list)),
        light('Signals', 'signals', signals.value ? ofSignals(signals.value.streams) : [UNKNOWN, signals.fault]),
      );
      const now = { at: performance.now(), counts: countsOf(list, measures) };
      fill(decisions, metrics.fault ? message('fault', metrics.fault) : shownCounts(now, before));
      before = now;
    });
  },
};

function light(name, view, [state, told]) {
  const inside = [
    h('span', { class: 'sign', 'aria-hidden': 'true' }, SIGNS[state]),
    h('span', { class: 'name' }, name),
    h('span', { class: 'word' }, WORDS[state]),
    h('span', { class: 'told' }, told),
  ];
  return h('li', { class: state }, view ? h('a', { href: `#${view}` }, inside) : h('div', {}, inside));
}

function ofServer({ status, text }) {
  return status === 200 ? [GOOD, 'It answers, and wants traffic.'] : [FAULT, text.trim()];
}

function ofStore(measures) {
  const fault = measures.all('token_server_store_fault').find(({ value }) => value > 0);
  if (fault) return [FAULT, `Not to be relied on: ${fault.labels.cause}.`];
  const unread = measures.sum('token_server_unreadable_rules') + measures.sum('token_server_rules_beyond_limits');
  if (unread > 0) return [LOOK, `${count(unread, 'rule is', 'rules are')} not understood.`];
  const ahead = measures.sum('token_server_store_clock_ahead_seconds');
  if (Math.abs(ahead) > 5) return [LOOK, `Its clock and this server's differ by ${length(Math.abs(ahead))}.`];
  const rules = measures.sum('token_server_rules');
  return [GOOD, `${count(rules, 'rule', 'rules')} in memory.`];
}

function ofKeys(view) {
  const places = placesOf(view);
  const sources = places.flatMap((place) => place.sources);
  if (sources.length === 0) return [UNKNOWN, 'No source of keys is configured here.'];
  const keys = sources.reduce((sum, source) => sum + source.keys.length, 0);
  const without = sources.filter((source) => source.keys.length === 0);
  if (without.length > 0) return [FAULT, `${count(without.length, 'source gives', 'sources give')} no key: ${without[0].source}.`];
  const stale = sources.filter((source) => source.stale || source.error);
  if (stale.length > 0) return [LOOK, `${count(stale.length, 'source', 'sources')} could not be loaded lately: ${stale[0].source}.`];
  const leftOut = sources.reduce((sum, source) => sum + source.left_out.length, 0);
  const told = `${count(keys, 'key', 'keys')} of ${count(sources.length, 'source', 'sources')}`;
  return leftOut > 0 ? [LOOK, `${told}; ${number(leftOut)} left out.`] : [GOOD, `${told}.`];
}

function ofAgents(list) {
  if (list === undefined) return [UNKNOWN, 'This server does not tell of its agents.'];
  if (list.length === 0) return [LOOK, 'No agent was heard lately.'];
  const faulty = list.filter((agent) => stateOf(agent) === 'fault');
  if (faulty.length > 0) return [FAULT, `Not ready: ${faulty.map(({ name }) => name ?? 'unnamed').join(', ')}.`];
  const behind = list.filter((agent) => agent.behind);
  if (behind.length > 0) return [LOOK, `Behind: ${behind.map(({ name }) => name ?? 'unnamed').join(', ')}.`];
  return [GOOD, `${count(list.length, 'agent is', 'agents are')} up to date.`];
}

function ofSignals(streams) {
  if (streams.length === 0) return [UNKNOWN, 'No stream is configured.'];
  const named = (state) => streams.filter((stream) => signalState(stream) === state).map(({ stream }) => stream);
  if (named('fault').length > 0) return [FAULT, `Not enabled: ${named('fault').join(', ')}.`];
  if (named('look').length > 0) return [LOOK, `Something went wrong: ${named('look').join(', ')}.`];
  return [GOOD, `${count(streams.length, 'stream works', 'streams work')}.`];
}

/** Decisions by reason: of all agents where they tell them, else what this server itself was asked. */
function countsOf(agents, measures) {
  const told = (agents ?? []).map(({ totals }) => totals).filter(Boolean);
  const counts = new Map();
  const plus = (reason, value) => counts.set(reason, (counts.get(reason) ?? 0) + value);
  for (const { accepted, refused, undecided } of told) {
    plus('ok', accepted);
    for (const [reason, value] of [...Object.entries(refused ?? {}), ...Object.entries(undecided ?? {})]) plus(reason, value);
  }
  if (told.length === 0) for (const { labels, value } of measures.all('token_server_checks_total')) plus(labels.reason, value);
  return { byAgents: told.length > 0, counts };
}

function shownCounts({ at, counts: { byAgents, counts } }, before) {
  const total = sumOf(Object.fromEntries(counts));
  const seconds = before && before.counts.byAgents === byAgents ? (at - before.at) / 1000 : undefined;
  const rows = [...counts].map(([reason, value]) => ({ reason, value, rate: seconds && Math.max(0, value - (before.counts.counts.get(reason) ?? 0)) / seconds }));
  rows.sort((one, other) => other.value - one.value);
  const undecided = counts.get('E_BACKEND_UNAVAIL') ?? 0;
  return [
    h('h2', {}, 'Decisions'),
    h('p', { class: 'figures' }, figure('let in', counts.get('ok') ?? 0), figure('refused', total - undecided - (counts.get('ok') ?? 0)), figure('answered 503', undecided)),
    table({
      caption: byAgents ? 'By reason, of all agents, since each was started' : 'By reason, of what this server was asked, since it was started',
      rows,
      empty: 'Nothing was decided yet.',
      columns: [
        { name: 'Reason', of: ({ reason }) => [h('strong', {}, reason), ' ', h('small', {}, REASONS.get(reason))] },
        { name: 'Number', kind: 'number', of: ({ value }) => number(value) },
        { name: 'Each second', kind: 'number', of: ({ rate }) => rate !== undefined && rate.toFixed(1) },
        { name: 'Share', of: ({ reason, value }) => bar(value / total, reason) },
      ],
    }),
  ];
}

function figure(name, value) {
  return h('span', {}, h('strong', {}, number(value)), ` ${name}`);
}

function bar(share, reason) {
  const inside = h('span', { class: reason === 'ok' ? GOOD : reason === 'E_BACKEND_UNAVAIL' ? LOOK : FAULT });
  inside.style.inlineSize = `${Math.round(share * 100)}%`;
  return h('span', { class: 'share', role: 'img', 'aria-label': `${Math.round(share * 100)} %` }, inside);
}
