"""An MCP client that knows the URL of a server alone (and the file of its authority). It lists the tools, and calls `read_x`
and `delete_x`. Printed: what they answered, what was asked for at each login, how many logins there were before `delete_x`,
and the token of that time."""

import asyncio
import json
import re
import ssl
import sys
import urllib.parse

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.oauth2 import AuthorizationCodeResult
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

CALLBACK = "http://127.0.0.1:9/callback"
url, authority = sys.argv[1:]
trusted = ssl.create_default_context(cafile=authority)
asked = []
returned = {}


class Kept:
    tokens = None
    information = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.information

    async def set_client_info(self, information):
        self.information = information


async def log_in(address):
    """What a person does at the pages of oidc-provider."""
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
    asked.append({"scope": query.get("scope"), "resource": query.get("resource")})
    form = None
    async with httpx2.AsyncClient(verify=trusted) as browser:
        for _ in range(20):
            answer = await (browser.post(address, data=form) if form else browser.get(address))
            location = answer.headers.get("location")
            if location:
                address, form = urllib.parse.urljoin(address, location), None
                if address.startswith(CALLBACK):
                    returned.update(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
                    return
                continue
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            if not prompt:
                raise RuntimeError(f"no page with a question: {answer.status_code} {answer.text}")
            form = {"prompt": prompt[1], "login": "alice", "password": "x"}
    raise RuntimeError("the pages do not end")


async def come_back():
    return AuthorizationCodeResult(code=returned["code"], state=returned.get("state"), iss=returned.get("iss"))


async def main():
    metadata = OAuthClientMetadata(
        client_name="a client",
        redirect_uris=[CALLBACK],
        grant_types=["authorization_code"],
        response_types=["code"],
        token_endpoint_auth_method="none",
        application_type="native",
    )
    kept = Kept()
    person = OAuthClientProvider(url, metadata, kept, log_in, come_back)
    async with httpx2.AsyncClient(auth=person, verify=trusted) as http:
        async with Client(streamable_http_client(url, http_client=http)) as client:
            tools = await client.list_tools()
            read = await client.call_tool("read_x", {})
            before, token = len(asked), kept.tokens.access_token
            deleted = await client.call_tool("delete_x", {})
    told = {
        "tools": [tool.name for tool in tools.tools],
        "read": read.content[0].text,
        "deleted": deleted.content[0].text,
        "asked": asked,
        "loginsBefore": before,
        "token": token,
    }
    print(json.dumps(told))


asyncio.run(main())
