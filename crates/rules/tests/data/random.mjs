// Writes random.json: rules by the thousand, held against payloads in a JavaScript engine, with the paths that lodash reads.
//
//     npm install --prefix FOLDER lodash@4 && node random.mjs FOLDER        (in this folder)
//
// Payloads and rules are JSON text, so that a number such as 9007199254740993 reaches both readers as written. The first ones are
// what ms-users writes and what its operators got wrong; the others are put together by a fixed sequence of numbers.

import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { dirname, join, resolve } from 'node:path';

import { comparing } from './comparisons.mjs';

const lodash = createRequire(join(resolve(process.argv[2]), 'node_modules', 'lodash.cjs'))('lodash');

const operators = {
  ...comparing,
  sw: (a, b) => String(a).startsWith(b),
  regex: (a, b) => new RegExp(b).test(String(a)),
};

// Own properties alone: what stands in prototypes is in every token, and this is the one way in which rules here differ by intent.
const has = (value, step) => value !== null && value !== undefined && Object.hasOwn(Object(value), step);
const walk = (object, name) => {
  const steps = lodash.toPath(name);
  const found = steps.reduce((value, step) => (has(value, step) ? value[step] : undefined), object);
  return steps.length > 0 ? found : undefined;
};
let prototypes = 0;
const field = (object, name) => {
  if (Object.hasOwn(object, name)) return object[name];
  const [ours, theirs] = [isPlain(name) ? undefined : walk(object, name), lodash.get(object, name)];
  if (!Object.is(ours, theirs)) {
    const isOfPrototype = typeof theirs === 'function' || (ours === undefined && theirs !== undefined);
    if (!isOfPrototype) throw new Error(`lodash reads ${name} otherwise`);
    prototypes += 1;
  }
  return ours;
};
// What lodash does not take for a path: it reads the whole name.
const isPlain = (name) => {
  const reads = [];
  lodash.get(new Proxy({}, { has: () => false, get: (_, step) => void reads.push(step) }), name);
  return reads[0] === name;
};

// A token may have both a claim of the whole name and one at the end of the path. lodash then looks at the first alone, and rules
// here at either.
const test = (object, name, operator, operand, either) => {
  const holds = (value) => operators[operator](value, operand);
  if (!either || !Object.hasOwn(object, name) || isPlain(name)) return holds(field(object, name));
  const nested = walk(object, name);
  return holds(object[name]) || (nested !== undefined && holds(nested));
};
const holds = (rule, object, either, on) => {
  const { _or: any, ...rest } = rule;
  const results = Object.entries(rest).map(([key, value]) => {
    if (value !== null && typeof value === 'object') return holds(value, object, either, key);
    return on === undefined ? test(object, key, 'eq', value, either) : test(object, on, key, value, either);
  });
  return any ? results.includes(true) : !results.includes(false);
};

const payloads = [
  '{}',
  // A session of ms-users, and one of an older one, which wrote milliseconds.
  '{"username":"anna","cs":7140000000000000001,"rt":7140000000000000000,"iat":1700000000000,"exp":1700003600000,"st":1,"iss":"ms-users","aud":"*.api","metadata":{"alias":"anna","roles":["viewer","admin"],"org":{"id":12345678901234567}}}',
  '{"username":"anna","cs":"7140000000000000001","rt":"7140000000000000000","iat":1700000000,"exp":1700003600,"st":1}',
  '{"username":"anna","cs":"7140000000000000000","irt":1,"st":1,"iat":1699999999}',
  // No time of issue, one in milliseconds, one that is no number.
  '{"username":"anna","rt":"x"}', '{"iat":1800000000000}', '{"iat":"1700000000"}', '{"iat":null}', '{"iat":[1700000000]}', '{"iatt":5,"iat":5.0}',
  // Subjects that are numbers, or strange.
  '{"username":42}', '{"username":42.0}', '{"username":4.2e1}', '{"username":"42"}', '{"username":"g"}', '{"username":""}', '{"username":["anna"]}',
  // A name that looks like a path, beside the path.
  '{"acct.locked":true,"acct":{"locked":false}}', '{"acct.locked":false,"acct":{"locked":true}}', '{"acct":{"locked":true}}', '{"a.b":1,"a":{"b":2},"l[0]":3,"l":[4]}',
  // Lists and texts, whose parts and lengths rules may name.
  '{"l":[],"text":""}', '{"l":["a"],"text":"text"}', '{"l":["a",null,{"length":9}],"text":"é"}', '{"l":{"length":2},"text":["t","e"]}', '{"l":"list","text":"x😀y"}', '{"text":"😀","l":[[1,2],"ab"]}',
  '{"":{"e":1,"":2},"e":{"":{"b":9,"":1},"x":8,"]":7,"[":6,"a.b":5,"\\"":4,"-1":3,"1.5":2,"01":1}}',
];

