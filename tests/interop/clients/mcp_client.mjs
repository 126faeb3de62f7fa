// An MCP client that knows the URL of a server alone (the only argument). It lists the tools, and calls `read_x` and
// `delete_x`. Printed: what they answered, what was asked for at each login, how many logins there were before `delete_x`, and
// the token of that time.

import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { logIn } from './log_in.mjs';

const url = new URL(process.argv[2]);
const CALLBACK = 'http://127.0.0.1:9/callback';
const asked = [];

class Person {
  redirectUrl = CALLBACK;
  clientMetadata = {
    client_name: 'a client', redirect_uris: [CALLBACK], grant_types: ['authorization_code'], response_types: ['code'],
    token_endpoint_auth_method: 'none', application_type: 'native',
  };
  clientInformation() { return this.information; }
  saveClientInformation(information) { this.information = information; }
  tokens() { return this.kept; }
  saveTokens(tokens) { this.kept = tokens; }
  codeVerifier() { return this.verifier; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  discoveryState() { return this.discovered; }
  saveDiscoveryState(discovered) { this.discovered = discovered; }
  async redirectToAuthorization(address) {
    asked.push({ scope: address.searchParams.get('scope'), resource: address.searchParams.get('resource') });
    this.returned = await logIn(address, CALLBACK);
  }
}

const person = new Person();
let transport;
let client;

async function connect() {
  transport = new StreamableHTTPClientTransport(url, { authProvider: person });
  client = new Client({ name: 'a client', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  await client.connect(transport);
}

// What the SDK leaves to its host: the code that the browser came back with.
async function withLogin(work) {
  try {
    return await work();
  } catch (error) {
    const returned = person.returned;
    if (!returned || !(error instanceof UnauthorizedError || error.cause instanceof UnauthorizedError)) throw error;
    person.returned = undefined;
    await transport.finishAuth(returned.searchParams);
    return work();
  }
}

const text = (result) => result.content[0].text;
await withLogin(connect);
const { tools } = await client.listTools();
const read = await withLogin(() => client.callTool({ name: 'read_x' }));
const loginsBefore = asked.length;
const token = person.kept.access_token;
const deleted = await withLogin(() => client.callTool({ name: 'delete_x' }));
console.log(JSON.stringify({
  tools: tools.map(({ name }) => name), read: text(read), deleted: text(deleted), asked, loginsBefore, token,
}));
await client.close();
