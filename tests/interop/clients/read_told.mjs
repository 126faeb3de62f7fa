// What oauth4webapi makes of challenges and of documents about resources (RFC 9728). On standard input: `challenges`, texts
// of WWW-Authenticate; `documents`, each with the `resource` that a client was given and the `document` found for it. Printed:
// of each challenge its `scheme` and `parameters`, of each document the `url` that was asked and what was `read`.

import { readFileSync } from 'node:fs';
import * as oauth from 'oauth4webapi';

const { challenges, documents } = JSON.parse(readFileSync(0, 'utf8'));

async function challenge(text) {
  const answer = () => new Response(null, { status: 401, headers: { 'WWW-Authenticate': text } });
  try {
    await oauth.protectedResourceRequest('token', 'GET', new URL('https://api.example/'), undefined, undefined, {
      [oauth.customFetch]: answer,
    });
  } catch (error) {
    if (error instanceof oauth.WWWAuthenticateChallengeError) return error.cause;
    throw error;
  }
  return [];
}

async function document({ resource, document }) {
  const identifier = new URL(resource);
  let asked;
  const answer = (url) => {
    asked = url;
    return new Response(document, { headers: { 'Content-Type': 'application/json' } });
  };
  const response = await oauth.resourceDiscoveryRequest(identifier, { [oauth.customFetch]: answer });
  return { url: asked, read: await oauth.processResourceDiscoveryResponse(identifier, response) };
}

console.log(JSON.stringify({
  challenges: await Promise.all(challenges.map(challenge)),
  documents: await Promise.all(documents.map(document)),
}));