const rules = [
  '{}', '{"iat":{"lte":1700000000000}}', '{"iat":{"lt":1700000000}}', '{"iat":{"gt":0}}', '{"_or":true,"cs":"7140000000000000000","rt":"7140000000000000000"}', '{"rt":"7140000000000000000","iat":{"lt":1700000001}}', '{"cs":7140000000000000001}',
  '{"iat":{"lt":"yesterday"}}', '{"iatt":{"lt":9}}', '{"iat":5}', '{"_or":true}', '{"username":42}', '{"username":"42"}', '{"username":{"eq":42}}', '{"username":{"regex":"^4"}}', '{"acct.locked":true}', '{"acct.locked":{"ne":true}}', '{"a.b":2}', '{"l[0]":4}',
  '{"l.length":0}', '{"l.length":{"gt":1}}', '{"l.length":{"lte":1}}', '{"text.length":4}', '{"text[1]":"e"}', '{"text.1":"e"}', '{"text[1].length":1}', '{"text[1]":{"regex":"[\\\\ud83d]"}}', '{"text[1]":{"regex":"^.$"}}', '{"text[0]":{"ne":"\\ufffd"}}', '{"text[2]":{"lt":"\\uffff"}}', '{"text[2]":{"sw":""}}',
  '{"text[9]":{"ne":"x"}}', '{"l[2].length":9}', '{"l[0][1]":2}', '{"l[1][0]":"a"}', '{"metadata.roles[1]":"admin"}', '{"metadata.roles.length":2}', '{"metadata.org.id":12345678901234567}', '{"metadata[\\"org\\"].id":12345678901234567}', '{"metadata[roles][0]":"viewer"}',
  '{"l.at":{"regex":"function"}}', '{"text.constructor":{"ne":null}}', '{"a.__proto__":{"sw":"[object"}}', '{"l.length.length":{"eq":1}}', '{"username.length":4}', '{"username.length":{"gte":1}}',
  '{"e..b":9}', '{"e.":{"sw":"[object"}}', '{".e":1}', '{"e[]":{"sw":"["}}', '{"e[x]":8}', '{"e[\\"]\\"]":7}', "{\"e['[']\":6}", '{"e[\\"a.b\\"]":5}', '{"e[\\"\\\\\\"\\"]":4}', '{"e[-1]":3}', '{"e[1.5]":2}', '{"e[01]":1}', '{"e.]":{"sw":"["}}', '{"[":1}', '{"[e]x":8}', '{".":2}', '{"..":1}', '{"].]":{"eq":1}}',
];
const ONES_BY_HAND = rules.length;

const RANDOM_RULES = 1000;
const PAYLOADS = 64;
let state = 20261127;
const below = (limit) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
};
const pick = (list) => list[below(list.length)];
const several = (most, make) => Array.from({ length: 1 + below(most) }, make);

const names = ['a', 'b', 'l', 'text', 'iat', 'rt', 'username', 'length', '0', ''];
const scalars = ['null', 'true', 'false', '0', '1', '-1', '1.5', '2', '3', '5.0', '1e21', '1700000000', '1700000000000', '9007199254740993', '""', '"a"', '"b"', '"ab"', '"text"', '"5"', '"1,2"', '"é"', '"😀"', '"x😀y"', '"undefined"', '"[object Object]"'];
const value = (depth) => {
  const kind = depth > 0 ? below(4) : 0;
  if (kind < 2) return pick(scalars);
  if (kind === 2) return `[${below(4) === 0 ? '' : several(3, () => value(depth - 1)).join(',')}]`;
  return object(depth - 1);
};
const object = (depth) => {
  const members = new Map(several(4, () => [JSON.stringify(pick(names)), value(depth)]));
  return `{${[...members].map(([name, member]) => `${name}:${member}`).join(',')}}`;
};
while (payloads.length < PAYLOADS) payloads.push(object(3));
const parsed = payloads.map((payload) => JSON.parse(payload));

