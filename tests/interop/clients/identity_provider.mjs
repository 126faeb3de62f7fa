// oidc-provider as the authorization server of MCP clients (OAuth 2.1, RFC 7591, RFC 8707): over TLS, clients register
// themselves, tokens for a resource are JWTs (RFC 9068) of the scopes `read` and `write`. PORT, CERTIFICATE and KEY (PEM files).

import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { Provider } from 'oidc-provider';

const { PORT, CERTIFICATE, KEY } = process.env;
const provider = new Provider(`https://localhost:${PORT}`, {
  cookies: { keys: ['signs cookies'] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  pkce: { required: () => true },
  scopes: ['openid', 'offline_access', 'read', 'write'],
  // Clients register with the scopes of their first challenge; which ones they may have is told by the user, at each login.
  extraClientMetadata: { properties: ['any_scope'], validator: (ctx, key, value, metadata) => { delete metadata.scope; } },
  features: {
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => ({ scope: 'read write', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 600 }),
    },
  },
});
provider.on('server_error', (_, error) => console.error(error));
provider.on('authorization.error', (_, error) => console.error(`authorization: ${error} ${error.error_description}`));
provider.on('grant.error', (_, error) => console.error(`grant: ${error} ${error.error_description}`));
provider.on('registration_create.error', (_, error) => console.error(`registration: ${error} ${error.error_description}`));
const tls = { cert: readFileSync(CERTIFICATE), key: readFileSync(KEY) };
createServer(tls, provider.callback()).listen(Number(PORT), '127.0.0.1');
