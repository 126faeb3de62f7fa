// The page: who uses it, and which view is open. What a role may not do is not shown, and the server refuses it anyway.

import { agents, streams } from './agents.js';
import { Api, exchange, why } from './api.js';
import { audit } from './audit.js';
import { field, fill, h, message } from './dom.js';
import { explain } from './explain.js';
import { keys } from './keys.js';
import { live } from './live.js';
import { overview } from './overview.js';
import { revoke } from './revoke.js';
import { revoked } from './revoked.js';
import { signals } from './signals.js';

const VIEWS = [overview, live, revoke, revoked, audit, explain, keys, agents, streams, signals];
const ROLES = ['read', 'revoke', 'admin'];
const THEMES = { '': 'dark', dark: 'light', light: '' };
const ONCE = '#once=';

const [main, nav, session, status] = ['main', 'views', 'session', 'status'].map((id) => document.getElementById(id));

/** What the user has shown; absent before, and after the end. */
let user;
/** Ends what the open view has begun. */
let opened = new AbortController();

const may = (role) => ROLES.indexOf(user.role) >= ROLES.indexOf(role);
const announce = (words) => fill(status, words);

function themeButton() {
  return h('button', { type: 'button', class: 'quiet', onclick: switchTheme }, 'Light or dark');
}

/** As the system has it, dark, light, and so on; nothing of it is stored. */
function switchTheme() {
  const root = document.documentElement;
  const next = THEMES[root.dataset.theme ?? ''];
  if (next) root.dataset.theme = next;
  else delete root.dataset.theme;
  announce(next ? `The page is ${next}` : 'The page is as the system has it');
}

async function begin(token) {
  const api = new Api(token, signOut);
  const { name, role } = await api.get('v1/me');
  user = { api, name, role };
  fill(session, h('span', { class: 'who' }, name, ' ', h('small', {}, role)), themeButton(), h('button', { type: 'button', class: 'quiet', onclick: () => signOut('') }, 'Sign out'));
  open();
}

function signOut(words) {
  opened.abort();
  user = undefined;
  fill(nav);
  askForToken(words);
}

function askForToken(words) {
  const input = h('input', { type: 'password', required: true, autocomplete: 'off', spellcheck: 'false' });
  const told = h('div', {}, words && message('fault', words));
  const show = async (event) => {
    event.preventDefault();
    try {
      await begin(input.value.trim());
    } catch (error) {
      fill(told, message('fault', why(error)));
    }
  };
  const form = h(
    'form',
    { class: 'form card', onsubmit: show },
    field('Bearer token', input, 'It stays in the memory of this page, until you close or reload it.'),
    h('div', { class: 'buttons' }, h('button', { type: 'submit', class: 'main' }, 'Go on')),
  );
  document.title = 'token-server';
  fill(session, themeButton());
  fill(main, h('h1', {}, 'Who are you?'), h('p', { class: 'lead' }, 'Show a token of this server\'s operators. Where you may open its admin socket, token-server ui needs none.'), told, form);
  input.focus();
}

/** The view that the address names, with what stands behind its name. */
function open() {
  if (!user) return;
  const [name, ...rest] = location.hash.slice(1).split('/');
  const views = VIEWS.filter(({ needs }) => !needs || may(needs));
  const view = views.find(({ id }) => id === name) ?? overview;
  opened.abort();
  opened = new AbortController();
  const { signal } = opened;
  const link = ({ id, title }) => h('li', {}, h('a', { href: `#${id}`, 'aria-current': id === view.id && 'page' }, title));
  fill(nav, h('ul', {}, views.map(link)));
  document.title = `${view.title} · token-server`;
  view.open({ main, api: user.api, may, announce, signal, argument: decode(rest.join('/')) });
  (main.querySelector('[autofocus]') ?? main).focus({ preventScroll: true });
  scrollTo(0, 0);
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener('hashchange', open);

if (location.hash.startsWith(ONCE)) {
  const secret = location.hash.slice(ONCE.length);
  // It is spent now, and need not stand in the history.
  history.replaceState(null, '', location.pathname);
  exchange(secret).then(begin).catch((error) => askForToken(why(error)));
} else {
  askForToken('');
}
