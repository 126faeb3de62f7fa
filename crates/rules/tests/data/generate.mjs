// Writes comparisons.json, groups.json, texts.json and patterns.json: what a JavaScript engine answers, as data for the Rust tests.
//
//     node generate.mjs        (in this folder)
//
// Claims and operands are kept as JSON text, so that a number such as 9007199254740993 reaches both readers as written.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';

import { comparing as operators } from './comparisons.mjs';

const here = dirname(fileURLToPath(import.meta.url));

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

// `regex` and `sw` look at String(claim). A row's `hits` are places in `claims`, or null where JavaScript throws.
const textClaims = [
  ...claims,
  '"undefined"', '"null"', '"true"', '"a"', '"aa"', '"aab"', '"abab"', '"abba"', '"aé"', '"é"', '"éa"', '"a b"', '"a-b"', '"a/b"', '"a_b"', '"A"', '"K"', '"\\u212a"', '"\\u017f"', '"\\u0661"',
  '"a\\nb"', '"a\\r"', '"\\n"', '"\\u2028"', '"a\\u2029b"', '"\\u0085"', '"\\u00a0"', '"\\u180e"', '"\\ufeff"', '"\\u0000"', '"\\b"', '"\\t"', '"\\u000b"', '"\\\\"', '"\\\\c"',
  '"\\ud83d\\ude00a"', '"a\\ud83d\\ude00\\ud83d\\ude01"', '"\\udbff\\udfff"', '"x4"', '"u{1}"', '"uu"', '"a{2"', '"{}"', '"]"', '"-"', '"k"', '"anna@example.com"', '"anna.b@mail.example.org"',
  '"2024-02-29"', '"192.168.0.1"', '"role:admin"', '["admin","user"]', '["user",["admin",null],true,1e21]', '[null,null]', '{"a":{"b":[]}}', '[{"a":1}]',
];
const prefixes = [
  'null', 'true', 'false', '0', '-0', '5', '1e21', '1.5', '1.5e-7', '""', '"u"', '"undefined"', '"[object"', '"[object Object]"', '"a"', '"aé"', '"A"', '"1,2"', '"admin,"', '","', '"\\ud83d\\ude00"', '"\\ufeff"', '"5."', '"9007199254740992"', '"1e+21"',
];
const patterns = [
  // What a rule may be written with.
  'null', 'true', '5', '1.5', '1e21', '""',
  ...[
    '^a', 'a$', '^a$', '^$', '$^', 'a|b', '^(?:a|b)+$', '^undefined$', '^null$', '^\\[object Object\\]$', '^1,2$', 'admin', '(^|,)admin(,|$)', '@example\\.com$', '^[^@]+@(?:[a-z]+\\.)*example\\.(com|org)$', '^\\d{4}-\\d{2}-\\d{2}$', '^(?:\\d{1,3}\\.){3}\\d{1,3}$',
    // Classes and their escapes.
    '\\d', '\\D', '^\\d+$', '\\w', '\\W', '^\\w+$', '\\s', '\\S', '^\\s$', '.', '^.$', '^..$', '^...$', '^[^]$', '^[^]+$', '[]', '^[]$', '[]|a', '^[^]*$', '[^a]', '[a-c]', '^[a-]$', '^[-a]$', '^[\\d-x]+$', '^[x-\\d]$', '^[\\w-]+$', '[\\b]', '[\\B]', '[^\\s\\S]', '^[\\s\\S]$', '[\\]]', '[[]', '[a[]', '[a&&b]', '[a--b]', '[a~~b]', '^[^\\d\\s]+$', '[\\u0000-\\uffff]', '^[\\u0000-\\uffff]{2}$', '[\\ud83d]', '^[\\ud800-\\udbff][\\udc00-\\udfff]', '\\ud83d\\ude00', '\\ude00$', '^[😀]', '😀', '^😀+', '^(?:😀)+', '^😀{2}', '[z-a]', '[\\w-a]', '[+--]', '[😀-😁]',
    // Escapes.
    '\\cJ', '\\cj', '\\c', '[\\c]', '\\c1', '\\/', '/', '\\-', '\\_', '\\a', '\\e', '\\z', '\\A', '\\Q', '\\x41', '\\x4', '\\x', '\\u0041', '\\u004', '\\u{1}', '\\u{61}', '\\u', '\\p{L}', '\\pL', '\\P{2}', '\\0', '\\00', '\\08', '\\1', '\\8', '\\t', '\\n', '\\v', '\\f', '\\r', '\\\\', '\\', 'a\\', '\\k', '\\k<a>', '\\.', '\\$', '\\é', '\\h', '\\R', '\\G', '\\K', '\\N', '\\X', '\\ ',
    // Boundaries.
    '\\b', '\\B', '^\\b', '\\ba', 'a\\b', 'a\\B', '\\Ba', '\\b5\\b', 'é\\b', '\\bé', '\\B\\B', '^\\B', '\\b$', '\\Bb', '^\\B$',
    // Repetitions.
    'a{2}', 'a{1,}', '^a{1,2}$', 'a{,2}', 'a{', 'a{2', 'a{2,1}', '{', '}', '{}', '{2}', '^{}$', 'x{0}', 'a**', 'a+?', 'a??', 'a*?b', 'a++', 'a?+', 'a{2}{3}', 'a{2}?', '*', '+a', '?', '^*', '$+', '\\b+', '(?=a)*', '(?=a)+b', '(?!a)*b', '(?<=a)*', '(?:a*)*', '(?:a*)+b', '(a?)*b', '(?:)', '(?:)*', '()', '()*a', '(a|)*b', '(?:a|ab)(?:c|bcd|b)$', '|', 'a|', '|a', '(|a)b', 'a{0}b', '(?:a{0,1}){2}b', 'a{00002}', 'a{99999999999}',
    // Groups.
    '(', ')', '(a', 'a)', '(?', '(?a)', '(?i)a', '(?i:a)', '(?-i:a)', '(?x)a', '(?P<n>a)', '(?#a)', '(?>a)', '(?|a)', '(?<n>a)', '(?<n>a)(?<n>b)', '(?<1>a)', '(?<>a)', '(?<n', '(?<$_>a)\\k<$_>', '(?<n>a)\\k<m>', '(?<n>a)\\k', ']', '[', 'a]', '[a', '((((a))))', '(?:(?:a)|(?:b))',
    // Lookarounds.
    'a(?=b)', 'a(?!b)', '(?<=a)b', '(?<!a)b', '(?=a)', '^(?!.*admin)', '^(?=.*a)(?=.*b)', '(?=)', '(?!)', '(?<=)', '(?<!)', '(?<=^a)b', '(?<=a|bb)b', '(?<!a|b)b', '(?<=a{2})b', '(?<=a+)b', '(?=(a))\\1', '(?!(a)b)\\1', '(?<=(a))\\1', '(?=a(?!b))', '(?<=\\d)\\D', '(?<!\\w)\\w', '(?<=😀)a', '(?<=.)$',
    // Back references.
    '(a)\\1', '(a)\\1b', '(a|b)\\1', '^(.)(.)\\2\\1$', '^(.)(.)\\1\\2$', '(a)?\\1', '(a)?\\1b', '(?:(a)|b)\\1', '\\1(a)', '(a\\1)', '(a)|\\1b', '(a)\\2', '(?:(a)|(b))+\\1', '(?:(a)b)+\\1', '(?<n>a)\\k<n>', '(a*)\\1b', '(a+)\\1', '(.)\\1', '((.)\\2)', '(\\w)\\1', '(?:(a)\\1)*b', '(a)(?:\\1|b)', '(a){0}\\1', '(a){1,2}\\1', '(a)\\10', '(?=(a+))\\1b', '(a)(?<=\\1)',
  ].map((pattern) => JSON.stringify(pattern)),
];
const textOperators = { regex: (text, operand) => new RegExp(operand).test(text), sw: (text, operand) => text.startsWith(operand) };
const hitsOf = (operator, operand, texts) => {
  try {
    return texts.flatMap((text, place) => (textOperators[operator](text, operand) ? [place] : []));
  } catch {
    return null;
  }
};
const asTexts = textClaims.map((claim) => String(claim === null ? undefined : JSON.parse(claim)));
const row = (operator) => (operand) => ({ operator, operand, hits: hitsOf(operator, JSON.parse(operand), asTexts) });
const texts = [...prefixes.map(row('sw')), ...patterns.map(row('regex'))];

