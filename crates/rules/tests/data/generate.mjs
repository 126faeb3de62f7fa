// Writes comparisons.json and groups.json: what a JavaScript engine answers, as data for the Rust tests.
//
//     node generate.mjs        (in this folder)
//
// Claims and operands are kept as JSON text, so that a number such as 9007199254740993 reaches both readers as written.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';

const here = dirname(fileURLToPath(import.meta.url));

const operators = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  gt: (a, b) => a > b,
  gte: (a, b) => a >= b,
  lt: (a, b) => a < b,
  lte: (a, b) => a <= b,
};

// null stands for a claim that is missing.
const claims = [
  null, 'null', 'true', 'false',
  '0', '-0', '1', '5', '5.0', '-1', '1.5', '10', '1e21', '1.5e-7', '9007199254740993', '1700000000', '1700000000000', '5.038693709274119e+264', '"5.038693709274119e+264"', '[5.038693709274119e+264]',
  '""', '" "', '"5"', '" 5\\n"', '"\\ufeff5"', '"5\\u0085"', '"05"', '"5."', '".5"', '"1e1"', '"+5"', '"0x10"', '"-0x10"', '"0b101"', '"0o7"',
  '"Infinity"', '"-Infinity"', '"inf"', '"NaN"', '"1_0"', '"5n"', '"10"', '"abc"', '"ABC"', '"abd"', '"\\uffee"', '"\\ud83d\\ude00"',
  '[]', '[5]', '["5"]', '[1,2]', '[null]', '[[5]]', '[1e21]', '[true]', '[{}]', '{}', '{"a":1}',
];

const operands = ['null', 'true', 'false', '0', '5', '-1', '1.5', '9007199254740992', '1700000000', '""', '"5"', '"10"', '"abc"', '"\\ufffd"', '"1e+21"', '"[object Object]"', '5.038693709274119e+264', '"5.038693709274119e+264"'];

const comparisons = [];
for (const claim of claims) {
  for (const operand of operands) {
    const left = claim === null ? undefined : JSON.parse(claim);
    const right = JSON.parse(operand);
    const hits = Object.keys(operators).filter((name) => operators[name](left, right));
    comparisons.push({ claim, operand, hits });
  }
}

// The language around the comparisons, as plainly as it can be said.
const field = (object, name) => {
  if (Object.hasOwn(object, name)) return object[name];
  const steps = name.replace(/\[(\d+)\]/g, '.$1').split('.');
  return steps.reduce((value, step) => (value !== null && typeof value === 'object' && Object.hasOwn(value, step) ? value[step] : undefined), object);
};
const holds = (rule, object, on) => {
  const { _or: any, ...rest } = rule;
  const results = Object.entries(rest).map(([key, value]) => {
    if (value !== null && typeof value === 'object') return holds(value, object, key);
    return on === undefined ? operators.eq(field(object, key), value) : operators[key](field(object, on), value);
  });
  return any ? results.includes(true) : !results.includes(false);
};

const rules = [
  '{}', '{"a":{}}', '{"_or":true}', '{"a":{"_or":true}}', '{"_or":true,"a":{}}', '{"_or":false,"rt":"x","cs":"y"}',
  '{"rt":"x"}', '{"rt":"x","iat":{"lt":5}}', '{"_or":true,"rt":"x","cs":"x"}', '{"iat":{"gte":2,"lt":5}}', '{"iat":{"_or":true,"lt":2,"gt":5}}',
  '{"_or":true,"iat":{"gte":2,"lt":5},"rt":"x"}', '{"_or":true,"iat":{"gte":2,"lt":5}}', '{"iat":{"lte":1700000000}}', '{"iat":null}', '{"rt":{"eq":"x"}}', '{"rt":{"ne":"x"}}',
  '{"group":{"_or":true,"rt":{"eq":"x"},"iat":{"gt":5}}}', '{"cs":"y","group":{"_or":true,"rt":{"eq":"x"},"iat":{"gt":5}}}',
  '{"cs":{"ne":"z","rt":{"eq":"x"}}}', '{"_or":true,"one":{"rt":{"eq":"x"},"iat":{"lt":3}},"two":{"cs":{"eq":"y"},"iat":{"gt":5}}}',
  '{"org.id":7}', '{"org.roles[1]":"admin"}', '{"org.roles.1":"admin"}', '{"a.b":1}', '{"org.missing.deep":{"ne":1}}', '{"org":{"eq":"[object Object]"}}', '{"org.roles":{"gt":"a"}}',
];
const payloads = [
  '{}', '{"rt":"x"}', '{"rt":"y"}', '{"cs":"x"}', '{"rt":"x","cs":"y"}', '{"rt":"x","iat":1}', '{"rt":"x","iat":4}', '{"rt":"x","iat":5}', '{"cs":"y","iat":6}', '{"iat":"4"}', '{"iat":null}',
  '{"iat":1700000000}', '{"iat":1700000000.5}', '{"org":{"id":7,"roles":["user","admin"]}}', '{"org":{"id":"7","roles":[]}}', '{"a.b":1,"a":{"b":2}}', '{"a.b":2,"a":{"b":1}}', '{"a":{"b":1}}', '{"org":null}',
];
const groups = rules.flatMap((rule) => payloads.map((payload) => ({ rule, payload, hit: holds(JSON.parse(rule), JSON.parse(payload)) })));

const write = (name, rows) => writeFileSync(join(here, name), `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`);
write('comparisons.json', comparisons);
write('groups.json', groups);
