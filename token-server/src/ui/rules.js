// Revocation rules in words, and the rule that revokes what a user has now.

import { exactly, h } from './dom.js';
import { utc } from './words.js';

// From here on an `iat` counts milliseconds; in seconds it is the year 5138.
const MILLISECONDS_FROM = 100_000_000_000;

const BEFORE = /^(\d+)\s*(s|m|min|h|d)(?:\s+ago)?$/;
const DATED = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/;
const SECONDS = { s: 1, m: 60, min: 60, h: 3600, d: 86400 };

/** Which tokens a rule refuses. */
export function tokensOf(rule) {
  if (rule === undefined) return 'a text that is not understood';
  if (typeof rule === 'string') return `a text that is not understood: ${rule}`;
  const members = Object.keys(rule);
  if (members.length === 0) return 'every token, those of later logins too';
  const { iat } = rule;
  if (members.length === 1 && typeof iat === 'object' && Object.keys(iat).length === 1) {
    const bound = Number.isInteger(iat.lt) ? iat.lt : Number.isInteger(iat.lte) ? iat.lte + 1 : undefined;
    if (bound !== undefined) return `tokens issued before ${utc(bound < MILLISECONDS_FROM ? bound * 1000 : bound)}`;
  }
  return `tokens that match ${JSON.stringify(rule)}`;
}

/** Until when a rule holds; its end is unix seconds, 0 for never. */
export function untilOf(expireAt, now) {
  return expireAt === 0 ? 'for ever' : h('span', {}, 'until ', exactly(expireAt * 1000, now));
}

/** A rule of an answer, on one line. */
export function ruleLine(rule, now) {
  return [tokensOf(rule.rule ?? rule.text), ', ', untilOf(rule.expireAt, now), signed(rule)];
}

/** By whom and why. */
export function signed({ by, note }) {
  return `${by ? `, by ${by}` : ''}${note ? `: ${note}` : ''}`;
}

/** The time that a text says, in milliseconds: `now`, `4h ago`, a date, or a date with a time and its zone. */
export function pastTime(text, now) {
  const said = text.trim();
  if (said === '' || said === 'now') return now;
  const [, length, unit] = BEFORE.exec(said) ?? [];
  if (unit) return now - Number(length) * SECONDS[unit] * 1000;
  const at = DATED.test(said) ? Date.parse(said) : NaN;
  if (Number.isNaN(at)) throw new Error('Say now, 4h ago, 2026-11-27 or 2026-11-27T10:00:00Z.');
  if (at > now) throw new Error('This time is to come; logins until then would be refused too.');
  return at;
}

/** The rule that refuses what was issued before, in the unit in which tokens count. What is issued now is refused too. */
export function issuedBefore(at, now, unit) {
  const bound = at >= now ? now + 1 : at;
  return { iat: { lt: unit === 'milliseconds' ? bound : Math.ceil(bound / 1000) } };
}
