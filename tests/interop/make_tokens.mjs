// Tokens by jose (npm): good ones of every algorithm, and wrong ones whose fault is named as our verifier names it.

import * as crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CompactEncrypt, CompactSign, FlattenedSign, GeneralSign, SignJWT, UnsecuredJWT, exportJWK, exportSPKI, generateKeyPair, generateSecret } from 'jose';

const ALGORITHMS = ['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'];
const ISSUER = 'https://issuer.example';
const AUDIENCE = 'api';
const now = Math.floor(Date.now() / 1000);
const utf8 = new TextEncoder();

const keys = {};
const jwks = [];
for (const alg of ALGORITHMS) {
  const made = alg.startsWith('HS') ? await generateSecret(alg, { extractable: true }) : await generateKeyPair(alg, { extractable: true });
  keys[alg] = made.privateKey ?? made;
  jwks.push({ ...(await exportJWK(made.publicKey ?? made)), kid: alg, alg, use: 'sig' });
  keys[`${alg} public`] = made.publicKey;
}

const claims = (changes = {}) => ({ iss: ISSUER, aud: AUDIENCE, sub: 'alice', iat: now, nbf: now, exp: now + 600, ...changes });
const sign = (alg, payload = claims(), header = {}, key = keys[alg]) =>
  new SignJWT(payload).setProtectedHeader({ alg, kid: alg, typ: 'JWT', ...header }).sign(key);
const signBytes = (alg, payload, header = {}) =>
  new CompactSign(utf8.encode(payload)).setProtectedHeader({ alg, kid: alg, ...header }).sign(keys[alg], { crit: { 'urn:x': true } });
const base64url = (text) => Buffer.from(text).toString('base64url');

const tokens = [];
const add = (what, token, detail) => tokens.push({ what, token, detail });

for (const alg of ALGORITHMS) {
  const good = await sign(alg);
  const [header, payload, signature] = good.split('.');
  const others = alg.startsWith('HS') ? await generateSecret(alg) : (await generateKeyPair(alg)).privateKey;
  const turned = Buffer.from(signature, 'base64url');
  turned[turned.length >> 1] ^= 4;
  add(alg, good, 'ok');
  add(`${alg} without kid`, await sign(alg, claims(), { kid: undefined }), 'ok');
  add(`${alg}, several audiences`, await sign(alg, claims({ aud: ['other', AUDIENCE] })), 'ok');
  add(`${alg}, one bit of the signature turned`, `${header}.${payload}.${turned.toString('base64url')}`, 'signature');
  add(`${alg}, other claims`, `${header}.${base64url(JSON.stringify(claims({ sub: 'root' })))}.${signature}`, 'signature');
  add(`${alg}, another key`, await sign(alg, claims(), {}, others), 'signature');
  add(`${alg}, expired`, await sign(alg, claims({ exp: now - 1 })), 'expired');
  add(`${alg}, cut off`, `${header}.${payload}.${turned.subarray(0, -8).toString('base64url')}`, 'signature');
}

for (const alg of ['HS256', 'HS384', 'HS512']) {
  const pem = await exportSPKI(keys['RS256 public']);
  const secret = crypto.createSecretKey(utf8.encode(pem));
  add(`${alg} under the RSA key as PEM`, await sign(alg, claims(), { kid: 'RS256' }, secret), 'unknown_key');
}
add('EdDSA by its fully-specified name', await sign('EdDSA', claims(), { alg: 'Ed25519' }), 'ok');
add('Ed25519 under a key of another type', await sign('EdDSA', claims(), { alg: 'Ed25519', kid: 'ES256' }), 'unknown_key');
add('ML-DSA-65 under a key for ML-DSA-44', await sign('ML-DSA-65', claims(), { kid: 'ML-DSA-44' }), 'unknown_key');
add('EdDSA under a key for ML-DSA-44', await sign('EdDSA', claims(), { kid: 'ML-DSA-44' }), 'unknown_key');
add('PS256 under a key for RS256', await sign('PS256', claims(), { kid: 'RS256' }), 'unknown_key');
add('a kid of no key', await sign('ES256', claims(), { kid: 'unknown' }), 'unknown_key');
add('a key that the token brings', await (async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  return sign('ES256', claims(), { jwk: await exportJWK(publicKey) }, privateKey);
})(), 'signature');
add('unsecured', new UnsecuredJWT(claims()).encode(), 'algorithm');
add('crit', await signBytes('ES256', JSON.stringify(claims()), { crit: ['urn:x'], 'urn:x': 1 }), 'crit');
add('detached payload', (await sign('ES256')).replace(/\..*\./, '..'), 'malformed');
add('flattened JSON', JSON.stringify(await new FlattenedSign(utf8.encode(JSON.stringify(claims()))).setProtectedHeader({ alg: 'ES256' }).sign(keys.ES256)), 'malformed');
add('general JSON', JSON.stringify(await new GeneralSign(utf8.encode(JSON.stringify(claims()))).addSignature(keys.ES256).setProtectedHeader({ alg: 'ES256' }).sign()), 'malformed');
add('payload of another kind', await signBytes('ES256', 'not claims'), 'malformed');
add('an array of claims', await signBytes('ES256', '[1]'), 'malformed');
add('a claim twice', await signBytes('ES256', `{"exp":${now + 600},"exp":${now + 700}}`), 'malformed');
add('not yet valid', await sign('ES256', claims({ nbf: now + 600 })), 'not_yet_valid');
add('without exp', await sign('ES256', claims({ exp: undefined })), 'exp_missing');
add('exp as text', await signBytes('ES256', JSON.stringify(claims({ exp: String(now + 600) }))), 'claim_type');
add('another issuer', await sign('ES256', claims({ iss: 'https://other.example' })), 'issuer');
add('without issuer', await sign('ES256', claims({ iss: undefined })), 'issuer');
add('another audience', await sign('ES256', claims({ aud: 'other' })), 'audience');
add('without audience', await sign('ES256', claims({ aud: undefined })), 'audience');

