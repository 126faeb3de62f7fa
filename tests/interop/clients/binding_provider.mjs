// oidc-provider over TLS, whose tokens (JWTs for a resource) are bound to their client: those of `by-key` to the key of its proof,
// for which it asks for a nonce (DPoP, RFC 9449), those of `by-certificate` to its certificate (RFC 8705), which may be one that the
// client has signed itself. PORT, CERTIFICATE and KEY (PEM files).

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { Provider } from 'oidc-provider';

const { PORT, CERTIFICATE, KEY } = process.env;
const client = (client_id, more) => ({
  client_id, client_secret: 'of the client', grant_types: ['client_credentials'], redirect_uris: [], response_types: [], ...more,
});
const provider = new Provider(`https://localhost:${PORT}`, {
  cookies: { keys: ['signs cookies'] },
  enabledJWA: { dPoPSigningAlgValues: ['ES256', 'Ed25519', 'EdDSA', 'PS256', 'RS256'] },
  clients: [
    client('by-key', { dpop_bound_access_tokens: true }),
    client('by-certificate', { tls_client_certificate_bound_access_tokens: true }),
  ],
  features: {
    clientCredentials: { enabled: true },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      getCertificate: (ctx) => ctx.req.socket.getPeerX509Certificate()?.toString(),
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => ({ scope: 'read', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 600 }),
    },
  },
});
provider.on('server_error', (_, error) => console.error(error));
provider.on('grant.error', (_, error) => console.error(`grant: ${error} ${error.error_description}`));
const tls = { cert: readFileSync(CERTIFICATE), key: readFileSync(KEY), requestCert: true, rejectUnauthorized: false };
createServer(tls, provider.callback()).listen(Number(PORT), '127.0.0.1');
