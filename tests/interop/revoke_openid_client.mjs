// Revokes a token with openid-client (npm) and prints what it made of the answer.
// ENDPOINT ISSUER CLIENT_ID SECRET basic|post TOKEN
import { ClientSecretBasic, ClientSecretPost, Configuration, allowInsecureRequests, tokenRevocation } from 'openid-client';

const [endpoint, issuer, id, secret, method, token] = process.argv.slice(2);
const proof = method === 'basic' ? ClientSecretBasic(secret) : ClientSecretPost(secret);
const client = new Configuration({ issuer, revocation_endpoint: endpoint }, id, undefined, proof);
// HTTP on the loopback.
allowInsecureRequests(client);
// An answer with a challenge is an error of its own kind there, which has no `error`.
let outcome = { revoked: true };
try {
  await tokenRevocation(client, token, { token_type_hint: 'access_token' });
} catch (error) {
  outcome = { revoked: false, status: error.status, error: error.error ?? error.code };
}
console.log(JSON.stringify(outcome));
