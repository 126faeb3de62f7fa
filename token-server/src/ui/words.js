// Numbers, times and texts of others, in words that people read.

// What has no form of its own on a screen, or turns the direction of what follows: it is shown by its number.
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A text that others chose, on one line, with nothing hidden in it. */
export function shown(text) {
  return String(text).replace(HIDDEN, (letter) => `\\u{${letter.codePointAt(0).toString(16)}}`);
}

/** `15 min`: the largest unit, rounded. */
export function length(seconds) {
  const rounded = (unit) => Math.round(seconds / unit);
  if (seconds < MINUTE) return `${Math.round(seconds)} s`;
  if (rounded(MINUTE) < 60) return `${rounded(MINUTE)} min`;
  if (rounded(HOUR) < 48) return `${rounded(HOUR)} h`;
  return `${rounded(DAY)} days`;
}

/** `4 min ago`, `in 30 days`, `now`, between two times in milliseconds. */
export function distance(at, now) {
  const ahead = at - now;
  if (Math.abs(ahead) < 1000) return 'now';
  return ahead < 0 ? `${length(-ahead / 1000)} ago` : `in ${length(ahead / 1000)}`;
}

/** `2026-11-27 23:06:50`, in UTC. */
export function utc(at) {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}

/** `23:06:50.123`, in UTC. */
export function clock(at) {
  return new Date(at).toISOString().slice(11, 23);
}

/** `1,234`. */
export function number(value) {
  return Number(value).toLocaleString('en');
}

/** `1 rule`, `2 rules`. */
export function count(value, one, more) {
  return `${number(value)} ${value === 1 ? one : more}`;
}

/** What a reason says; the codes are those of `txn.tkn.reason`. */
export const REASONS = new Map([
  ['ok', 'let in'],
  ['E_TKN_INVALID', 'missing, malformed, forged, expired or revoked'],
  ['E_TKN_LEGACY', 'no stateless token'],
  ['E_TKN_ACCESS_TOKEN_REQUIRED', 'a refresh token'],
  ['E_TKN_AUDIENCE_MISMATCH', 'for another audience'],
  ['E_TKN_FORBIDDEN', 'good, but not for this'],
  ['E_TKN_STEP_UP', 'the user has to log in again, or in a stronger way'],
  ['E_TKN_TOO_LARGE', 'the token or the answer is too large'],
  ['E_BACKEND_UNAVAIL', 'no verdict was possible; answered 503'],
]);
