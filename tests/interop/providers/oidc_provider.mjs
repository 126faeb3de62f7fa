// oidc-provider (npm) as an operator runs it: PORT, STATE (a folder for its keys), ALGORITHM, X5C, and KEYS, the numbers of
// the keys that it publishes, the first of which signs. LOGOUT_URI: where it tells that a user of `web` has logged out, with
// SESSIONS the session too, whose name is then in access tokens as well. CLIENTS: the metadata of more clients. With
// SIGNED_ANSWERS it signs what it says of tokens (RFC 9701), and encrypts it to clients that ask for that. With TLS_PORT, TLS_CERT
// and TLS_KEY it is there as well, for clients that show a certificate.

import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { Provider } from 'oidc-provider';

const { PORT, STATE, ALGORITHM, X5C, KEYS, LOGOUT_URI, SESSIONS, CLIENTS, SIGNED_ANSWERS, TLS_PORT, TLS_CERT, TLS_KEY } = process.env;
const KINDS = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519'],
  'ML-DSA-65': ['ml-dsa-65'],
};

function key(number) {
  const file = `${STATE}/key${number}.pem`;
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync(...KINDS[ALGORITHM]);
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  }
  const jwk = { ...createPrivateKey(readFileSync(file)).export({ format: 'jwk' }), kid: `key ${number}`, alg: ALGORITHM, use: 'sig' };
  if (X5C) {
    const der = execFileSync('openssl', ['req', '-x509', '-key', file, '-subj', '/CN=signs', '-days', '2', '-outform', 'DER']);
    jwk.x5c = [der.toString('base64')];
  }
  return jwk;
}

const logout = LOGOUT_URI ? { backchannel_logout_uri: LOGOUT_URI, backchannel_logout_session_required: Boolean(SESSIONS) } : {};
const issuer = `http://127.0.0.1:${PORT}`;
const provider = new Provider(issuer, {
  jwks: { keys: KEYS.split(',').map(key) },
  enabledJWA: { idTokenSigningAlgValues: [ALGORITHM], userinfoSigningAlgValues: [ALGORITHM], introspectionSigningAlgValues: [ALGORITHM] },
  clientDefaults: { id_token_signed_response_alg: ALGORITHM, ...(SIGNED_ANSWERS ? { introspection_signed_response_alg: ALGORITHM } : {}) },
  clientAuthMethods: ['client_secret_basic', 'private_key_jwt', ...(TLS_PORT ? ['self_signed_tls_client_auth'] : [])],
  cookies: { keys: ['signs cookies'] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  clients: [
    { client_id: 'robot', client_secret: 'of the robot', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
    { client_id: 'web', client_secret: 'of the web', redirect_uris: ['http://127.0.0.1:9/callback'], grant_types: ['authorization_code', 'refresh_token'], ...logout },
    ...JSON.parse(CLIENTS ?? '[]'),
  ],
  pkce: { required: () => false },
  // Its own dispatcher of requests refuses private addresses, such as those of these tests.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  extraTokenClaims: (ctx) => (SESSIONS ? { sid: ctx.oidc.entities.AuthorizationCode?.sid } : undefined),
  features: {
    backchannelLogout: { enabled: Boolean(LOGOUT_URI) },
    introspection: { enabled: true },
    jwtIntrospection: { enabled: Boolean(SIGNED_ANSWERS) },
    encryption: { enabled: Boolean(SIGNED_ANSWERS) },
    mTLS: { enabled: Boolean(TLS_PORT), selfSignedTlsClientAuth: true, getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.() },
    revocation: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => ({ scope: 'read', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg: ALGORITHM } } }),
    },
  },
});
provider.on('backchannel.error', (_, error) => console.error(`logout: ${error}`));
provider.listen(Number(PORT), '127.0.0.1');
if (TLS_PORT) {
  // Whose certificate it is, is the provider's to judge.
  const tls = { cert: readFileSync(TLS_CERT), key: readFileSync(TLS_KEY), requestCert: true, rejectUnauthorized: false };
  createServer(tls, provider.callback()).listen(Number(TLS_PORT), '127.0.0.1');
}
