// Which tokens jose (npm) verifies with which key sets: reads a list of sets with their tokens, prints a list of answers.
// An answer is true or false for each token, or null where the library has no way to read such a set or such a key.

import * as crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { compactVerify, createLocalJWKSet, decodeProtectedHeader, importSPKI, importX509 } from 'jose';

// Node 18, which Debian 12 has, does not name it by itself.
globalThis.crypto ??= crypto.webcrypto;

// The keys of a map from kid to PEM: the library reads each one, for one algorithm.
const fromMap = (map) => async (header) => {
  const pem = map[header.kid];
  if (typeof pem !== 'string') throw new Error('no such kid');
  return pem.startsWith('-----BEGIN CERTIFICATE-----') ? importX509(pem, header.alg) : importSPKI(pem, header.alg);
};

const reader = (form, text) => {
  const document = JSON.parse(new TextDecoder().decode(Buffer.from(text)));
  if (form === 'map') return fromMap(document);
  if (form === 'list') return createLocalJWKSet({ keys: document });
  return createLocalJWKSet(form === 'key' ? { keys: [document] } : document);
};

const verifies = async (token, keys) => {
  try {
    await compactVerify(token, keys);
    return true;
  } catch (error) {
    // Several keys may be meant: the library's documentation says to try each.
    if (error.code !== 'ERR_JWKS_MULTIPLE_MATCHING_KEYS') return false;
    for await (const key of error) {
      try {
        await compactVerify(token, key);
        return true;
      } catch {
        // The next one.
      }
    }
    return false;
  }
};

const answers = [];
for (const { form, text, tokens } of JSON.parse(readFileSync(process.argv[2]))) {
  let keys = null;
  try {
    keys = reader(form, text);
  } catch {
    // Not read at all.
  }
  const told = [];
  for (const token of tokens) {
    // It takes no secrets from sets.
    const isSecret = decodeProtectedHeader(token).alg.startsWith('HS');
    told.push(keys === null || isSecret ? null : await verifies(token, keys));
  }
  answers.push(told);
}
console.log(JSON.stringify(answers));