const step = () => pick([...names, 'length', '0', '1', '2', 'at', 'constructor']);
const odd = () => Array.from({ length: 1 + below(6) }, () => pick(['a', 'l', 'x', '.', '.', '[', ']', '[0]', '[]', '"', "'", '\\', '1', '-', '[a]', '["a"]', "['length']"])).join('');
// Ways that lead somewhere in some payload, each written in one of the ways that lodash reads.
const written = [(step) => `.${step}`, (step) => `[${step}]`, (step) => `["${step}"]`];
const real = [];
const walkAll = (value, name) => {
  if (name !== undefined) real.push(name);
  if (value === null || (typeof value !== 'object' && typeof value !== 'string')) return;
  for (const step of Object.getOwnPropertyNames(Object(value)).filter((step) => /^[a-z0-9]+$/.test(step)).slice(0, 6)) {
    if (name === undefined || name.length < 24) walkAll(value[step], name === undefined ? step : name + pick(written)(step));
  }
};
parsed.forEach((payload) => walkAll(payload));
const path = () => {
  if (below(3) > 0) return pick(real);
  const kind = below(8);
  if (kind < 2) return pick(names.filter((name) => name !== ''));
  if (kind === 7) return odd();
  return pick(names) + Array.from({ length: 1 + below(3) }, () => pick(written)(step())).join('');
};
const isUsable = (found) => found === null || ['boolean', 'number'].includes(typeof found) || (typeof found === 'string' && found.isWellFormed());
const operand = (name, texts) => {
  const found = parsed.map((payload) => field(payload, name)).filter((found) => found !== undefined && isUsable(found) && (!texts || typeof found === 'string'));
  if (found.length > 0 && below(4) > 0) return JSON.stringify(pick(found));
  return pick(texts ? scalars.filter((scalar) => scalar.startsWith('"')) : scalars);
};
const escaped = (text) => JSON.stringify(JSON.parse(text).replace(/[^a-z0-9]/g, '.'));
const tests = (name) => {
  const test = () => {
    const operator = pick(Object.keys(operators));
    if (operator === 'regex') return `"regex":${escaped(operand(name, true))}`;
    return `"${operator}":${operand(name, operator === 'sw')}`;
  };
  const members = new Map(several(2, test).map((test) => [test.split(':')[0], test]));
  return `{${below(4) === 0 ? '"_or":true,' : ''}${[...members.values()].join(',')}}`;
};
const rule = () => {
  const members = new Map();
  for (const name of several(1 + below(3), path)) {
    if (name === '__proto__' || name === '_or') continue;
    members.set(name, below(2) === 0 ? operand(name, false) : tests(name));
  }
  if (below(5) === 0) {
    const inner = several(2, path).map((name) => `${JSON.stringify(name)}:${tests(name)}`);
    members.set('n', `{${below(2) === 0 ? '"_or":true,' : ''}${[...new Map(inner.map((text) => [text.split(':')[0], text])).values()].join(',')}}`);
  }
  const or = members.size > 1 && below(3) === 0 ? '"_or":true,' : '';
  return `{${or}${[...members].map(([name, member]) => `${JSON.stringify(name)}:${member}`).join(',')}}`;
};
while (rules.length < ONES_BY_HAND + RANDOM_RULES) rules.push(rule());

// Which payloads a rule hits, as hexadecimal digits of four payloads each, the first payload in the highest bit.
const mask = (hits) => hits.reduce((digits, _, place) => (place % 4 === 0 ? digits + hits.slice(place, place + 4).reduce((sum, hit) => sum * 2 + hit, 0).toString(16) : digits), '');
const rows = rules.map((text) => {
  const rule = JSON.parse(text);
  const [theirs, ours] = [false, true].map((either) => mask(parsed.map((payload) => (holds(rule, payload, either) ? 1 : 0))));
  return theirs === ours ? [text, theirs] : [text, theirs, ours];
});

const lines = (list) => list.map((row) => JSON.stringify(row)).join(',\n');
const here = dirname(fileURLToPath(import.meta.url));
writeFileSync(join(here, 'random.json'), `{"payloads":[\n${lines(payloads)}\n],"rows":[\n${lines(rows)}\n]}\n`);
const hits = rows.flatMap(([, theirs]) => [...theirs].map((digit) => parseInt(digit, 16).toString(2).replaceAll('0', '').length)).reduce((sum, hits) => sum + hits, 0);
console.log(`${rows.length} rules, ${payloads.length} payloads, ${hits} hits, ${rows.filter((row) => row.length > 2).length} by either, ${prototypes} of prototypes`);