const WRAPS = ['A128KW', 'A192KW', 'A256KW', 'A128GCMKW', 'A192GCMKW', 'A256GCMKW'];
const ENCS = ['A128CBC-HS256', 'A192CBC-HS384', 'A256CBC-HS512', 'A128GCM', 'A192GCM', 'A256GCM'];
const AGREEMENTS = ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A192KW', 'ECDH-ES+A256KW'];

const decryptionKeys = [];
const encrypted = [];
const encrypt = (plaintext, header, key) => new CompactEncrypt(utf8.encode(plaintext)).setProtectedHeader(header).encrypt(key);
const keep = async (key, kid, alg) => decryptionKeys.push({ ...(await exportJWK(key)), kid, alg });
const addEncrypted = (what, token, detail) => encrypted.push({ what, token, detail });
const withPart = (token, index, change) => {
  const parts = token.split('.');
  const bytes = Buffer.from(parts[index], 'base64url');
  parts[index] = change(bytes).toString('base64url');
  return parts.join('.');
};
const turn = (bytes) => {
  bytes[0] ^= 1;
  return bytes;
};

// Who holds a secret may put claims into a token; who has a public key may put a signed token into one.
const body = JSON.stringify(claims());
const nested = await sign('ES256');
for (const enc of ENCS) {
  const key = await generateSecret(enc, { extractable: true });
  const secret = key instanceof Uint8Array ? key : new Uint8Array(await crypto.webcrypto.subtle.exportKey('raw', key));
  decryptionKeys.push({ kty: 'oct', kid: `dir ${enc}`, alg: 'dir', k: Buffer.from(secret).toString('base64url') });
  const header = { alg: 'dir', enc, kid: `dir ${enc}` };
  const good = await encrypt(body, header, secret);
  addEncrypted(`dir, ${enc}`, good, 'ok');
  addEncrypted(`dir, ${enc}, nested`, await encrypt(nested, { ...header, cty: 'JWT' }, secret), 'ok');
  for (const part of [2, 3, 4]) {
    addEncrypted(`dir, ${enc}, part ${part} changed`, withPart(good, part, turn), 'decryption');
  }
  addEncrypted(`dir, ${enc}, a shorter tag`, withPart(good, 4, (tag) => tag.subarray(0, 12)), 'decryption');
  addEncrypted(`dir, ${enc}, another header`, `${base64url(JSON.stringify({ ...header, x: 1 }))}.${good.slice(good.indexOf('.') + 1)}`, 'decryption');
}
for (const alg of WRAPS) {
  const key = await generateSecret(alg, { extractable: true });
  await keep(key, alg, alg);
  for (const enc of ENCS) {
    addEncrypted(`${alg}, ${enc}`, await encrypt(body, { alg, enc, kid: alg }, key), 'ok');
  }
  const good = await encrypt(body, { alg, enc: 'A256GCM', kid: alg }, key);
  addEncrypted(`${alg}, the wrapped key changed`, withPart(good, 1, turn), 'decryption');
  addEncrypted(`${alg}, another key`, await encrypt(body, { alg, enc: 'A256GCM', kid: alg }, await generateSecret(alg)), 'decryption');
}
for (const [alg, crv] of [['RSA-OAEP'], ['RSA-OAEP-256'], ...AGREEMENTS.flatMap((alg) => ['P-256', 'P-384', 'P-521', 'X25519'].map((crv) => [alg, crv]))]) {
  const kid = crv ? `${alg} ${crv}` : alg;
  const { publicKey, privateKey } = await generateKeyPair(alg, { crv, extractable: true });
  await keep(privateKey, kid, alg);
  const header = { alg, enc: 'A256GCM', kid };
  const good = await encrypt(nested, { ...header, cty: 'JWT' }, publicKey);
  addEncrypted(kid, good, 'ok');
  addEncrypted(`${kid}, nested but unnamed`, await encrypt(nested, { ...header, enc: 'A128CBC-HS256' }, publicKey), 'ok');
  addEncrypted(`${kid}, unsigned claims`, await encrypt(body, header, publicKey), 'unsigned');
  addEncrypted(`${kid}, the tag changed`, withPart(good, 4, turn), 'decryption');
  if (alg !== 'ECDH-ES') {
    addEncrypted(`${kid}, the encrypted key changed`, withPart(good, 1, turn), 'decryption');
  }
}
addEncrypted('a password', await encrypt(body, { alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', kid: 'A128KW' }, utf8.encode('password')), 'algorithm');
addEncrypted('a kid of no key', await encrypt(body, { alg: 'dir', enc: 'A128GCM', kid: 'unknown' }, new Uint8Array(16)), 'unknown_key');
addEncrypted('a key for another alg', await encrypt(body, { alg: 'A128KW', enc: 'A128GCM', kid: 'A128GCMKW' }, new Uint8Array(16)), 'unknown_key');

const { version } = JSON.parse(readFileSync(new URL('node_modules/jose/package.json', import.meta.url)));
console.log(JSON.stringify({ implementation: `jose ${version} (npm)`, issuer: ISSUER, audience: AUDIENCE, jwks: { keys: jwks }, tokens, decryptionKeys, encrypted }));
