// A client whose token is bound to its key (DPoP, RFC 9449). On standard input: `issuer`, `resource`, `url`, and `algorithm`, that of
// the key. The token is fetched with oauth4webapi, which then asks for the URL as well; what no good client does is made with
// the package dpop. Printed: the status and the challenge of each, and how often oauth4webapi was told to use a nonce.

import { readFileSync } from 'node:fs';
import * as DPoP from 'dpop';
import * as oauth from 'oauth4webapi';

const { issuer, resource, url, algorithm } = JSON.parse(readFileSync(0, 'utf8'));
const client = { client_id: 'by-key' };
const secret = oauth.ClientSecretBasic('of the client');
const keys = await oauth.generateKeyPair(algorithm, { extractable: true });
const handle = oauth.DPoP(client, keys);
let nonces = 0;

// What oauth4webapi leaves to its host: to send a request again that was refused for its nonce alone.
async function again(work) {
  try {
    return await work();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    nonces += 1;
    return work();
  }
}

const server = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer)));
const { access_token: token } = await again(async () => {
  const asked = new URLSearchParams({ scope: 'read', resource });
  const response = await oauth.clientCredentialsGrantRequest(server, client, secret, asked, { DPoP: handle });
  return oauth.processClientCredentialsResponse(server, client, response);
});
nonces = 0;
const ask = () => again(() => oauth.protectedResourceRequest(token, 'GET', new URL(url), undefined, undefined, { DPoP: handle }));
const statuses = [(await ask()).status, (await ask()).status];

// The nonce of the last answer, as a good client has it.
let nonce;
async function show(proof, scheme = 'DPoP', target = url) {
  const response = await fetch(target, { headers: { Authorization: `${scheme} ${token}`, DPoP: proof } });
  nonce = response.headers.get('dpop-nonce') ?? undefined;
  return { status: response.status, challenge: response.headers.get('www-authenticate') };
}
const prove = (by = keys, target = url, method = 'GET', shown = token) => DPoP.generateProof(by, target, method, nonce, shown);

await show(await prove());
const proof = await prove();
const told = {
  statuses,
  nonces,
  good: await show(proof),
  copy: await show(proof),
  another: await show(await prove()),
  query: await show(await prove(), 'DPoP', `${url}?a=b`),
  otherKey: await show(await prove(await DPoP.generateKeyPair(algorithm))),
  otherPath: await show(await prove(keys, `${url}/other`)),
  otherMethod: await show(await prove(keys, url, 'POST')),
  otherToken: await show(await prove(keys, url, 'GET', 'another')),
  noToken: await show(await DPoP.generateProof(keys, url, 'GET', nonce)),
  bearer: await show(await prove(), 'Bearer'),
};
console.log(JSON.stringify(told));
