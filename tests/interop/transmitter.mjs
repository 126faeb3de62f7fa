// An SSF 1.0 transmitter for tests: discovery, keys, stream configuration and status, verification, delivery by push
// (RFC 8935) and by poll (RFC 8936), and a control port that makes it fail as real ones do.
//
// It is a mock, since no independent transmitter can be installed: npm and PyPI have none, and those of identity providers
// are previews or services. What is not ours is the signature: jose makes and signs each SET. What the receiver sends
// is held against the examples of RFC 8936 by the tests beside its code; this side of the exchanges is ours alone.
//
//   node transmitter.mjs AUDIENCE STREAM_ID AUTHORIZATION    prints {"origin": ..., "control": ...} when it listens

import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';

const [audience, streamId, authorization] = process.argv.slice(2);
const SSF = 'https://schemas.openid.net/secevent/ssf/event-type/';
const now = () => Math.floor(Date.now() / 1000);
const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
const jwk = { ...(await exportJWK(publicKey)), kid: 'transmitter', alg: 'ES256', use: 'sig' };

let origin;
const queue = new Map(); // jti -> SET, what was not acknowledged, in order
const seen = { polls: [], acks: [], errors: {}, pushes: [], verifications: [], tokens: 0 };
const waiting = new Set(); // long polls
// How it behaves; the control port changes any of it.
const mode = { down: false, hang: false, status: 0, retry_after: null, body: null, padding: 0, redirect: null, reversed: false, hold: 60_000, max: 100, push_to: null, push_authorization: null, state: null, stream_status: 'enabled', then_down: false, polls_down: false, authorization, issuer: null, document: {}, streams: null, verified_id: null, silent: false };

async function sign({ header = {}, claims = {}, raw, key = privateKey }) {
  if (raw !== undefined) return raw;
  const payload = { iss: mode.issuer ?? origin, aud: audience, iat: now(), jti: randomUUID(), ...claims };
  return new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid: 'transmitter', typ: 'secevent+jwt', ...header }).sign(key);
}

// Takes a SET to be delivered, by push or for those who poll.
async function deliver(event) {
  const jti = event.jti ?? event.claims?.jti ?? randomUUID();
  const foreign = event.foreign ? (await generateKeyPair('ES256')).privateKey : privateKey;
  const set = await sign({ ...event, claims: { jti, ...event.claims }, key: foreign });
  if (!mode.push_to) {
    queue.set(jti, set);
    for (const wake of waiting) wake();
    return { jti, set };
  }
  const headers = { 'Content-Type': 'application/secevent+jwt', Accept: 'application/json' };
  if (mode.push_authorization) headers.Authorization = mode.push_authorization;
  const answer = await fetch(mode.push_to, { method: 'POST', headers, body: set });
  const pushed = { jti, set, status: answer.status, body: await answer.text() };
  seen.pushes.push(pushed);
  return pushed;
}

// RFC 8936 section 2.4: first what is told of earlier SETs counts, then SETs are given, at once or as soon as there are some.
async function poll(body, response) {
  seen.polls.push(body);
  for (const jti of body.ack ?? []) {
    seen.acks.push(jti);
    queue.delete(jti);
  }
  for (const [jti, error] of Object.entries(body.setErrs ?? {})) {
    seen.errors[jti] = error;
    queue.delete(jti);
  }
  if (queue.size === 0 && !body.returnImmediately && body.maxEvents !== 0) {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, mode.hold);
      const wake = () => (clearTimeout(timer), resolve());
      waiting.add(wake);
      response.on('close', () => (waiting.delete(wake), wake()));
    });
  }
  const entries = mode.reversed ? [...queue].reverse() : [...queue];
  const given = entries.slice(0, Math.min(body.maxEvents ?? mode.max, mode.max));
  const answer = { sets: Object.fromEntries(given) };
  if (given.length < entries.length) answer.moreAvailable = true;
  return answer;
}

