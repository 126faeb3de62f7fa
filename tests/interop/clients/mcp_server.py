"""The server of mcp_server.mjs, made with PyPI's `mcp`: the tools `read_x` and `delete_x` on PORT. It prints the Authorization
header of each request and the name of each tool that runs."""

import json
import os

import uvicorn
from mcp.server.mcpserver import MCPServer

server = MCPServer("x", version="1")


def add(name, text):
    def run() -> str:
        print(json.dumps({"ran": name}), flush=True)
        return text

    server.add_tool(run, name=name, description=name, structured_output=False)


add("read_x", "x was read")
add("delete_x", "x was deleted")
app = server.streamable_http_app()


async def telling(scope, receive, send):
    if scope["type"] == "http":
        authorization = dict(scope["headers"]).get(b"authorization")
        print(json.dumps({"authorization": authorization and authorization.decode()}), flush=True)
    await app(scope, receive, send)


uvicorn.run(telling, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