// Patterns unlike any in use, put together by a fixed sequence of numbers.
const RANDOM_PATTERNS = 1500;
let state = 20240229;
const below = (limit) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
};
const pick = (list) => list[below(list.length)];
const randomTerm = (depth) => {
  const atom = pick(['a', 'a', 'b', 'b', '1', '.', '\\w', '\\W', '\\d', '\\s', '[ab]', '[^a]', '[^]', '-', '\\b', '\\B', '^', '$', '😀', '\\ud83d', '\\1', '\\2', '(', '(', '(?:', '(?=', '(?!', '(?<=', '(?<!', '(?<n>', '\\k<n>']);
  const term = atom.startsWith('(') ? `${atom}${depth > 0 ? randomPattern(depth - 1) : 'a'})` : atom;
  return below(3) > 0 ? term : term + pick(['*', '+', '?', '*?', '+?', '{2}', '{1,2}', '{0}', '{2,}']);
};
const randomPattern = (depth) => Array.from({ length: 1 + below(4) }, () => randomTerm(depth)).join(below(4) > 0 ? '' : '|');
const randomTexts = ['', 'a', 'b', 'ab', 'ba', 'aa', 'aab', 'aba', 'abab', 'bbaa', 'a1', '1a1a', '-', 'a-b', 'a b', '11', 'é', 'aéa', '\n', 'a\nb', '😀', 'a😀', '😀😀b', 'aaaabbbb', 'abcabc'];
const random = {
  texts: randomTexts,
  patterns: Array.from({ length: RANDOM_PATTERNS }, () => randomPattern(2)).map((pattern) => [pattern, hitsOf('regex', pattern, randomTexts)]),
};

const write = (name, rows) => writeFileSync(join(here, name), `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`);
write('comparisons.json', comparisons);
write('groups.json', groups);

const lines = (rows) => rows.map((row) => JSON.stringify(row)).join(',\n');
writeFileSync(join(here, 'texts.json'), `{"claims":[\n${lines(textClaims)}\n],"rows":[\n${lines(texts)}\n]}\n`);
writeFileSync(join(here, 'patterns.json'), `{"texts":${JSON.stringify(random.texts)},"patterns":[\n${lines(random.patterns)}\n]}\n`);
