// Security event tokens (RFC 8417) by jose (npm): one for each subject that is an argument, and wrong ones, whose fault is named in the
// words of RFC 8935.

import { SignJWT, UnsecuredJWT, exportJWK, generateKeyPair } from 'jose';

const ISSUER = 'https://jose.example.com/';
const EVENT = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked';
const now = Math.floor(Date.now() / 1000);
const keys = {};
const jwks = [];
for (const alg of ['RS256', 'ES256', 'PS256', 'EdDSA']) {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  keys[alg] = privateKey;
  jwks.push({ ...(await exportJWK(publicKey)), kid: alg, alg, use: 'sig' });
}

const claims = (sub, changes = {}) => ({
  iss: ISSUER, aud: 'edge', iat: now, jti: `jose ${sub}`, txn: '1', sub_id: { format: 'iss_sub', iss: ISSUER, sub },
  events: { [EVENT]: { event_timestamp: now, initiating_entity: 'policy' } }, ...changes,
});
const sign = (alg, payload, header = {}, key = keys[alg]) =>
  new SignJWT(payload).setProtectedHeader({ alg, kid: alg, typ: 'secevent+jwt', ...header }).sign(key);

const sets = [];
for (const [index, sub] of process.argv.slice(2).entries()) {
  const alg = Object.keys(keys)[index % 4];
  sets.push({ sub, err: null, token: await sign(alg, claims(sub)) });
}
const stranger = (await generateKeyPair('RS256')).privateKey;
for (const [err, token] of [
  ['invalid_request', await sign('RS256', claims('x'), { typ: 'JWT' })],
  ['invalid_request', await sign('RS256', claims('x', { exp: now + 60 }))],
  ['invalid_audience', await sign('RS256', claims('x', { aud: ['other'] }))],
  ['invalid_issuer', await sign('RS256', claims('x', { iss: ISSUER.slice(0, -1) }))],
  ['invalid_key', await sign('RS256', claims('x'), {}, stranger)],
  ['invalid_key', new UnsecuredJWT(claims('x')).encode()],
]) {
  sets.push({ sub: null, err, token });
}
console.log(JSON.stringify({ issuer: ISSUER, jwks: { keys: jwks }, sets }));
