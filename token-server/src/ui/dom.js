// Elements made of plain data. A text becomes a text node and nothing else, so that no text of others is ever read as markup.

import { distance, shown, utc } from './words.js';

/** An element: `h('p', { class: 'note' }, 'text', child)`. `on..` are listeners; what is undefined, null or false is left out. */
export function h(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : shown(value));
  }
  add(element, children);
  return element;
}

function add(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    if (child instanceof Node) parent.append(child);
    // Lines are kept where they are meant.
    else if (parent.localName === 'pre') parent.append(String(child).split('\n').map(shown).join('\n'));
    else parent.append(shown(child));
  }
}

/** Puts these in the place of all that an element has. */
export function fill(element, ...children) {
  const fresh = document.createDocumentFragment();
  add(fresh, children);
  element.replaceChildren(fresh);
}

/** A time as its distance from now, in milliseconds; the time itself is its title. */
export function moment(at, now) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return h('span', {}, at);
  return h('time', { datetime: date.toISOString(), title: `${utc(date)} UTC` }, distance(date.getTime(), now));
}

/** A time as it is, with its distance beside it. */
export function exactly(at, now) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return h('span', {}, at);
  const told = `${utc(date)} (${distance(date.getTime(), now)})`;
  return h('time', { datetime: date.toISOString() }, told);
}

/** A table; on narrow screens each row is a card, whose cells have their column's name before them. */
export function table({ caption, columns, rows, empty }) {
  if (rows.length === 0) return h('p', { class: 'empty' }, empty);
  const head = columns.map(({ name, kind }) => h('th', { scope: 'col', class: kind }, name));
  const line = (row) =>
    h('tr', { class: row.class }, columns.map(({ name, kind, of }) => h('td', { class: kind, 'data-name': name }, of(row))));
  return h(
    'div',
    { class: 'table' },
    h('table', {}, h('caption', {}, caption), h('thead', {}, h('tr', {}, head)), h('tbody', {}, rows.map(line))),
  );
}

/** Names and what belongs to each. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== undefined && value !== null && value !== false && value !== '');
  return h('dl', { class: 'facts' }, known.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
}

/** An input with its label, and a hint below it. */
export function field(label, input, hint) {
  input.id ||= `field-${label.toLowerCase().replaceAll(/[^a-z]+/g, '-')}`;
  const told = hint && h('small', { id: `${input.id}-hint` }, hint);
  if (told) input.setAttribute('aria-describedby', told.id);
  return h('div', { class: 'field' }, h('label', { for: input.id }, label), input, told);
}

/** A message about what was done or went wrong. */
export function message(kind, ...children) {
  return h('div', { class: `message ${kind}`, role: kind === 'fault' ? 'alert' : 'status' }, children);
}

/** A button that does something once, and is dark while it does. */
export function action(label, act, attributes) {
  const button = h('button', { type: 'button', ...attributes, onclick: run }, label);
  async function run() {
    button.disabled = true;
    try {
      await act();
    } finally {
      button.disabled = false;
    }
  }
  return button;
}

/** A button that asks before it acts: it turns into the question and its two answers. */
export function asked(label, question, act, attributes) {
  const place = h('span', { class: 'asked' });
  const reset = () => fill(place, button);
  const button = h('button', { type: 'button', ...attributes, onclick: ask }, label);
  function ask() {
    const no = h('button', { type: 'button', onclick: leave }, 'No');
    fill(place, h('span', {}, question), ' ', action('Yes', act, { class: 'danger' }), no);
    no.focus();
  }
  function leave() {
    reset();
    button.focus();
  }
  reset();
  return place;
}

/** Calls now and every so many milliseconds while the page is seen, until the signal. */
export function every(milliseconds, signal, act) {
  let busy = false;
  const look = async () => {
    if (busy || document.hidden || signal.aborted) return;
    busy = true;
    try {
      await act();
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(look, milliseconds);
  signal.addEventListener('abort', () => clearInterval(timer));
  document.addEventListener('visibilitychange', look, { signal });
  return look();
}