const stream = () => ({ stream_id: streamId, iss: mode.issuer ?? origin, aud: audience, delivery: { method: 'urn:ietf:rfc:8936', endpoint_url: `${origin}/ssf/poll` }, events_delivered: [] });

async function answer(request, response, url, text) {
  const json = (status, body, headers = {}) => response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(body === undefined ? undefined : JSON.stringify(body));
  if (mode.down) return request.socket.destroy();
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /.well-known/ssf-configuration':
      return json(200, { spec_version: '1_0', issuer: mode.issuer ?? origin, jwks_uri: `${origin}/jwks`, delivery_methods_supported: ['urn:ietf:rfc:8935', 'urn:ietf:rfc:8936'], configuration_endpoint: `${origin}/ssf/stream`, status_endpoint: `${origin}/ssf/status`, verification_endpoint: `${origin}/ssf/verify`, authorization_schemes: [{ spec_urn: 'urn:ietf:rfc:6749' }], ...mode.document });
    case 'GET /jwks':
      return json(200, { keys: [jwk] });
    case 'POST /oauth/token': {
      seen.tokens += 1;
      const good = request.headers.authorization === `Basic ${Buffer.from('edge:secret').toString('base64')}` && new URLSearchParams(text).get('grant_type') === 'client_credentials';
      if (!good) return json(401, { error: 'invalid_client' });
      return json(200, { access_token: mode.authorization.replace(/^Bearer /, ''), token_type: 'Bearer', expires_in: mode.expires_in ?? 3600 });
    }
  }
  if (mode.hang) return undefined;
  if (mode.redirect) return response.writeHead(307, { Location: mode.redirect }).end();
  if (request.headers.authorization !== mode.authorization) return json(401, { error: 'invalid_token' });
  if (mode.status) return json(mode.status, { error: 'as told' }, mode.retry_after === null ? {} : { 'Retry-After': mode.retry_after });
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /ssf/stream':
      return json(200, url.searchParams.has('stream_id') ? stream() : (mode.streams ?? [streamId]).map((stream_id) => ({ ...stream(), stream_id })));
    case 'GET /ssf/status':
      return json(200, { stream_id: streamId, status: mode.stream_status });
    case 'POST /ssf/verify': {
      const asked = JSON.parse(text);
      seen.verifications.push(asked);
      if (asked.stream_id !== streamId) return json(404);
      response.writeHead(204).end();
      const state = mode.state ?? asked.state;
      if (!mode.silent) await deliver({ claims: { sub_id: { format: 'opaque', id: mode.verified_id ?? streamId }, events: { [`${SSF}verification`]: state === undefined ? {} : { state } } } });
      return undefined;
    }
    case 'POST /ssf/poll': {
      if (mode.polls_down) return request.socket.destroy();
      const told = await poll(JSON.parse(text), response);
      if (mode.down) return request.socket.destroy();
      if (mode.body !== null) return response.writeHead(200, { 'Content-Type': 'application/json' }).end(mode.body);
      // Once it has given tokens it is gone, before they can be acknowledged.
      if (mode.then_down && Object.keys(told.sets).length > 0) mode.polls_down = true;
      return json(200, mode.padding ? { ...told, padding: 'x'.repeat(mode.padding) } : told);
    }
    default:
      return json(404);
  }
}

// The control port: {"mode": {..}} changes how it behaves, {"send": [{claims, header, raw, jti, foreign}]} sends SETs; the
// answer is what it has seen.
async function control(_request, response, _url, text) {
  const { mode: changes = {}, send = [] } = JSON.parse(text || '{}');
  Object.assign(mode, changes);
  const sent = [];
  for (const event of send) sent.push(await deliver(event));
  response.end(JSON.stringify({ ...seen, sent, queued: [...queue.keys()], waiting: waiting.size }));
}

function listen(handler) {
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    try {
      await handler(request, response, new URL(request.url, 'http://localhost'), text);
    } catch (error) {
      console.error(error);
      response.writeHead(500).end();
    }
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`)));
}

origin = await listen(answer);
console.log(JSON.stringify({ origin, control: await listen(control) }));
